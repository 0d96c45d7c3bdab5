"""Studies that go beyond one pass over clean clips: effects, corpora apart, corpora unheard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS
from ser_core.corpora.clip import Clip
from ser_core.splits import Splits, split
from trainer import metrics
from trainer.conditions import Hearing
from trainer.errors import DataError
from trainer.evaluation import CorpusScores, evaluate
from trainer.observe import Listener, Loader, load_clip, observe
from trainer.parts import Listening

Fit = Callable[[Splits, str], Listener]
"""Trains on the train side of splits, under a name, and returns the model."""


def robustness(
    listening: Listening, clips: Sequence[Clip], effects: Sequence[str] = ROBUSTNESS
) -> dict[str, tuple[float, ...]]:
    """UAR under each effect at its three strengths, mild first.

    What is drawn for a clip depends on the clip, the effect and the strength alone, so that two
    models are heard under the same conditions.

    Args:
        listening: the model, and where it remembers.
        clips: labelled clips.
        effects: names of effects.

    Raises:
        DataError: there is no such effect.
    """
    result: dict[str, tuple[float, ...]] = {}
    for effect in effects:
        if effect not in EFFECTS:
            raise DataError(f"“{effect}” is no effect; known are {', '.join(EFFECTS)}")
        row = []
        for strength in STRENGTHS:
            hearing = Hearing(f"{effect} {strength}", (EFFECTS[effect].step(strength),))
            outcomes = listening.clips(clips, hearing).outcomes
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
