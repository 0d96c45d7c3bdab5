"""Bootstrap intervals that resample speakers, not clips.

Clips of one speaker are not independent: an interval that resamples clips is too narrow. So
whole speakers are drawn, with replacement (Field and Welsh 2007, "Bootstrapping clustered
data").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


FEWEST = 3
"""Speakers below which there is nothing to draw from; clips are drawn then, and it is said."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap interval.

    Attributes:
        low, high: its ends.
        confidence: that it was asked for, 0 to 1.
        over: what was drawn: "speakers", or "clips" where there were fewer than three speakers.
            The second knows nothing of other speakers and is too narrow.
    """

    low: float
    high: float
    confidence: float
    over: str = "speakers"


def clusters(speakers: Sequence[str]) -> IntArray:
    """Number the speakers; a clip whose speaker is not known ("") is a cluster of its own.

    >>> clusters(["a", "", "a", ""]).tolist()
    [0, 1, 0, 2]
    """
    numbers: dict[str, int] = {}
    result = np.empty(len(speakers), dtype=np.int64)
    for index, speaker in enumerate(speakers):
        result[index] = numbers.setdefault(speaker or f"\0{index}", len(numbers))
    return result


def confusions(labels: IntArray, predicted: IntArray, cluster: IntArray, size: int) -> IntArray:
    """Count a confusion matrix for each cluster.

    Args:
        labels: true class of each clip, [clip], in [0, size).
        predicted: predicted class of each clip, [clip], in [0, size).
        cluster: number of each clip's cluster, [clip].
        size: number of classes.

    Returns:
        Counts, [cluster, true class, predicted class].
    """
    count = int(cluster.max()) + 1 if cluster.size else 0
    flat = (cluster * size + labels) * size + predicted
    return np.bincount(flat, minlength=count * size * size).reshape(count, size, size)


def draw(number: int, draws: int, rng: np.random.Generator) -> IntArray:
    """Draw how often each of ``number`` clusters is in each sample: [draw, cluster]."""
    return rng.multinomial(number, np.full(number, 1.0 / number), size=draws).astype(np.int64)


def resample(matrices: IntArray, counts: IntArray) -> IntArray:
    """Sum the clusters' matrices as drawn: [cluster, ...] and [draw, cluster] -> [draw, ...]."""
    flat = matrices.reshape(len(matrices), -1)
    return (counts @ flat).reshape(len(counts), *matrices.shape[1:])


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def recalls(matrices: IntArray) -> FloatArray:
    """Recall of each class, NaN where a class has no clip: [..., class, class] -> [..., class]."""
    clips = matrices.sum(axis=-1)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    return _share(hits, clips)


def uar(matrices: IntArray) -> FloatArray:
    """Unweighted average recall over the classes that have clips: [..., class, class] -> [...].

    >>> float(uar(np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])))
    0.625
    """
    values = recalls(matrices)
    present = np.isfinite(values)
    number = present.sum(axis=-1)
    total = np.where(present, values, 0.0).sum(axis=-1)
    return _share(total, number)


def macro_f1(matrices: IntArray) -> FloatArray:
    """Mean F1 over the classes that have clips: [..., class, class] -> [...].

    >>> float(macro_f1(np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])))
    0.7083333333333333
    """
    clips, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    present = clips > 0
    values = np.where(present, 2 * hits / np.maximum(clips + predicted, 1), 0.0)
    return _share(values.sum(axis=-1), present.sum(axis=-1))


def accuracy(matrices: IntArray) -> FloatArray:
    """Share of clips that are right: [..., class, class] -> [...]; NaN where there is no clip."""
    total = matrices.sum(axis=(-2, -1))
    hits = np.diagonal(matrices, axis1=-2, axis2=-1).sum(axis=-1)
    return _share(hits, total)


def interval(values: FloatArray, confidence: float = 0.95, over: str = "speakers") -> Interval:
    """Percentile interval of bootstrap values, [draw]; draws that are NaN are left out."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(values, [tail, 1.0 - tail])
    return Interval(float(low), float(high), confidence, over)
