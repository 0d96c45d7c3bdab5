"""Where the arithmetic runs."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from ser_core.errors import SerError

if TYPE_CHECKING:
    import torch


def lent_by_the_second() -> bool:
    """Return whether this is a ZeroGPU Space: a GPU is lent to marked functions, and to them alone.

    The package ``spaces`` is there on every Space of Gradio's; it knows of which kind one is.
    """
    if importlib.util.find_spec("spaces") is None:
        return False
    from spaces.config import Config

    return bool(Config.zero_gpu)


def asks_for_lent(wish: str) -> bool:
    """Return whether predictions are to use the GPU that is lent by the second.

    Only who asks for "cuda" gets it: on the processor a clip takes some 20 ms, while the loan of a
    device takes seconds, of which each visitor has a few minutes a day.

    Args:
        wish: see `choose_device`.
    """
    return wish.startswith("cuda") and lent_by_the_second()


def choose_device(wish: str = "auto") -> torch.device:
    """Return the device that ``wish`` names: "auto", "cpu", "cuda", "cuda:1", "mps".

    On a ZeroGPU Space it is the processor: outside of marked functions no CUDA may be touched.

    Raises:
        SerError: the wish names something that this machine has not.
    """
    import torch

    if lent_by_the_second():
        return torch.device("cpu")
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
