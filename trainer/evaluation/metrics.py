"""Figures of merit from labels and probabilities.

Two ways to read one set of probabilities are kept apart throughout. *Restricted* is the headline:
the most probable of the emotions that the clip's own corpus has, so that a corpus without
surprise isn't charged for a model that knows surprise. *Full* is the most probable of all the
emotions that the model has, which is what somebody at the page gets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ser_core.checkpoints.calibration import entropy
from trainer.errors import DataError
from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import FloatArray, IntArray, Interval

ECE_BINS = 15
COVERAGES = tuple(round(0.05 * step, 2) for step in range(1, 21))


@dataclass(frozen=True)
class Outcomes:
    """What a model said about labelled clips.

    Attributes:
        emotions: the model's emotions, the order of the columns.
        labels: true emotion of each clip, [clip], an index into ``emotions``.
        probabilities: calibrated, [clip, emotion], rows sum to 1.
        raw: the same before temperature scaling, [clip, emotion].
        corpus, sex, speaker, key: of each clip; "" where not known.
    """

    emotions: tuple[str, ...]
    labels: IntArray
    probabilities: FloatArray
    raw: FloatArray
    corpus: tuple[str, ...]
    sex: tuple[str, ...]
    speaker: tuple[str, ...]
    key: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        size = (len(self.labels), len(self.emotions))
        if size[0] == 0:
            raise DataError("there is no clip to evaluate: this side of the split is empty")
        for name in ("probabilities", "raw"):
            value = getattr(self, name)
            if value.shape != size or not np.isfinite(value).all():
                raise DataError(
                    f"{name} has the shape {value.shape} or holds values that are not finite; "
                    f"{size} finite ones were expected"
                )
        if any(len(group) != size[0] for group in (self.corpus, self.sex, self.speaker)):
            raise DataError(f"corpus, sex and speaker must each have {size[0]} entries")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, mask: npt.NDArray[np.bool_]) -> Outcomes:
        """Return the clips where ``mask``, [clip], is true."""
        chosen = np.flatnonzero(mask)

        def pick(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[index] for index in chosen) if values else ()

        return Outcomes(
            self.emotions,
            self.labels[chosen],
            self.probabilities[chosen],
            self.raw[chosen],
            pick(self.corpus),
            pick(self.sex),
            pick(self.speaker),
            pick(self.key),
        )


@dataclass(frozen=True)
class ClassScore:
    """Figures of one emotion; ``clips`` is how many clips truly have it."""

    emotion: str
    precision: float
    recall: float
    f1: float
    clips: int


@dataclass(frozen=True)
class Scores:
    """Figures over a set of clips; averages go over the emotions that occur among the labels."""

    clips: int
    speakers: int
    uar: float
    accuracy: float
    macro_f1: float
    uar_interval: Interval | None
    accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    classes: tuple[ClassScore, ...]
    emotions: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    majority_emotion: str
    majority_accuracy: float
    majority_uar: float


@dataclass(frozen=True)
class CalibrationScore:
    """Expected calibration error before and after scaling.

    Attributes:
        ece_before, ece_after: 0 to 1; bins of few clips stray, so that no model measures 0.
        bins: after scaling: mean confidence, accuracy, clips.
        floor: what a model would measure here whose confidences, as they are, were all true.
    """

    ece_before: float
    ece_after: float
    bins: tuple[tuple[float, float, int], ...]
    floor: float


@dataclass(frozen=True)
class CoveragePoint:
    """How right the model is on the share of clips that it is surest of."""

    coverage: float
    accuracy: float
    uar: float
    entropy: float


@dataclass(frozen=True)
class SpeakerScore:
    """How well one speaker is understood."""

    speaker: str
    corpus: str
    sex: str
    clips: int
    accuracy: float
    uar: float


def restricted(outcomes: Outcomes, allowed: Mapping[str, Collection[str]]) -> IntArray:
    """Return the most probable emotion among those that each clip's own corpus has, [clip].

    Args:
        outcomes: what the model said.
        allowed: the emotions of each corpus; a corpus that is not named keeps them all.
    """
    masks = {
        corpus: np.array([e in allowed.get(corpus, outcomes.emotions) for e in outcomes.emotions])
        for corpus in set(outcomes.corpus)
    }
    mask = np.stack([masks[corpus] for corpus in outcomes.corpus])
    return np.asarray(np.where(mask, outcomes.probabilities, -1.0).argmax(axis=1), dtype=np.int64)


def full(outcomes: Outcomes) -> IntArray:
    """Return the most probable of all the model's emotions, [clip]."""
    return np.asarray(outcomes.probabilities.argmax(axis=1), dtype=np.int64)


def corpus_emotions(outcomes: Outcomes) -> dict[str, tuple[str, ...]]:
    """Return the emotions that occur among each corpus' labels."""
    seen: dict[str, set[int]] = {}
    for corpus, label in zip(outcomes.corpus, outcomes.labels.tolist(), strict=True):
        seen.setdefault(corpus, set()).add(label)
    return {c: tuple(outcomes.emotions[i] for i in sorted(seen[c])) for c in sorted(seen)}


def uar_by_corpus(outcomes: Outcomes, predicted: IntArray | None = None) -> dict[str, float]:
    """Return the UAR of each corpus.

    Args:
        outcomes: the clips with their labels.
        predicted: index of the emotion predicted for each clip, [clip]; None is the most probable
            of the emotions among the corpus' labels.
    """
    if predicted is None:
        predicted = restricted(outcomes, corpus_emotions(outcomes))
    names, place = np.unique(outcomes.corpus, return_inverse=True)
    matrices = bootstrap.confusions(
        outcomes.labels, predicted, place.astype(np.int64), len(outcomes.emotions)
    )
    return dict(zip(names.tolist(), bootstrap.uar(matrices).tolist(), strict=True))


def mean_over_corpora(values: Mapping[str, float]) -> float:
    """Return the mean of a figure over corpora, each counting the same; NaN of none.

    >>> mean_over_corpora({"large": 0.5, "small": 1.0})
    0.75
    """
    return float(np.mean(list(values.values()))) if values else float("nan")


def scores(
    outcomes: Outcomes,
    predicted: IntArray,
    *,
    rng: np.random.Generator | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
    majority: str | None = None,
) -> Scores:
    """Score predictions.

    Args:
        outcomes: the clips with their labels.
        predicted: index of the emotion predicted for each clip, [clip].
        rng: draws the bootstrap, by speaker, or by clip where there are fewer than three; None
            leaves the intervals out.
        draws: bootstrap samples.
        confidence: of the intervals, in (0, 1).
        majority: the most frequent emotion of the training clips, for the line that any model
            must beat; None takes the most frequent of these clips, the strictest such line.
    """
    from sklearn.metrics import precision_recall_fscore_support

    size = len(outcomes.emotions)
    cluster = bootstrap.clusters(outcomes.speaker)
    matrices = bootstrap.confusions(outcomes.labels, predicted, cluster, size)
    total = matrices.sum(axis=0)
    present = np.flatnonzero(total.sum(axis=1))
    precision, recall, f1, clips = precision_recall_fscore_support(
        outcomes.labels, predicted, labels=present, zero_division=0.0
    )
    spans: dict[str, Interval] = {}
    if rng is not None:
        over = "speakers"
        if len(matrices) < bootstrap.FEWEST:
            over = "clips"
            alone = np.arange(len(outcomes))
            matrices = bootstrap.confusions(outcomes.labels, predicted, alone, size)
        sampled = bootstrap.resample(matrices, bootstrap.draw(len(matrices), draws, rng))
        spans = {
            name: bootstrap.interval(measured(sampled), confidence, over)
            for name, measured in (
                ("uar", bootstrap.uar),
                ("accuracy", bootstrap.accuracy),
                ("macro_f1", bootstrap.macro_f1),
            )
        }
    shown = np.union1d(present, np.flatnonzero(total.sum(axis=0)))
    emotion = majority or outcomes.emotions[int(total.sum(axis=1).argmax())]
    share = np.mean([outcomes.emotions[label] == emotion for label in outcomes.labels])
    return Scores(
        clips=len(outcomes),
        speakers=len(set(outcomes.speaker) - {""}),
        uar=float(bootstrap.uar(total)),
        accuracy=float(bootstrap.accuracy(total)),
        macro_f1=float(np.mean(f1)),
        uar_interval=spans.get("uar"),
        accuracy_interval=spans.get("accuracy"),
        macro_f1_interval=spans.get("macro_f1"),
        classes=tuple(
            ClassScore(outcomes.emotions[i], float(p), float(r), float(f), int(n))
            for i, p, r, f, n in zip(present, precision, recall, f1, clips, strict=True)
        ),
        emotions=tuple(outcomes.emotions[i] for i in shown),
        confusion=tuple(tuple(int(v) for v in row) for row in total[np.ix_(shown, shown)]),
        majority_emotion=emotion,
        majority_accuracy=float(share),
        majority_uar=(1.0 / len(present)) if share > 0 else 0.0,
    )


def calibration_error(
    labels: IntArray, probabilities: FloatArray, bins: int = ECE_BINS
) -> tuple[float, tuple[tuple[float, float, int], ...]]:
    """Expected calibration error over equal bins of confidence (Guo et al. 2017).

    Args:
        labels: true classes, [clip].
        probabilities: [clip, class], rows sum to 1.
        bins: how many bins of equal width.

    Returns:
        The error in [0, 1], and for each bin its mean confidence, its accuracy and its clips
        (an empty bin is left out).

    >>> calibration_error(np.array([0, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))[0]
    0.0
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = []
    for index in np.unique(place):
        inside = place == index
        rows.append(
            (float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        )
    error = sum(abs(mean - share) * number for mean, share, number in rows) / len(labels)
    return float(error), tuple(rows)


def calibration(outcomes: Outcomes) -> CalibrationScore:
    """Score the confidence of full predictions before and after temperature scaling."""
    before, _ = calibration_error(outcomes.labels, outcomes.raw)
    after, bins = calibration_error(outcomes.labels, outcomes.probabilities)
    return CalibrationScore(before, after, bins, honest_error(outcomes.probabilities))


def honest_error(probabilities: FloatArray, bins: int = ECE_BINS, draws: int = 200) -> float:
    """Return the calibration error to expect of a model whose confidences are all true.

    A bin of few clips strays from its confidence by chance, and every bin's distance counts: on
    a hundred clips the error of a perfectly calibrated model is near 0.1.

    Args:
        probabilities: [clip, class], rows sum to 1.
        bins: as in `calibration_error`.
        draws: how often right and wrong are drawn.
    """
    confidence = probabilities.max(axis=1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rng = np.random.default_rng(0)
    inside = np.eye(bins)[place]  # (clip, bin)
    right = rng.random((draws, len(confidence))) < confidence
    distance = np.abs((right - confidence) @ inside)
    return float(distance.sum(axis=1).mean() / len(confidence))


def coverage(outcomes: Outcomes, predicted: IntArray) -> tuple[CoveragePoint, ...]:
    """How right the predictions are when only the surest share of clips is answered.

    Returns:
        One point for each of ``COVERAGES``: clips are taken from the lowest entropy upwards.
    """
    disorder = entropy(outcomes.probabilities)
    order = np.argsort(disorder, kind="stable")
    size = len(outcomes.emotions)
    points = []
    for share in COVERAGES:
        chosen = order[: max(1, round(share * len(order)))]
        zero = np.zeros(len(chosen), dtype=np.int64)
        matrix = bootstrap.confusions(outcomes.labels[chosen], predicted[chosen], zero, size)[0]
        points.append(
            CoveragePoint(
                share,
                float(bootstrap.accuracy(matrix)),
                float(bootstrap.uar(matrix)),
                float(disorder[chosen[-1]]),
            )
        )
    return tuple(points)


def by_speaker(outcomes: Outcomes, predicted: IntArray) -> tuple[SpeakerScore, ...]:
    """Score each known speaker by the emotions that this speaker has clips of, worst first."""
    size = len(outcomes.emotions)
    cluster = bootstrap.clusters(outcomes.speaker)
    matrices = bootstrap.confusions(outcomes.labels, predicted, cluster, size)
    _, first = np.unique(cluster, return_index=True)
    rows = [
        SpeakerScore(
            outcomes.speaker[index],
            outcomes.corpus[index],
            outcomes.sex[index],
            int(matrices[number].sum()),
            float(bootstrap.accuracy(matrices[number])),
            float(bootstrap.uar(matrices[number])),
        )
        for number, index in enumerate(first)
        if outcomes.speaker[index]
    ]
    return tuple(sorted(rows, key=lambda row: (row.uar, row.speaker)))
