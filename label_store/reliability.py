"""How far each annotator can be relied on: Dawid and Skene's model, and gold clips.

Source: A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the
EM Algorithm", Applied Statistics 28(1), 1979, pages 20-28.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from label_store.fold import WHOLE, State

Array = NDArray[np.float64]
SMOOTHING = 0.1
"""Added to each cell of a confusion matrix beforehand, so that no confusion is impossible."""


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """The fitted model.

    Attributes:
        emotions: names in the order of the arrays.
        distributions: one mapping an item: emotion -> probability; {} for one without any.
        confusions: annotator -> array [true emotion, given emotion]; rows sum to 1.
        prior: share of each emotion [emotion].
        rounds: EM rounds until the probabilities stood still.
    """

    emotions: tuple[str, ...]
    distributions: list[dict[str, float]]
    confusions: dict[str, Array]
    prior: Array
    rounds: int

    def reliability(self) -> dict[str, float]:
        """Return annotator -> the mean probability that they name the true emotion, 0..1."""
        return {
            name: float((matrix.diagonal() * self.prior).sum())
            for name, matrix in self.confusions.items()
        }


def dawid_skene(
    annotations: Sequence[Mapping[str, str]], *, rounds: int = 100, tolerance: float = 1e-6
) -> DawidSkene:
    """Fit Dawid and Skene's model by expectation maximisation.

    Args:
        annotations: one mapping an item: annotator -> emotion.
        rounds: most EM rounds, 1 or more.
        tolerance: stop when no probability moves by more.

    >>> fitted = dawid_skene([{"a": "joy", "b": "joy", "c": "fear"}] * 3 + [{"a": "fear"}] * 3)
    >>> max(fitted.distributions[0], key=fitted.distributions[0].get)
    'joy'
    """
    emotions = tuple(sorted({emotion for item in annotations for emotion in item.values()}))
    people = tuple(sorted({name for item in annotations for name in item}))
    if not emotions:
        return DawidSkene((), [{} for _ in annotations], {}, np.zeros(0), 0)
    row, who, given = _flat(annotations, people, emotions)
    classes = len(emotions)
    belief = np.zeros((len(annotations), classes))
    np.add.at(belief, (row, given), 1.0)
    belief = _normal(belief)
    done = 0
    for done in range(1, rounds + 1):  # noqa: B007 - reported
        prior = _normal(belief.sum(axis=0)[None, :] + SMOOTHING)[0]
        counts = np.full((len(people), classes, classes), SMOOTHING)
        for person in range(len(people)):
            mine = who == person
            np.add.at(counts[person].T, given[mine], belief[row[mine]])
        confusion = counts / counts.sum(axis=2, keepdims=True)
        log = np.tile(np.log(prior), (len(annotations), 1))
        np.add.at(log, row, np.log(confusion[who, :, given]))
        fresh = _normal(np.exp(log - log.max(axis=1, keepdims=True)))
        moved = float(np.abs(fresh - belief).max())
        belief = fresh
        if moved < tolerance:
            break
    return DawidSkene(
        emotions,
        [
            {name: float(share) for name, share in zip(emotions, belief[place], strict=True)}
            if item
            else {}
            for place, item in enumerate(annotations)
        ],
        {name: confusion[place] for place, name in enumerate(people)},
        prior,
        done,
    )


def _flat(
    annotations: Sequence[Mapping[str, str]], people: Sequence[str], emotions: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    person = {name: place for place, name in enumerate(people)}
    emotion_at = {name: place for place, name in enumerate(emotions)}
    flat = [
        (place, person[name], emotion_at[emotion])
        for place, item in enumerate(annotations)
        for name, emotion in item.items()
    ]
    table = np.array(flat, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _normal(values: Array) -> Array:
    totals = values.sum(axis=1, keepdims=True)
    return values / np.where(totals > 0, totals, 1.0)


@dataclass(frozen=True, slots=True)
class GoldScore:
    """How an annotator did on clips with a known answer.

    Attributes:
        annotator: who.
        right, seen: gold clips named rightly, and labelled at all.
        mistakes: (known answer, given answer) -> how often.
        blind_right, blind_seen: the same among answers given without sight of the prediction and
            the table's emotion; the others may have been read off the page.
        by_emotion: known answer -> how many of its clips were named rightly, and labelled at all.
    """

    annotator: str
    right: int
    seen: int
    mistakes: Mapping[tuple[str, str], int]
    blind_right: int = 0
    blind_seen: int = 0
    by_emotion: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Share named rightly, 0..1."""
        return self.right / self.seen if self.seen else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares the accuracy lies, 95 times in 100; see `wilson`."""
        return wilson(self.right, self.seen)


def wilson(right: int, seen: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share, honest also for few trials; (0, 1) for none.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22, 1927.

    Args:
        right, seen: successes and trials.
        confidence: how often the interval holds the true share, 0..1.

    >>> [round(share, 2) for share in wilson(8, 10)]
    [0.49, 0.94]
    """
    if not seen:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(right, seen).proportion_ci(confidence, method="wilson")
    # Rounding must not put the share itself outside.
    share = right / seen
    return min(share, float(interval.low)), max(share, float(interval.high))


def gold_scores(
    state: State,
    gold: Mapping[str, str],
    *,
    marked_by: Mapping[str, str] | None = None,
    among: Collection[str] | None = None,
) -> list[GoldScore]:
    """Return how each annotator did on gold clips, best first.

    Args:
        state: the store's state.
        gold: clip key -> its known emotion.
        marked_by: clip key -> who gave the known answer, who is not scored on it.
        among: ids of the label events that count; None = all.
    """
    pairs: dict[str, Counter[tuple[str, str]]] = {}
    for key, known in gold.items():
        for name, entry in state.clip(key).annotations.get(WHOLE, {}).items():
            asked = name != (marked_by or {}).get(key)
            if asked and (among is None or entry.event_id in among):
                pairs.setdefault(name, Counter())[known, entry.emotion] += 1
    scores = [
        GoldScore(
            name,
            sum(count for (known, given), count in found.items() if known == given),
            found.total(),
            {pair: count for pair, count in found.items() if pair[0] != pair[1]},
            by_emotion={
                emotion: (
                    found[emotion, emotion],
                    sum(count for (known, _), count in found.items() if known == emotion),
                )
                for emotion in sorted({known for known, _ in found})
            },
        )
        for name, found in pairs.items()
    ]
    return sorted(scores, key=lambda score: (-score.accuracy, -score.seen, score.annotator))


def trusted_by_gold(
    scores: Collection[GoldScore], *, accuracy: float = 0.7, seen: int = 5
) -> set[str]:
    """Return who labelled ``seen`` gold clips or more, a share of ``accuracy`` (0..1) rightly."""
    return {one.annotator for one in scores if one.seen >= seen and one.accuracy >= accuracy}
