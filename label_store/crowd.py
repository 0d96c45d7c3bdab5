"""What annotators and model together say of each clip: how certain, and what a label would tell.

CROWDLAB weighs each annotator by how far they agree with the others, and the model by how far it
agrees with all of them; cleanlab computes it. Sources: H. Goh et al., "CROWDLAB: Supervised
Learning to Infer Consensus Labels and Quality Scores for Data with Multiple Annotators", 2022
(arXiv 2210.06812), and H. Goh, J. Mueller, "ActiveLab: Active Learning with Re-Labeling by
Multiple Annotators", 2023 (arXiv 2301.11856).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from label_store.event_rows import JournalEntry
from label_store.fold import State, view

Array = NDArray[np.float64]
Annotations = Mapping[str, str]
"""Annotator -> emotion."""

FEWEST: Final = 10
"""Clips with several labels from which on annotators can be told apart."""


@dataclass(frozen=True, slots=True)
class CrowdRatings:
    """What is known of the clips taken together.

    Attributes:
        telling: clip -> how much one more label of it would tell, 0..1; only of clips of which
            something is known, be it by labels or by the model.
        consensus: clip -> the likeliest emotion and how certain it is, 0..1; only of labelled
            clips, and only once `FEWEST` clips have several labels, of two emotions or more:
            before, nobody knows how reliable an annotator is.
    """

    telling: Mapping[str, float] = field(default_factory=dict)
    consensus: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def certain(self, level: float | None) -> frozenset[str]:
        """Return the clips whose consensus is certain at a level, 0..1; none where it is None."""
        if level is None:
            return frozenset()
        return frozenset(clip for clip, (_, share) in self.consensus.items() if share >= level)


def whole_annotations(
    state: State, counts: Callable[[JournalEntry], bool] = lambda entry: True
) -> dict[str, dict[str, str]]:
    """Return clip -> annotator -> emotion over whole clips, as it stands.

    It reads the events themselves and leaves the state's views alone, so that it may run beside
    somebody who labels.

    Args:
        state: the store's state.
        counts: whether an annotation counts.
    """
    by_clip: defaultdict[str, list[JournalEntry]] = defaultdict(list)
    for entry in state.entries[:]:
        if entry.clip:
            by_clip[entry.clip].append(entry)
    undone = state.undone.copy()
    found = {}
    for clip, entries in by_clip.items():
        given = view(clip, entries, undone).annotations.get(("", ""), {})
        counted = {name: entry.emotion for name, entry in given.items() if counts(entry)}
        if counted:
            found[clip] = counted
    return found


def rate_clips(
    annotations: Mapping[str, Annotations], predictions: Mapping[str, Mapping[str, float]]
) -> CrowdRatings:
    """Rate clips by their labels and by what a model says that did not learn those labels.

    20,000 clips with eight annotators take about two seconds.

    Args:
        annotations: clip -> its labels; clips without any may be left out.
        predictions: clip -> emotion -> probability. Of labelled clips they have to be out of
            sample: a model that has learned a label repeats it, and says nothing about it.

    >>> labels = {"a": {"ada": "joy", "ben": "joy"}, "b": {"ada": "fear", "ben": "joy"}}
    >>> guess = {clip: {"joy": 0.6, "fear": 0.4} for clip in "abc"}
    >>> found = rate_clips(labels, guess)
    >>> found.telling["b"] > found.telling["a"], found.telling["c"] > found.telling["a"]
    (True, True)
    """
    labelled = {clip: given for clip, given in annotations.items() if given}
    emotions = sorted(
        {name for given in labelled.values() for name in given.values()}
        | {name for row in predictions.values() for name in row}
    )
    if len(emotions) < 2:
        return CrowdRatings()
    place = {name: number for number, name in enumerate(emotions)}
    telling: dict[str, float] = {}
    consensus: dict[str, tuple[str, float]] = {}
    known = [clip for clip in labelled if predictions.get(clip)]
    alone = [clip for clip in labelled if not predictions.get(clip)]
    weights = _Weights()
    if known:
        rows = _rows([predictions[clip] for clip in known], place)
        rated = _rate([labelled[clip] for clip in known], rows, place)
        weights = rated.weights
        _take(known, rated, emotions, telling, consensus)
    if alone:
        # A model that always says how frequent each emotion is knows nothing and gets no weight.
        given = [labelled[clip] for clip in alone]
        rows = np.tile(_shares(given, place), (len(alone), 1))
        _take(alone, _rate(given, rows, place), emotions, telling, consensus)
    fresh = [clip for clip, row in predictions.items() if row and clip not in labelled]
    if fresh:
        best = _rows([predictions[clip] for clip in fresh], place).max(axis=1)
        quality = _active(best, np.full(len(fresh), weights.model), weights, len(emotions))
        telling |= zip(fresh, (1 - quality).tolist(), strict=True)
    return CrowdRatings(telling, consensus)


@dataclass(frozen=True, slots=True)
class _Weights:
    """What a word of the model, and of an average annotator, weighs."""

    model: float = 1.0
    annotator: float = 1.0


@dataclass(frozen=True, slots=True)
class _Rated:
    """Ratings in the order of the clips: class and certainty of the consensus, None without one."""

    quality: Array
    classes: NDArray[np.int64] | None = None
    certainty: Array | None = None
    weights: _Weights = _Weights()


def _take(
    clips: Sequence[str],
    rated: _Rated,
    emotions: Sequence[str],
    telling: dict[str, float],
    consensus: dict[str, tuple[str, float]],
) -> None:
    telling |= zip(clips, (1 - rated.quality).tolist(), strict=True)
    if rated.classes is not None and rated.certainty is not None:
        pairs = zip(rated.classes.tolist(), rated.certainty.tolist(), strict=True)
        consensus |= {
            clip: (emotions[number], share)
            for clip, (number, share) in zip(clips, pairs, strict=True)
        }


def _rate(given: Sequence[Annotations], rows: Array, place: Mapping[str, int]) -> _Rated:
    table = _table(given, place)
    there = ~np.isnan(table)
    if not _can_tell_apart(given):
        # The model and each annotator weigh the same, and nothing is called certain.
        counted = rows + np.stack(
            [(table == number).sum(axis=1) for number in place.values()], axis=1
        )
        weight = 1.0 + there.sum(axis=1)
        return _Rated(_active(counted.max(axis=1) / weight, weight, _Weights(), len(place)))
    from cleanlab.multiannotator import get_label_quality_multiannotator

    # cleanlab's get_active_learning_scores searches a temperature besides, forty seconds for
    # 20,000 clips; the predictions here are calibrated already.
    found: Any = get_label_quality_multiannotator(
        table,
        rows,
        return_detailed_quality=False,
        return_annotator_stats=False,
        return_weights=True,
        verbose=False,
    )
    by_annotator = np.asarray(found["annotator_weight"], dtype=np.float64)
    weights = _Weights(float(found["model_weight"]), float(by_annotator.mean()))
    certainty = found["label_quality"]["consensus_quality_score"].to_numpy(dtype=np.float64)
    classes = found["label_quality"]["consensus_label"].to_numpy(dtype=np.int64)
    quality = _active(certainty, there @ by_annotator + weights.model, weights, len(place))
    return _Rated(quality, classes, certainty, weights)


def _active(share: Array, weight: Array, weights: _Weights, classes: int) -> Array:
    """Return ActiveLab's quality: the certainty, and one more annotator who might say anything.

    The more has been said of a clip, the less that one more label can change.
    """
    more = weights.annotator
    return np.asarray((share * weight + more / classes) / (weight + more))


def _can_tell_apart(given: Sequence[Annotations]) -> bool:
    """Say whether enough clips have several labels; of one emotion alone they tell nothing."""
    several = [Counter(one.values()).most_common(1)[0][0] for one in given if len(one) > 1]
    return len(several) >= FEWEST and len(set(several)) > 1


def _table(given: Sequence[Annotations], place: Mapping[str, int]) -> Array:
    """Return the class that each annotator gave each clip [clip, annotator]; NaN = none."""
    column = {
        name: number for number, name in enumerate(sorted({who for one in given for who in one}))
    }
    table = np.full((len(given), len(column)), np.nan)
    for row, one in enumerate(given):
        for name, emotion in one.items():
            table[row, column[name]] = place[emotion]
    return table


def _rows(rows: Sequence[Mapping[str, float]], place: Mapping[str, int]) -> Array:
    table = np.zeros((len(rows), len(place)))
    for number, row in enumerate(rows):
        for name, share in row.items():
            table[number, place[name]] = share
    return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-12))


def _shares(given: Sequence[Annotations], place: Mapping[str, int]) -> Array:
    counts = Counter(emotion for one in given for emotion in one.values())
    row = np.array([counts[name] + 1.0 for name in place])
    return np.asarray(row / row.sum())
