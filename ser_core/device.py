"""Where the arithmetic runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ser_core.errors import SerError

if TYPE_CHECKING:
    import torch


def choose_device(wish: str = "auto") -> torch.device:
    """Return the device that ``wish`` names: "auto", "cpu", "cuda", "cuda:1", "mps".

    Raises:
        SerError: the wish names something that this machine has not.
    """
    import torch

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


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that matrix products run in, or None for float32.

    Args:
        precision: "fp32", "bf16", "fp16" or "auto", which takes what the device is fast at.
        device: where they run.
    """
    import torch

    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        # Without instructions for bfloat16 a CPU emulates it, slower than float32.
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        return torch.bfloat16 if fast else None
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
