"""In which order clips are worth a label, by the strategy that was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from label_store import scores
from label_store.candidate import Candidate, QueueSettings
from label_store.fold import State

NEEDS_LABELS: Final = frozenset({"disagreement", "balance"})
"""Strategies whose order changes with every label; the others have to be told."""


def order_of(
    candidates: Sequence[Candidate],
    settings: QueueSettings,
    state: State,
    telling: Mapping[str, float],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the candidates' places, the most wanted first, and whether each could be scored.

    Args:
        candidates: the clips.
        settings: the strategy, and the weight of balance beside it.
        state: the labels.
        telling: clip -> how much a label of it would tell, 0..1; for ``telling``.
    """
    values, known = _scores(candidates, settings.strategy, state, telling)
    rank = _rank(values)
    if settings.balance and settings.strategy != "balance":
        weight = settings.balance
        rank = (1 - weight) * rank + weight * _rank(_balance(candidates, state))
    return np.argsort(-rank, kind="stable"), known


def _scores(
    candidates: Sequence[Candidate], strategy: str, state: State, telling: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return one score a candidate, and of which candidates it means something."""
    every = np.ones(len(candidates), dtype=np.bool_)
    if strategy == "disagreement":
        annotations = [list(state.clip(one.clip).whole().values()) for one in candidates]
        return scores.disagreement(annotations), every
    if strategy in {"balance", "random"}:
        return _balance(candidates, state), every
    if strategy == "telling":
        known = np.array([one.clip in telling for one in candidates], dtype=np.bool_)
        return np.array([telling.get(one.clip, 0.0) for one in candidates]), known
    usable = {"bald": _drawn, "label-error": _suspected}.get(strategy, _predicted)
    known = np.array([usable(one) for one in candidates], dtype=np.bool_)
    values = np.zeros(len(candidates))
    chosen = [one for one, scored in zip(candidates, known.tolist(), strict=True) if scored]
    if not chosen:
        return values, known
    if strategy == "bald":
        values[known] = [_information(one) for one in chosen]
    elif strategy == "label-error":
        table, emotions = _table([one.out_of_sample or {} for one in chosen])
        values[known] = scores.label_error([one.emotion for one in chosen], table, emotions)
    else:
        table, _ = _table([one.probabilities or {} for one in chosen])
        values[known] = (scores.entropy if strategy == "entropy" else scores.margin)(table)
    return values, known


def _balance(candidates: Sequence[Candidate], state: State) -> NDArray[np.float64]:
    emotions: Counter[str] = Counter()
    corpora: Counter[str] = Counter()
    for view in state.clips():
        for emotion in view.whole().values():
            emotions[emotion] += 1
            corpora[view.corpus] += 1
    classes = [_likeliest(one) for one in candidates]
    by_class = scores.balance(classes, emotions)
    return (by_class + scores.balance([one.corpus for one in candidates], corpora)) / 2


def _predicted(one: Candidate) -> bool:
    return bool(one.probabilities)


def _drawn(one: Candidate) -> bool:
    return one.information is not None or one.samples is not None


def _suspected(one: Candidate) -> bool:
    """Only a label that an out-of-sample prediction contradicts is suspected."""
    given = one.out_of_sample
    if not given or one.emotion not in given:
        return False
    return max(given, key=lambda name: given[name]) != one.emotion


def _information(one: Candidate) -> float:
    if one.information is not None:
        return one.information
    return float(scores.bald(np.asarray(one.samples)[None])[0])


def _likeliest(candidate: Candidate) -> str:
    given = candidate.probabilities
    return max(given, key=lambda name: given[name]) if given else candidate.emotion


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value's place between 0 (lowest) and 1; equal values share a place."""
    _, inverse = np.unique(values, return_inverse=True)
    top = max(int(inverse.max(initial=0)), 1)
    return np.asarray(inverse / top, dtype=np.float64)


def _table(
    rows: Iterable[Mapping[str, float]],
) -> tuple[NDArray[np.float64], list[str]]:
    given = list(rows)
    emotions = sorted({name for row in given for name in row})
    return np.array([[row.get(name, 0.0) for name in emotions] for row in given]), emotions
