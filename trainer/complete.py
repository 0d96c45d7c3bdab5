"""What a whole report has beyond clean test clips: conditions, and sounds that nobody speaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser_core.corpora.clip import Clip
from trainer import metrics
from trainer.conditions import CLEAN, CONDITIONS, Hearing
from trainer.evaluation import Condition, SoundScore, shares_of
from trainer.non_speech import sounds
from trainer.observe import Observed, doubts
from trainer.parts import Listening


def conditions(
    listening: Listening, clips: Sequence[Clip], hearings: Sequence[Hearing] = CONDITIONS
) -> tuple[Condition, ...]:
    """Hear the same clips clean and under each condition.

    Args:
        listening: the model, and where it remembers.
        clips: labelled test clips.
        hearings: the conditions beside clean.
    """
    return tuple(
        _condition(hearing, listening.clips(clips, hearing)) for hearing in (CLEAN, *hearings)
    )


def _condition(hearing: Hearing, observed: Observed) -> Condition:
    outcomes = observed.outcomes
    allowed = metrics.corpus_emotions(outcomes)
    said, any_emotion = metrics.restricted(outcomes, allowed), metrics.full(outcomes)
    corpus = np.array(outcomes.corpus)
    by_corpus = {}
    for name in allowed:
        mask = corpus == name
        by_corpus[name] = metrics.scores(outcomes.select(mask), said[mask]).uar
    return Condition(
        name=hearing.name,
        recipe=hearing.to_json(),
        clips=len(outcomes),
        corpus_uar=float(np.mean(list(by_corpus.values()))),
        by_corpus=by_corpus,
        accuracy=float((any_emotion == outcomes.labels).mean()),
        ece=metrics.calibration(outcomes).ece_after,
        unsure=sum(doubt != "" for doubt in observed.doubts) / len(outcomes),
    )


def non_speech(listening: Listening, each: int, seed: int = 0) -> tuple[SoundScore, ...]:
    """Return how often the model is unsure of sounds that nobody speaks, by kind, "all" last.

    Args:
        listening: the model, and where it remembers.
        each: sounds of a kind.
        seed: which ones.
    """
    made = list(sounds(each, seed))
    heard = listening.sounds(made)
    said = doubts(listening.model.calibration, heard.logits, heard.refusals)

    def score(kind: str, reasons: Sequence[str]) -> SoundScore:
        unsure = sum(reason != "" for reason in reasons) / len(reasons)
        return SoundScore(kind, len(reasons), unsure, shares_of(reasons))

    kinds = list(dict.fromkeys(sound.kind for sound in made))
    parts = [
        score(kind, [r for r, sound in zip(said, made, strict=True) if sound.kind == kind])
        for kind in kinds
    ]
    return (*parts, score("all", said))
