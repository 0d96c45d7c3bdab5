"""How much a label of each clip would teach: one number a clip, the highest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from label_store.errors import StoreError

Array = NDArray[np.float64]


def _probabilities(values: ArrayLike, dimensions: int) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or array.shape[-1] < 2:
        raise StoreError(
            f"Probabilities have the shape {array.shape}; {dimensions} axes were expected."
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise StoreError("Probabilities must be finite and not below 0.")
    totals = array.sum(axis=-1, keepdims=True)
    if (totals <= 0).any():
        raise StoreError("Probabilities hold a row of zeros.")
    return np.asarray(array / totals)


def entropy(probabilities: ArrayLike) -> Array:
    """Return the entropy of each row [clip, class] over its highest, 0..1.

    >>> entropy([[0.5, 0.5], [1.0, 0.0]]).tolist()
    [1.0, 0.0]
    """
    rows = _probabilities(probabilities, 2)
    return np.asarray(_entropy(rows) / np.log(rows.shape[1]))


def _entropy(rows: Array) -> Array:
    return np.asarray(-(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=-1)) + 0.0


def margin(probabilities: ArrayLike) -> Array:
    """Return 1 minus the distance between the two likeliest classes [clip, class], 0..1.

    >>> margin([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]).tolist()
    [1.0, 0.0]
    """
    best = np.sort(_probabilities(probabilities, 2), axis=1)
    return np.asarray(1 - (best[:, -1] - best[:, -2]))


def bald(samples: ArrayLike) -> Array:
    """Return what the draws of a model differ in: entropy of their mean minus their mean entropy.

    Source: N. Houlsby et al., "Bayesian Active Learning for Classification and Preference
    Learning", 2011 (arXiv 1112.5745).

    Args:
        samples: probabilities [clip, draw, class], for instance with dropout left on.
    """
    draws = _probabilities(samples, 3)
    known = _entropy(draws.mean(axis=1)) - _entropy(draws).mean(axis=1)
    return np.asarray(np.maximum(known, 0.0))


def disagreement(annotations: Sequence[Sequence[str]]) -> Array:
    """Return 1 minus the share of the most given emotion, 0..1; 0 with fewer than two annotations.

    >>> disagreement([["joy", "joy"], ["joy", "fear"], []]).tolist()
    [0.0, 0.5, 0.0]
    """
    return np.array(
        [1 - max(Counter(given).values()) / len(given) if given else 0.0 for given in annotations]
    )


def label_error(labels: Sequence[str], probabilities: ArrayLike, emotions: Sequence[str]) -> Array:
    """Return how suspicious each given label is, 0..1 (cleanlab's 1 - self-confidence).

    Source: C. Northcutt et al., "Confident Learning", 2021 (arXiv 1911.00068).

    Args:
        labels: the given emotion of each clip, each one of ``emotions``.
        probabilities: out-of-sample [clip, class] - from folds that did not train on the clip's
            speaker; probabilities of a model that saw the clip say nothing.
        emotions: the classes in order.
    """
    from cleanlab.rank import get_label_quality_scores

    rows = _probabilities(probabilities, 2)
    scores: Any = get_label_quality_scores(_places(labels, emotions, rows), rows)
    return np.asarray(1 - np.asarray(scores), dtype=np.float64)


def label_issues(
    labels: Sequence[str], probabilities: ArrayLike, emotions: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which labels cleanlab takes for errors [clip]; arguments as for `label_error`."""
    from cleanlab.filter import find_label_issues

    rows = _probabilities(probabilities, 2)
    found: Any = find_label_issues(_places(labels, emotions, rows), rows, n_jobs=1)
    return np.asarray(found, dtype=np.bool_)


def _places(labels: Sequence[str], emotions: Sequence[str], rows: Array) -> NDArray[np.int64]:
    if rows.shape != (len(labels), len(emotions)):
        raise StoreError(
            f"Probabilities have the shape {rows.shape}; "
            f"({len(labels)}, {len(emotions)}) was expected."
        )
    place = {emotion: index for index, emotion in enumerate(emotions)}
    unknown = sorted({label for label in labels if label not in place})
    if unknown:
        raise StoreError(f"“{unknown[0]}” is not a class of these probabilities.")
    return np.array([place[label] for label in labels], dtype=np.int64)


def balance(groups: Sequence[str], done: Counter[str]) -> Array:
    """Return how rare each clip's group is among what is labelled, 0..1 (1 = none yet).

    Args:
        groups: each clip's group, for instance its predicted emotion or its corpus.
        done: group -> clips labelled so far.
    """
    most = max(done.values(), default=0)
    return np.array([1 - done[group] / most if most else 1.0 for group in groups])
