"""What a model in training makes of the middle window of each clip, which is quick.

Epochs are compared by it and weights interpolated; no figure that is published comes from here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core.checkpoints.calibration import softmax
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import FeatureMap
from trainer.data.batches import Example, middle
from trainer.data.decoded import DecodedClips
from trainer.evaluation.metrics import Outcomes, mean_over_corpora, uar_by_corpus

FloatArray = NDArray[np.float64]


def middle_window_logits(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
    dtype: torch.dtype | None = None,
    batch_size: int = 32,
) -> FloatArray:
    """Return logits ``[clip, emotion]`` of the middle window of each clip, in evaluation mode."""
    device = next(model.parameters()).device
    model.eval()
    rows = []
    for first in range(0, len(items), batch_size):
        waveform, lengths = middle(items[first : first + batch_size], decoded, specification)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype, enabled=dtype is not None),
        ):
            logits = model(waveform.to(device), lengths.to(device))
        rows.append(logits.double().cpu().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, len(specification.emotions)))


def row_logits(model: Model, values: Tensor, dtype: torch.dtype | None = None) -> FloatArray:
    """Return logits ``[clip, emotion]`` of statistics, ``[clip, channel, bin, 1]``."""
    device = next(model.parameters()).device
    model.eval()
    lengths = torch.ones(len(values), dtype=torch.int64)
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not None):
        logits = model.backbone(FeatureMap(values.to(device), lengths.to(device)))
    return np.asarray(logits.double().cpu().numpy(), dtype=np.float64)


def middle_window_uar(
    logits: FloatArray, items: Sequence[Example], emotions: Sequence[str]
) -> float:
    """Return the mean over corpora of the UAR, over the emotions that each corpus has.

    Args:
        logits: ``[clip, emotion]``.
        items: the clips; what counts as right is their likeliest emotion.
        emotions: the model's.
    """
    labels = np.array([item.label for item in items], dtype=np.int64)
    corpora = tuple(item.clip.corpus for item in items)
    chance = softmax(logits)
    unknown = ("",) * len(items)
    outcomes = Outcomes(tuple(emotions), labels, chance, chance, corpora, unknown, unknown)
    return mean_over_corpora(uar_by_corpus(outcomes))
