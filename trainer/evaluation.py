"""One model on test clips: every figure that the report, the card and the table show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS, Chain
from ser_core.corpora.clip import Clip
from ser_core.splits import Splits, split
from trainer import metrics
from trainer.bootstrap import IntArray
from trainer.errors import DataError
from trainer.metrics import CalibrationScore, CoveragePoint, Outcomes, Scores, SpeakerScore
from trainer.observe import (
    Listener,
    Loader,
    Observed,
    Samples,
    clip_rng,
    load_clip,
    observe,
)

FEWEST_OF_A_SPEAKER = 5
"""Speakers with fewer test clips than this have no say in "worst" and "median"."""

Fit = Callable[[Splits, str], Listener]
"""Trains on the train side of splits, under a name, and returns the model."""


@dataclass(frozen=True)
class CorpusScores:
    """One corpus, by its own emotions (restricted) and by all of the model's (full)."""

    restricted: Scores
    full: Scores


@dataclass(frozen=True)
class Unsure:
    """What the checkpoint's own limit of doubt does to these clips."""

    limit: float
    share: float
    accuracy_when_sure: float
    accuracy_when_unsure: float


@dataclass(frozen=True)
class Evaluation:
    """All figures of one model on one set of clips.

    Attributes:
        overall: the headline, restricted to each clip's corpus' emotions.
        full: the same clips, any of the model's emotions allowed.
        calibration: honesty of the confidence before and after temperature scaling.
        coverage: how right it is on the share it is surest of (full predictions).
        unsure: the same at the checkpoint's limit.
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
    by_corpus: dict[str, CorpusScores]
    by_sex: dict[str, Scores]
    by_speaker: tuple[SpeakerScore, ...]
    worst_speaker: SpeakerScore | None
    median_speaker_uar: float | None
    left_out: dict[str, int]


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
        unsure=_unsure(outcomes, everything, entropy_limit),
        by_corpus={
            name: CorpusScores(scored(corpus == name, own), scored(corpus == name, everything))
            for name in sorted(set(outcomes.corpus))
        },
        by_sex={name: scored(sex == name, own) for name in sorted(set(outcomes.sex) - {""})},
        by_speaker=speakers,
        worst_speaker=heard[0] if heard else None,
        median_speaker_uar=float(np.median([row.uar for row in heard])) if heard else None,
        left_out=reasons,
    )


def _unsure(outcomes: Outcomes, predicted: IntArray, limit: float) -> Unsure:
    doubt = metrics.entropy(outcomes.probabilities) > limit
    right = predicted == outcomes.labels

    def share(mask: np.ndarray) -> float:
        return float(right[mask].mean()) if mask.any() else float("nan")

    return Unsure(limit, float(doubt.mean()), share(~doubt), share(doubt))


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


def robustness(
    model: Listener,
    clips: Sequence[Clip],
    *,
    effects: Sequence[str] = ROBUSTNESS,
    load: Loader = load_clip,
    rate: int = 16_000,
    progress: Callable[[int], None] | None = None,
) -> dict[str, tuple[float, ...]]:
    """UAR under each effect at its three strengths, mild first.

    What is drawn for a clip depends on the clip, the effect and the strength alone, so that two
    models are heard under the same conditions.
    """
    result: dict[str, tuple[float, ...]] = {}
    for effect in effects:
        if effect not in EFFECTS:
            raise DataError(f"“{effect}” is no effect; known are {', '.join(EFFECTS)}")
        row = []
        for strength in STRENGTHS:
            chain = Chain.from_json([EFFECTS[effect].step(strength)])
            words = (effect, strength)

            def change(
                clip: Clip,
                samples: Samples,
                chain: Chain = chain,
                words: tuple[str, str] = words,
            ) -> Samples:
                return chain.draw(clip_rng(clip, *words), samples, rate).apply(samples, rate)

            outcomes = observe(model, clips, load=load, change=change, progress=progress).outcomes
            own = metrics.restricted(outcomes, metrics.corpus_emotions(outcomes))
            row.append(metrics.scores(outcomes, own).uar)
        result[effect] = tuple(row)
    return result


def cross_corpus(
    clips: Sequence[Clip], fit: Fit, *, load: Loader = load_clip
) -> dict[str, dict[str, float]]:
    """Train on each corpus alone and test on the test speakers of each: UAR, rows trained on.

    A corpus that shares people with the one trained on (RAVDESS speech and song) shares its test
    speakers too, so none of them was heard. Scored over the emotions that both corpora have.
    """
    names = sorted({clip.corpus for clip in clips})
    tests = {n: split([c for c in clips if c.corpus == n]).test for n in names}
    table: dict[str, dict[str, float]] = {}
    for trained in names:
        model = fit(split([c for c in clips if c.corpus == trained]), f"on-{trained}")
        table[trained] = {}
        for tested in names:
            known = [c for c in tests[tested] if c.emotion in model.emotions]
            if not known:
                table[trained][tested] = float("nan")
                continue
            outcomes = observe(model, known, load=load).outcomes
            own = metrics.restricted(outcomes, metrics.corpus_emotions(outcomes))
            table[trained][tested] = metrics.scores(outcomes, own).uar
    return table


def leave_one_corpus_out(
    clips: Sequence[Clip], fit: Fit, *, load: Loader = load_clip, seed: int = 0
) -> dict[str, CorpusScores]:
    """Train on all corpora but one (and those that share its people), test on that one."""
    table: dict[str, CorpusScores] = {}
    for name in sorted({clip.corpus for clip in clips}):
        sides = split(clips, "leave-one-corpus-out", held_out=name)
        model = fit(sides, f"without-{name}")
        test = [c for c in sides.test if c.corpus == name]
        found = evaluate(observe(model, test, load=load), seed=seed)
        table[name] = CorpusScores(found.overall, found.full)
    return table


def headline(report: Report) -> dict[str, object]:
    """Return ``metrics.json``: the figures people ask for, and the whole report."""
    from trainer.records import encode

    found = report.evaluation
    return {
        "uar": found.overall.uar,
        "uar_interval": encode(found.overall.uar_interval),
        "accuracy": found.overall.accuracy,
        "macro_f1": found.overall.macro_f1,
        "ece_before": found.calibration.ece_before,
        "ece_after": found.calibration.ece_after,
        "clips": found.overall.clips,
        "speakers": found.overall.speakers,
        "majority_accuracy": found.overall.majority_accuracy,
        "majority_uar": found.overall.majority_uar,
        "by_corpus": {
            name: {
                "uar": s.restricted.uar,
                "uar_full": s.full.uar,
                "accuracy": s.restricted.accuracy,
                "clips": s.restricted.clips,
            }
            for name, s in found.by_corpus.items()
        },
        "report": encode(report),
    }
