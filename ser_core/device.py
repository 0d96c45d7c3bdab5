"""Where the arithmetic runs."""

from __future__ import annotations

import torch

from ser_core.errors import SerError


def choose_device(wish: str = "auto") -> torch.device:
    """Return the device that ``wish`` names: "auto", "cpu", "cuda", "cuda:1", "mps".

    Raises:
        SerError: the wish names something that this machine has not.
    """
    if wish in ("", "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except RuntimeError as error:
        raise SerError(f"“{wish}” is not a device; try auto, cpu, cuda or mps.") from error
    missing = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise SerError(f"This machine has no {device.type}; use SER_DEVICE=auto or cpu.")
    return device
