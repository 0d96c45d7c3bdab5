"""The device that a ZeroGPU Space lends for some seconds, to functions marked for it.

Such a function runs in a process that is forked for it: what it is given is pickled, models are
found where they lay when the process was forked. Outside of it no CUDA is to be touched, so that
everything else (Grad-CAM, changed feature maps) runs on the processor. Importing this module marks
the function, which a ZeroGPU Space wants to have seen by the time that the page is opened.

See https://huggingface.co/docs/hub/spaces-zerogpu.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import spaces

from ser_core.checkpoints import checkpoint
from ser_core.inference.runtime import Lengths, Logits, Samples

if TYPE_CHECKING:
    from ser_core.checkpoints.model import Model

FORK_SECONDS = 5.0
"""To fork and to move the weights."""

SECONDS_A_WINDOW = 0.05
"""Ten times what a window takes, for a device that is shared."""

_MODELS: WeakValueDictionary[str, Model] = WeakValueDictionary()
"""By folder, on the device, while a `LentRuntime` holds them: the process that is lent one inherits
them."""


def seconds_for(folder: str, waveform: Samples, lengths: Lengths) -> int:
    """Return how long the device is asked for; who has fewer seconds left is refused it.

    Args:
        folder, waveform, lengths: what `lent_logits` is given.
    """
    return math.ceil(FORK_SECONDS + SECONDS_A_WINDOW * len(waveform))


@spaces.GPU(duration=seconds_for)  # type: ignore[untyped-decorator]
def lent_logits(folder: str, waveform: Samples, lengths: Lengths) -> Logits:
    """Return logits ``[n, emotion]``, computed on the lent device.

    Args:
        folder: the checkpoint.
        waveform, lengths: see ``Runtime``.
    """
    import torch

    from ser_core.inference.torch_runtime import forward

    model = on_device(folder)
    half = torch.float16 if next(model.parameters()).device.type == "cuda" else None
    found = forward(model, torch.from_numpy(waveform), torch.from_numpy(lengths), half)[0]
    logits: Logits = found.double().numpy()
    return logits


def on_device(folder: str) -> Model:
    """Return a checkpoint's model on CUDA; one that came after the fork is read then.

    Raises:
        CheckpointError: the folder can't be read.
    """
    import torch

    # No lock: one that a thread holds while the process is forked would be held there for ever.
    model = _MODELS.get(folder)
    if model is None:
        model = checkpoint.load(folder).model.eval().to("cuda")
        model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _MODELS[folder] = model
    return model


class LentRuntime:
    """Runs a checkpoint on the device that is lent for each batch; see ``Runtime``.

    Args:
        folder: the checkpoint; its model is put on the device now, so that the page's processes
            find it there.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = str(folder)
        self._model = on_device(self._folder)

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        """Return logits; see ``Runtime``."""
        logits: Logits = lent_logits(self._folder, waveform, lengths)
        return logits
