"""What a whole report has beyond clean test clips: conditions, and sounds that nobody speaks."""

from __future__ import annotations

from collections.abc import Sequence

from ser_core.corpora.clip import Clip
from trainer.evaluation import metrics
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.corruptions import CLEAN, CONDITIONS, Corruption
from trainer.evaluation.evaluate import Condition, SoundScore, shares_of
from trainer.evaluation.non_speech import sounds
from trainer.evaluation.predictions import Predictions, abstentions


def conditions(
    inference: CachedInference,
    clips: Sequence[Clip],
    corruptions: Sequence[Corruption] = CONDITIONS,
) -> tuple[Condition, ...]:
    """Predict the same clips clean and under each corruption.

    Args:
        inference: the model, and where it remembers.
        clips: labelled test clips.
        corruptions: the conditions beside clean.
    """
    return tuple(_condition(one, inference.clips(clips, one)) for one in (CLEAN, *corruptions))


def _condition(corruption: Corruption, predictions: Predictions) -> Condition:
    outcomes = predictions.outcomes
    by_corpus = metrics.uar_by_corpus(outcomes)
    return Condition(
        name=corruption.name,
        recipe=corruption.to_json(),
        clips=len(outcomes),
        corpus_uar=metrics.mean_over_corpora(by_corpus),
        by_corpus=by_corpus,
        accuracy=float((metrics.full(outcomes) == outcomes.labels).mean()),
        ece=metrics.calibration(outcomes).ece_after,
        abstained=sum(reason != "" for reason in predictions.abstained) / len(outcomes),
    )


def non_speech(inference: CachedInference, each: int, seed: int = 0) -> tuple[SoundScore, ...]:
    """Return how often the model abstains from sounds that nobody speaks, by kind, "all" last.

    Args:
        inference: the model, and where it remembers.
        each: sounds of a kind.
        seed: which ones.
    """
    made = list(sounds(each, seed))
    found = inference.sounds(made)
    why = abstentions(inference.model.calibration, found.logits, found.abstained)

    def score(kind: str, reasons: Sequence[str]) -> SoundScore:
        share = sum(reason != "" for reason in reasons) / len(reasons)
        return SoundScore(kind, len(reasons), share, shares_of(reasons))

    kinds = list(dict.fromkeys(sound.kind for sound in made))
    parts = [
        score(kind, [r for r, sound in zip(why, made, strict=True) if sound.kind == kind])
        for kind in kinds
    ]
    return (*parts, score("all", why))
