"""One model on test clips: every figure that the report, the card and the table show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ser_core.corpora.clip import Clip
from trainer import metrics
from trainer.bootstrap import IntArray
from trainer.metrics import CalibrationScore, CoveragePoint, Outcomes, Scores, SpeakerScore
from trainer.observe import TORN, Listener, Loader, Observed, load_clip, observe
from trainer.tables import Table

FEWEST_OF_A_SPEAKER = 5
"""Speakers with fewer test clips than this have no say in "worst" and "median"."""


@dataclass(frozen=True)
class Unsure:
    """What the checkpoint's own limits of doubt do to these clips.

    Attributes:
        limit: of the entropy.
        share: clips that get "unsure", 0 to 1; ``reasons`` says for what, shares of all clips.
        accuracy_when_sure, accuracy_when_unsure: of the likeliest emotion.
    """

    limit: float
    share: float
    accuracy_when_sure: float
    accuracy_when_unsure: float
    reasons: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sets:
    """Conformal sets: how often the truth was in them, and how large they were.

    Attributes:
        wanted: what they were calibrated for.
        held: share of sets that hold the true emotion.
        size: emotions in a set on average; ``alone`` is the share of sets of one.
    """

    wanted: float
    held: float
    size: float
    alone: float


@dataclass(frozen=True)
class CorpusScores:
    """One corpus, by its own emotions (restricted) and by all of the model's (full)."""

    restricted: Scores
    full: Scores
    calibration: CalibrationScore | None = None
    unsure: Unsure | None = None
    sets: Sets | None = None


@dataclass(frozen=True)
class Evaluation:
    """All figures of one model on one set of clips.

    Attributes:
        overall: the headline, restricted to each clip's corpus' emotions.
        full: the same clips, any of the model's emotions allowed.
        calibration: honesty of the confidence before and after temperature scaling.
        coverage: how right it is on the share it is surest of (full predictions).
        unsure: the same at the checkpoint's limit.
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
    unsure: Unsure
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
    """The test clips heard under one condition.

    Attributes:
        name: "clean" or what was done to the clips, ``recipe`` the same as JSON.
        clips: how many.
        corpus_uar: mean of the corpora's UAR (restricted).
        by_corpus: corpus -> its UAR (restricted).
        accuracy: of all clips, any emotion allowed.
        ece: expected calibration error.
        unsure: share of clips that get "unsure".
    """

    name: str
    recipe: str
    clips: int
    corpus_uar: float
    by_corpus: dict[str, float]
    accuracy: float
    ece: float
    unsure: float


@dataclass(frozen=True)
class SoundScore:
    """What the model makes of sounds that nobody speaks: the share that gets "unsure"."""

    kind: str
    sounds: int
    unsure: float
    reasons: dict[str, float]


@dataclass(frozen=True)
class Report:
    """What is known of one model; JSON, CSV, page and card are made from this alone.

    Attributes:
        model, version: the checkpoint's.
        created: UTC, ISO 8601.
        evaluation: on clean test clips.
        robustness: effect -> UAR at each of the three strengths (restricted).
        cross_corpus: corpus trained on -> corpus tested on -> UAR.
        leave_one_out: corpus never heard -> its figures.
        never_heard: clips of corpora of which no clip was trained on; None where not asked for.
        conditions: the test clips as on a telephone, in noise ...; the first is clean.
        non_speech: sounds made by a script, by kind.
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
    never_heard: Evaluation | None = None
    conditions: tuple[Condition, ...] = ()
    non_speech: tuple[SoundScore, ...] = ()
    tables: tuple[Table, ...] = ()
    remarks: str = ""
    notes: tuple[str, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)


def evaluate(
    observed: Observed,
    *,
    seed: int = 0,
    entropy_limit: float = 1.0,
    allowed: Mapping[str, Collection[str]] | None = None,
    draws: int = 1000,
) -> Evaluation:
    """Score what a model said.

    Args:
        observed: from `trainer.observe.observe`.
        seed: of the bootstrap; each set of clips draws from its own stream.
        entropy_limit: the checkpoint's limit of doubt, 0..1.
        allowed: emotions of each corpus for the restricted figures; by default those that occur
            among its labels here.
        draws: bootstrap samples.
    """
    outcomes = observed.outcomes
    allowed = metrics.corpus_emotions(outcomes) if allowed is None else allowed
    own, everything = metrics.restricted(outcomes, allowed), metrics.full(outcomes)

    def scored(mask: np.ndarray | None, predicted: IntArray) -> Scores:
        part = outcomes if mask is None else outcomes.select(mask)
        said = predicted if mask is None else predicted[mask]
        return metrics.scores(part, said, rng=np.random.default_rng(seed), draws=draws)

    corpus, sex = np.array(outcomes.corpus), np.array(outcomes.sex)
    doubted = _doubted(observed, entropy_limit)

    def of_corpus(name: str) -> CorpusScores:
        mask = corpus == name
        part = outcomes.select(mask)
        return CorpusScores(
            scored(mask, own),
            scored(mask, everything),
            metrics.calibration(part),
            _unsure(part, everything[mask], entropy_limit, doubted[mask]),
            _sets(observed, mask),
        )

    by_corpus = {name: of_corpus(name) for name in sorted(set(outcomes.corpus))}
    speakers = metrics.by_speaker(outcomes, own)
    heard = [row for row in speakers if row.clips >= FEWEST_OF_A_SPEAKER]
    reasons: dict[str, int] = {}
    for item in observed.left_out:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    return Evaluation(
        overall=scored(None, own),
        full=scored(None, everything),
        calibration=metrics.calibration(outcomes),
        coverage=metrics.coverage(outcomes, everything),
        unsure=_unsure(outcomes, everything, entropy_limit, doubted),
        sets=_sets(observed, np.ones(len(outcomes), dtype=np.bool_)),
        corpus_uar=float(np.mean([pair.restricted.uar for pair in by_corpus.values()])),
        by_corpus=by_corpus,
        by_sex={name: scored(sex == name, own) for name in sorted(set(outcomes.sex) - {""})},
        by_speaker=speakers,
        worst_speaker=heard[0] if heard else None,
        median_speaker_uar=float(np.median([row.uar for row in heard])) if heard else None,
        left_out=reasons,
    )


def _doubted(observed: Observed, limit: float) -> npt.NDArray[np.str_]:
    if observed.doubts:
        return np.array(observed.doubts)
    high = metrics.entropy(observed.outcomes.probabilities) > limit
    return np.where(high, TORN, "")


def _unsure(
    outcomes: Outcomes, predicted: IntArray, limit: float, doubted: npt.NDArray[np.str_]
) -> Unsure:
    doubt = doubted != ""
    right = predicted == outcomes.labels

    def share(mask: npt.NDArray[np.bool_]) -> float:
        return float(right[mask].mean()) if mask.any() else float("nan")

    return Unsure(
        limit, float(doubt.mean()), share(~doubt), share(doubt), shares_of(doubted.tolist())
    )


def shares_of(reasons: Sequence[str]) -> dict[str, float]:
    """Return the share of each reason that is not "".

    >>> shares_of(["", "torn", "", "torn"])
    {'torn': 0.5}
    """
    names = sorted(set(reasons) - {""})
    return {name: sum(r == name for r in reasons) / len(reasons) for name in names}


def _sets(observed: Observed, mask: npt.NDArray[np.bool_]) -> Sets | None:
    if observed.sets is None:
        return None
    inside, labels = observed.sets[mask], observed.outcomes.labels[mask]
    sizes = inside.sum(axis=1)
    held = inside[np.arange(len(labels)), labels]
    return Sets(
        observed.coverage, float(held.mean()), float(sizes.mean()), float((sizes == 1).mean())
    )


def evaluate_model(
    model: Listener,
    clips: Sequence[Clip],
    *,
    load: Loader = load_clip,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run a model over clips and score it."""
    observed = observe(model, clips, load=load, progress=progress)
    return evaluate(observed, seed=seed, entropy_limit=model.calibration.entropy_limit)


def headline(report: Report) -> dict[str, object]:
    """Return ``metrics.json``: the figures people ask for, and the whole report."""
    from trainer.records import encode

    found, unheard = report.evaluation, report.never_heard
    corpora = found.by_corpus | (unheard.by_corpus if unheard else {})
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
