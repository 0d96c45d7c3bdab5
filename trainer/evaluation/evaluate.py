"""One model on test clips: every figure that the report, the card and the table show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_core.checkpoints.calibration import entropy
from ser_core.inference.abstention import AMBIGUOUS
from trainer.evaluation import metrics
from trainer.evaluation.bootstrap import IntArray
from trainer.evaluation.metrics import (
    CalibrationScore,
    CoveragePoint,
    Outcomes,
    Scores,
    SpeakerScore,
)
from trainer.evaluation.predictions import Predictions
from trainer.reporting.tables import ReportTable

FEWEST_OF_A_SPEAKER = 5
"""Speakers with fewer test clips than this have no say in "worst" and "median"."""


@dataclass(frozen=True)
class Abstentions:
    """What the checkpoint's own limits of abstention do to these clips.

    Attributes:
        limit: of the entropy.
        share: clips that the model abstains from, 0 to 1; ``reasons`` says why, shares of all.
        accuracy_when_answering, accuracy_when_abstaining: of the likeliest emotion.
    """

    limit: float
    share: float
    accuracy_when_answering: float
    accuracy_when_abstaining: float
    reasons: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sets:
    """Conformal sets: how often the truth was in them, and how large they were.

    Attributes:
        target: share of sets that are to hold it, as calibrated.
        held: share of sets that hold the true emotion.
        size: emotions in a set on average; ``alone`` is the share of sets of one.
    """

    target: float
    held: float
    size: float
    alone: float


@dataclass(frozen=True)
class CorpusScores:
    """One corpus, by its own emotions (restricted) and by all of the model's (full)."""

    restricted: Scores
    full: Scores
    calibration: CalibrationScore | None = None
    abstentions: Abstentions | None = None
    sets: Sets | None = None


@dataclass(frozen=True)
class Evaluation:
    """All figures of one model on one set of clips.

    Attributes:
        overall: the headline, restricted to each clip's corpus' emotions.
        full: the same clips, any of the model's emotions allowed.
        calibration: honesty of the confidence before and after temperature scaling.
        coverage: how right it is on the share it is surest of (full predictions).
        abstentions: the same at the checkpoint's limits.
        sets: conformal sets; None where they were not asked for.
        corpus_uar: mean of the corpora's UAR (restricted), each counting the same.
        by_corpus, by_sex: the same figures for parts of the clips.
        by_speaker: every known speaker, worst first.
        worst_speaker, median_speaker_uar: among speakers with enough clips; None without any.
        left_out: reason -> how many clips could not be evaluated.
    """

    overall: Scores
    full: Scores
    calibration: CalibrationScore
    coverage: tuple[CoveragePoint, ...]
    abstentions: Abstentions
    sets: Sets | None
    corpus_uar: float
    by_corpus: dict[str, CorpusScores]
    by_sex: dict[str, Scores]
    by_speaker: tuple[SpeakerScore, ...]
    worst_speaker: SpeakerScore | None
    median_speaker_uar: float | None
    left_out: dict[str, int]


@dataclass(frozen=True)
class Condition:
    """The test clips under one condition.

    Attributes:
        name: "clean" or what was done to the clips, ``recipe`` the same as JSON.
        clips: how many.
        corpus_uar: mean of the corpora's UAR (restricted).
        by_corpus: corpus -> its UAR (restricted).
        accuracy: of all clips, any emotion allowed.
        ece: expected calibration error.
        abstained: share of clips that the model abstains from.
    """

    name: str
    recipe: str
    clips: int
    corpus_uar: float
    by_corpus: dict[str, float]
    accuracy: float
    ece: float
    abstained: float


@dataclass(frozen=True)
class SoundScore:
    """What the model makes of sounds that nobody speaks: the share that it abstains from."""

    kind: str
    sounds: int
    abstained: float
    reasons: dict[str, float]


@dataclass(frozen=True)
class VoiceScore:
    """Clips of one corpus without and with the speaker's voice known from neutral clips.

    Attributes:
        corpus: whose clips.
        unseen: whether the corpus wasn't trained on.
        clips, speakers: how many were scored.
        without, known: UAR among the corpus' emotions, the same clips each time.
    """

    corpus: str
    unseen: bool
    clips: int
    speakers: int
    without: float
    known: float


@dataclass(frozen=True)
class Report:
    """What is known of one model; JSON, CSV, page and card are made from this alone.

    Attributes:
        model, version: the checkpoint's.
        created: UTC, ISO 8601.
        evaluation: on clean test clips.
        robustness: effect -> UAR at each of the three strengths (restricted).
        cross_corpus: corpus trained on -> corpus tested on -> UAR.
        leave_one_out: corpus left out of training -> its figures.
        unseen_corpora: clips of corpora that were not trained on; None where not asked for.
        conditions: the test clips as on a telephone, in noise ...; the first is clean.
        non_speech: sounds made by a script, by kind.
        voices: what it gives to know a speaker's voice, by corpus.
        tables: studies made by other commands: backbones side by side, ablations.
        remarks: Markdown on what was tried, written by whoever made the model.
        notes: what a reader must know to judge the figures.
        provenance: settings, data hash, label revision, parent, seed, environment.
    """

    model: str
    version: str
    created: str
    evaluation: Evaluation
    robustness: dict[str, tuple[float, ...]] = field(default_factory=dict)
    cross_corpus: dict[str, dict[str, float]] = field(default_factory=dict)
    leave_one_out: dict[str, CorpusScores] = field(default_factory=dict)
    unseen_corpora: Evaluation | None = None
    conditions: tuple[Condition, ...] = ()
    non_speech: tuple[SoundScore, ...] = ()
    voices: tuple[VoiceScore, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    remarks: str = ""
    notes: tuple[str, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)


def evaluate(
    predictions: Predictions,
    *,
    seed: int = 0,
    entropy_limit: float = 1.0,
    allowed: Mapping[str, Collection[str]] | None = None,
    draws: int = 1000,
) -> Evaluation:
    """Score what a model answers.

    Args:
        predictions: of labelled clips.
        seed: of the bootstrap; each set of clips draws from its own stream.
        entropy_limit: the checkpoint's limit of the entropy, 0..1.
        allowed: emotions of each corpus for the restricted figures; by default those that occur
            among its labels here.
        draws: bootstrap samples.
    """
    outcomes = predictions.outcomes
    allowed = metrics.corpus_emotions(outcomes) if allowed is None else allowed
    own, everything = metrics.restricted(outcomes, allowed), metrics.full(outcomes)

    def scored(mask: np.ndarray | None, predicted: IntArray) -> Scores:
        part = outcomes if mask is None else outcomes.select(mask)
        chosen = predicted if mask is None else predicted[mask]
        return metrics.scores(part, chosen, rng=np.random.default_rng(seed), draws=draws)

    corpus, sex = np.array(outcomes.corpus), np.array(outcomes.sex)
    abstained = _abstained(predictions, entropy_limit)

    def of_corpus(name: str) -> CorpusScores:
        mask = corpus == name
        part = outcomes.select(mask)
        return CorpusScores(
            scored(mask, own),
            scored(mask, everything),
            metrics.calibration(part),
            _abstentions(part, everything[mask], entropy_limit, abstained[mask]),
            _sets(predictions, mask),
        )

    corpora = {name: of_corpus(name) for name in sorted(set(outcomes.corpus))}
    speakers = metrics.by_speaker(outcomes, own)
    known = [row for row in speakers if row.clips >= FEWEST_OF_A_SPEAKER]
    reasons: dict[str, int] = {}
    for item in predictions.left_out:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    return Evaluation(
        overall=scored(None, own),
        full=scored(None, everything),
        calibration=metrics.calibration(outcomes),
        coverage=metrics.coverage(outcomes, everything),
        abstentions=_abstentions(outcomes, everything, entropy_limit, abstained),
        sets=_sets(predictions, np.ones(len(outcomes), dtype=np.bool_)),
        corpus_uar=metrics.mean_over_corpora(metrics.uar_by_corpus(outcomes, own)),
        by_corpus=corpora,
        by_sex={name: scored(sex == name, own) for name in sorted(set(outcomes.sex) - {""})},
        by_speaker=speakers,
        worst_speaker=known[0] if known else None,
        median_speaker_uar=float(np.median([row.uar for row in known])) if known else None,
        left_out=reasons,
    )


def _abstained(predictions: Predictions, limit: float) -> npt.NDArray[np.str_]:
    if predictions.abstained:
        return np.array(predictions.abstained)
    return np.where(entropy(predictions.outcomes.probabilities) > limit, AMBIGUOUS, "")


def _abstentions(
    outcomes: Outcomes, predicted: IntArray, limit: float, abstained: npt.NDArray[np.str_]
) -> Abstentions:
    silent = abstained != ""
    right = predicted == outcomes.labels

    def share(mask: npt.NDArray[np.bool_]) -> float:
        return float(right[mask].mean()) if mask.any() else float("nan")

    reasons = shares_of(abstained.tolist())
    return Abstentions(limit, float(silent.mean()), share(~silent), share(silent), reasons)


def shares_of(reasons: Sequence[str]) -> dict[str, float]:
    """Return the share of each reason that is not "".

    >>> shares_of(["", "torn", "", "torn"])
    {'torn': 0.5}
    """
    names = sorted(set(reasons) - {""})
    return {name: sum(r == name for r in reasons) / len(reasons) for name in names}


def _sets(predictions: Predictions, mask: npt.NDArray[np.bool_]) -> Sets | None:
    if predictions.sets is None:
        return None
    inside, labels = predictions.sets[mask], predictions.outcomes.labels[mask]
    sizes = inside.sum(axis=1)
    held = inside[np.arange(len(labels)), labels]
    return Sets(
        predictions.coverage, float(held.mean()), float(sizes.mean()), float((sizes == 1).mean())
    )


def by_corpus(predictions: Predictions) -> dict[str, dict[str, Any]]:
    """Return the short figures of each corpus, restricted to its emotions, as plain values."""
    from trainer.reporting.records import encode

    outcomes = predictions.outcomes
    allowed = metrics.corpus_emotions(outcomes)
    figures = {}
    for corpus in allowed:
        part = outcomes.select(np.array([name == corpus for name in outcomes.corpus]))
        chosen = metrics.restricted(part, allowed)
        figures[corpus] = encode(metrics.scores(part, chosen, rng=np.random.default_rng(0))) | {
            "ece": metrics.calibration(part).ece_after
        }
    return figures


def headline(report: Report) -> dict[str, object]:
    """Return ``metrics.json``: the figures people ask for, and the whole report."""
    from trainer.reporting.records import encode

    found, unseen = report.evaluation, report.unseen_corpora
    corpora = found.by_corpus | (unseen.by_corpus if unseen else {})
    return {
        "uar": found.overall.uar,
        "uar_interval": encode(found.overall.uar_interval),
        "accuracy": found.overall.accuracy,
        "macro_f1": found.overall.macro_f1,
        "ece_before": found.calibration.ece_before,
        "ece_after": found.calibration.ece_after,
        "corpus_uar": found.corpus_uar,
        "clips": found.overall.clips,
        "speakers": found.overall.speakers,
        "majority_accuracy": found.overall.majority_accuracy,
        "majority_uar": found.overall.majority_uar,
        "by_corpus": {
            name: {
                "uar": s.restricted.uar,
                "uar_full": s.full.uar,
                "accuracy": s.restricted.accuracy,
                "macro_f1": s.restricted.macro_f1,
                "ece": s.calibration.ece_after if s.calibration else None,
                "clips": s.restricted.clips,
            }
            for name, s in corpora.items()
        },
        "report": encode(report),
    }
