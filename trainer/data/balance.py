"""Four ways to keep a frequent emotion or a large corpus from drowning the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.bootstrap import FloatArray, IntArray
from trainer.errors import DataError, SettingsError
from trainer.settings import OVERSAMPLERS

FeatureArray = npt.NDArray[np.floating[Any]]


def class_weights(labels: IntArray, emotions: Sequence[str], power: float = 1.0) -> FloatArray:
    """Weight of each class in the loss: rarer classes weigh more, the mean over clips is 1.

    Args:
        labels: class of each training clip, [clip], in [0, len(emotions)).
        emotions: names of the classes.
        power: 1 gives every class the same total weight, 0 gives every clip the same.

    Raises:
        DataError: a class has no training clip.

    >>> class_weights(np.array([0, 0, 0, 1]), ["joy", "fear"]).round(3).tolist()
    [0.667, 2.0]
    """
    counts = _counts(labels, emotions)
    weights = counts.astype(np.float64) ** -power
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), dtype=np.float64)


def sampling_weights(
    labels: IntArray,
    emotions: Sequence[str],
    corpora: Sequence[str] | None = None,
    *,
    power: float = 1.0,
    corpus_power: float = 0.5,
) -> FloatArray:
    """Chance of each clip to be drawn, so that emotions (and corpora) come up evenly.

    Args:
        labels: class of each training clip, [clip].
        emotions: names of the classes.
        corpora: corpus of each clip; None leaves the corpora as large as they are.
        power: evenness of the emotions, 0 (as they are) to 1 (equally often).
        corpus_power: evenness of the corpora, 0 to 1. A half lets a corpus ten times as large
            come up three times as often: full evenness would repeat a small one to death.

    Returns:
        Chances that sum to 1, [clip]. With a corpus given, the emotions are evened inside each
        corpus, since not every corpus has every emotion.
    """
    _counts(labels, emotions)
    groups = np.zeros(len(labels), dtype=np.int64)
    if corpora is not None:
        _, groups = np.unique(np.asarray(corpora), return_inverse=True)
    weights = np.zeros(len(labels))
    for group in np.unique(groups):
        inside = groups == group
        counts = np.bincount(labels[inside], minlength=len(emotions))
        chance = counts[labels[inside]].astype(np.float64) ** -power
        weights[inside] = chance / chance.sum() * inside.sum() ** (1.0 - corpus_power)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def balanced_indices(weights: FloatArray, size: int, rng: np.random.Generator) -> IntArray:
    """Draw an epoch of ``size`` clips by their chances, as evenly as chances allow.

    Systematic resampling: a clip that should come up 2.4 times comes up two or three times,
    never none, so that an epoch wastes fewer clips than drawing each one by itself.

    Args:
        weights: chance of each clip, [clip], sums to 1.
        size: clips of an epoch.
        rng: draws and shuffles.
    """
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    places = (np.arange(size) + rng.random()) / size * ends[-1]
    chosen = order[np.minimum(np.searchsorted(ends, places, side="right"), len(order) - 1)]
    return np.asarray(rng.permutation(chosen), dtype=np.int64)


def duplicate_minority(
    labels: IntArray, emotions: Sequence[str], rng: np.random.Generator
) -> IntArray:
    """Repeat clips of the rarer classes until each class has as many as the largest.

    Returns:
        Indices into the training clips, every clip at least once, shuffled.
    """
    counts = _counts(labels, emotions)
    parts = [np.arange(len(labels))]
    for index, count in enumerate(counts.tolist()):
        members = np.flatnonzero(labels == index)
        missing = int(counts.max()) - count
        whole, rest = divmod(missing, count)
        parts += [np.tile(members, whole), rng.choice(members, rest, replace=False)]
    return np.asarray(rng.permutation(np.concatenate(parts)), dtype=np.int64)


def oversample(
    features: FeatureArray,
    labels: IntArray,
    emotions: Sequence[str],
    method: str,
    rng: np.random.Generator,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[FeatureArray, IntArray]:
    """Add made-up rows of the rarer classes by SMOTE or ADASYN.

    Interpolates between neighbouring rows, which is sound for statistics and spectrograms of
    clips and not for waveforms. Give it the training rows alone: a row made from a validation row
    would leak it. ADASYN makes nothing for a class whose rows have no neighbours of other classes,
    or that is nearly as large as the largest; such a class gets its rows from SMOTE.

    Args:
        features: [row, value], finite, on comparable scales.
        labels: class of each row, [row].
        emotions: names of the classes.
        method: "smote" (Chawla et al. 2002) or "adasyn" (He et al. 2008).
        rng: seeds the method.
        log: is told which classes ADASYN left to SMOTE.

    Returns:
        Features and labels; the given rows come first and unchanged.

    Raises:
        DataError: a class has a single row.
        SettingsError: the method is not known.
    """
    from imblearn.over_sampling import ADASYN, SMOTE

    if method not in OVERSAMPLERS:
        raise SettingsError(f"“{method}” is not a way to oversample; use {' or '.join(OVERSAMPLERS)}")
    counts = _counts(labels, emotions)
    fewest = int(counts.min())
    if fewest < 2:
        raise DataError(
            f"{emotions[int(counts.argmin())]} has a single training clip; {method.upper()} "
            "needs two to interpolate between: add clips or balance in another way"
        )
    if fewest == counts.max():
        return features, labels
    seed = int(rng.integers(2**31))
    neighbours = min(5, fewest - 1)
    smote = SMOTE(random_state=seed, k_neighbors=neighbours)
    if method == "smote":
        new_features, new_labels = smote.fit_resample(features, labels)
        return new_features, np.asarray(new_labels, dtype=np.int64)
    rows, classes, left = [features], [labels], []
    most = int(counts.max())
    for index in np.flatnonzero(counts < most).tolist():
        goal = {index: most}
        try:
            adasyn = ADASYN(sampling_strategy=goal, random_state=seed, n_neighbors=neighbours)
            found, names = adasyn.fit_resample(features, labels)
        except (ValueError, RuntimeError):
            left.append(emotions[index])
            smote = SMOTE(sampling_strategy=goal, random_state=seed, k_neighbors=neighbours)
            found, names = smote.fit_resample(features, labels)
        rows.append(found[len(features) :])
        classes.append(names[len(features) :])
    if left:
        log(f"ADASYN made no rows of {', '.join(left)}; SMOTE made them instead")
    return np.concatenate(rows), np.concatenate(classes).astype(np.int64)


def _counts(labels: IntArray, emotions: Sequence[str]) -> IntArray:
    counts = np.bincount(labels, minlength=len(emotions))
    missing = [emotions[index] for index in np.flatnonzero(counts == 0).tolist()]
    if missing:
        raise DataError(
            f"no training clip for {', '.join(missing)}; add clips, or leave the emotion out of "
            "the model's emotions"
        )
    return np.asarray(counts, dtype=np.int64)
