"""What a model in memory says of labelled clips, and how right it is on the test speakers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core import calibration
from ser_core.frontends import FeatureMap
from ser_core.model import Model
from ser_core.specification import Specification
from trainer import metrics
from trainer.data import Example, middle
from trainer.decoded import DecodedClips
from trainer.learner import autocast_dtype
from trainer.metrics import Outcomes
from trainer.prepare import Prepared
from trainer.records import encode

FloatArray = NDArray[np.float64]


def clip_logits(
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


def mean_uar(logits: np.ndarray[Any, Any], items: Sequence[Example]) -> float:
    """Return the mean over corpora of the UAR, over the emotions that each corpus has."""
    labels = np.array([item.label for item in items])
    corpora = np.array([item.clip.corpus for item in items])
    scores = []
    for corpus in sorted(set(corpora.tolist())):
        inside = corpora == corpus
        own = sorted(set(labels[inside].tolist()))
        chosen = np.array(own)[logits[inside][:, own].argmax(axis=1)]
        truth = labels[inside]
        scores.append(np.mean([(chosen[truth == e] == e).mean() for e in own]))
    return float(np.mean(scores))


def calibrate(
    model: Model, specification: Specification, prepared: Prepared
) -> calibration.Calibration:
    """Fit the calibration on the validation speakers; each corpus counts the same."""
    items = prepared.sides["validation"]
    logits = clip_logits(model, specification, items, prepared.decoded)
    labels = np.array([item.label for item in items], dtype=np.int64)
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.clip.corpus] = sizes.get(item.clip.corpus, 0) + 1
    weights = np.array([1 / sizes[item.clip.corpus] for item in items])
    corpora = [item.clip.corpus for item in items]
    return calibration.fit(logits, labels, weights=weights, groups=corpora)


def outcomes(
    model: Model,
    specification: Specification,
    fitted: calibration.Calibration,
    items: Sequence[Example],
    decoded: DecodedClips,
) -> Outcomes:
    """Return what the model says of labelled clips."""
    device = next(model.parameters()).device
    logits = clip_logits(model, specification, items, decoded, autocast_dtype("auto", device))
    return Outcomes(
        specification.emotions,
        np.array([item.label for item in items], dtype=np.int64),
        fitted.probabilities(logits),
        calibration.softmax(logits),
        tuple(item.clip.corpus for item in items),
        tuple(item.clip.sex for item in items),
        tuple(item.clip.person for item in items),
        tuple(item.clip.key for item in items),
    )


def measure(
    model: Model,
    specification: Specification,
    fitted: calibration.Calibration,
    prepared: Prepared,
) -> dict[str, Any]:
    """Return the figures on the test speakers, by corpus."""
    items = prepared.sides["test"]
    if not items:
        return {"test": {}}
    found = outcomes(model, specification, fitted, items, prepared.decoded)
    allowed = metrics.corpus_emotions(found)
    figures = {}
    for corpus in sorted(set(found.corpus)):
        part = found.select(np.array([c == corpus for c in found.corpus]))
        chosen = metrics.restricted(part, allowed)
        figures[corpus] = encode(metrics.scores(part, chosen, rng=np.random.default_rng(0))) | {
            "ece": metrics.calibration(part).ece_after
        }
    return {"test": figures}
