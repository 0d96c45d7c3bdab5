"""Studies that go beyond one pass over clean clips: effects, corpora apart, corpora left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS
from ser_core.corpora.clip import Clip
from ser_core.corpora.splits import Splits, split
from trainer.errors import DataError
from trainer.evaluation import metrics
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.corruptions import Corruption
from trainer.evaluation.evaluate import CorpusScores, evaluate
from trainer.evaluation.metrics import Outcomes

Fit = Callable[[Splits, str], CachedInference]
"""Trains on the train side of splits, under a name, and returns the model."""


def robustness(
    inference: CachedInference, clips: Sequence[Clip], effects: Sequence[str] = ROBUSTNESS
) -> dict[str, tuple[float, ...]]:
    """UAR under each effect at its three strengths, mild first.

    What is drawn for a clip depends on the clip, the effect and the strength alone, so that two
    models are tested under the same conditions.

    Args:
        inference: the model, and where it remembers.
        clips: labelled clips.
        effects: names of effects.

    Raises:
        DataError: there is no such effect.
    """
    result: dict[str, tuple[float, ...]] = {}
    for effect in effects:
        if effect not in EFFECTS:
            raise DataError(f"“{effect}” is not an effect; known are {', '.join(EFFECTS)}")
        row = []
        for strength in STRENGTHS:
            corruption = Corruption(f"{effect} {strength}", (EFFECTS[effect].step(strength),))
            row.append(_uar(inference.clips(clips, corruption).outcomes))
        result[effect] = tuple(row)
    return result


def _uar(outcomes: Outcomes) -> float:
    own = metrics.restricted(outcomes, metrics.corpus_emotions(outcomes))
    return metrics.scores(outcomes, own).uar


def cross_corpus(clips: Sequence[Clip], fit: Fit) -> dict[str, dict[str, float]]:
    """Train on each corpus alone and test on the test speakers of each: UAR, rows trained on.

    A corpus that shares people with the one trained on (RAVDESS speech and song) shares its test
    speakers too, so none of them was trained on. Scored over the emotions that both corpora have.
    """
    names = sorted({clip.corpus for clip in clips})
    tests = {n: split([c for c in clips if c.corpus == n]).test for n in names}
    table: dict[str, dict[str, float]] = {}
    for trained in names:
        inference = fit(split([c for c in clips if c.corpus == trained]), f"on-{trained}")
        table[trained] = {}
        for tested in names:
            known = [c for c in tests[tested] if c.emotion in inference.model.emotions]
            if not known:
                table[trained][tested] = float("nan")
                continue
            table[trained][tested] = _uar(inference.clips(known).outcomes)
    return table


def leave_one_corpus_out(
    clips: Sequence[Clip], fit: Fit, *, seed: int = 0
) -> dict[str, CorpusScores]:
    """Train on all corpora but one (and those that share its people), test on that one."""
    table: dict[str, CorpusScores] = {}
    for name in sorted({clip.corpus for clip in clips}):
        sides = split(clips, "leave-one-corpus-out", held_out=name)
        inference = fit(sides, f"without-{name}")
        test = [c for c in sides.test if c.corpus == name]
        found = evaluate(inference.clips(test), seed=seed)
        table[name] = CorpusScores(found.overall, found.full)
    return table
