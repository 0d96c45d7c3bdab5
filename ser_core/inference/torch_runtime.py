"""A network in torch: on a GPU, for changed feature maps, or where nothing else can run it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core.checkpoints.model import Model
from ser_core.device import autocast_dtype
from ser_core.frontends.base import ChangeFeatures, FeatureMap
from ser_core.inference.runtime import Lengths, Logits, Samples


def forward(
    model: Model,
    waveform: Tensor,
    lengths: Tensor,
    dtype: torch.dtype | None = None,
    change: ChangeFeatures | None = None,
    offset: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return logits ``[n, emotion]`` and the embeddings in front of them, in float32 on the CPU.

    Args:
        model: in evaluation mode, where its weights are.
        waveform: ``[n, channel, time]``.
        lengths: valid samples of each, ``[n]``.
        dtype: of the matrix products; None is float32.
        change: made to each clip's picture; see `Model.features`.
        offset: of a voice, taken from the pooled state before the head sees it.
    """
    device = next(model.parameters()).device
    half = dtype is not None
    # A spectrogram loses more in half precision than it gains; an encoder is mostly products.
    encoder = half and next(model.frontend.parameters(), None) is not None
    with torch.inference_mode():
        with torch.autocast(device.type, dtype, enabled=encoder):
            values, valid = model.features(waveform.to(device), lengths.to(device), change)
        if device.type in ("cpu", "cuda"):
            values = values.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype, enabled=half):
            shown = FeatureMap(values, valid)
            embeddings = model.backbone.embed(shown)
            if offset is None:
                logits = model.backbone.classifier(embeddings)
            else:
                logits = model.backbone.head(model.backbone.pooled(shown) - offset)
        return logits.float().cpu(), embeddings.float().cpu()


class TorchRuntime:
    """Run a model where its weights are, one batch at a time.

    Args:
        model: what runs; it is put in evaluation mode.
        precision: see ``autocast_dtype``; None is half precision on CUDA and float32 elsewhere.
        change: made to each clip's picture; see `Model.features`.
        offset: of a voice (see `ser_core.inference.voice`).
        lock: held while the model runs; share it between runtimes of one model.
    """

    def __init__(
        self,
        model: Model,
        *,
        precision: str | None = None,
        change: ChangeFeatures | None = None,
        offset: Tensor | None = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self.model, self.change, self.offset = model.eval(), change, offset
        device = next(model.parameters()).device
        half = torch.float16 if device.type == "cuda" else None
        self.dtype = half if precision is None else autocast_dtype(precision, device)
        if device.type in ("cpu", "cuda"):
            # The stubs of Module.to leave memory_format out.
            model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.lock = threading.Lock() if lock is None else lock

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        """Return logits; see ``Runtime``."""
        return self.with_embeddings(waveform, lengths)[0]

    def with_embeddings(
        self, waveform: Samples, lengths: Lengths
    ) -> tuple[Logits, NDArray[np.float64]]:
        """Return logits and what goes into the classifier, ``[n, width]``."""
        with self.lock:
            logits, embeddings = forward(
                self.model,
                torch.from_numpy(waveform),
                torch.from_numpy(lengths),
                self.dtype,
                self.change,
                self.offset,
            )
        return logits.double().numpy(), embeddings.double().numpy()
