"""Champion against challenger on the same test clips: promote, or say why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from trainer.errors import DataError
from trainer.evaluation import bootstrap, metrics
from trainer.evaluation.metrics import Outcomes
from trainer.lifecycle.rule import Rule


@dataclass(frozen=True, slots=True)
class Gain:
    """What new labels taught: both models on new labels that the challenger's like never had.

    Attributes:
        champion_uar, challenger_uar: on the same clips, any emotion allowed.
        clips: new labels that were judged.
        speakers: whose they are.
        by: what was held out at a time.
    """

    champion_uar: float
    challenger_uar: float
    clips: int
    speakers: int
    by: str = "speakers"

    def __str__(self) -> str:
        return (
            f"UAR {self.challenger_uar:.3f} against {self.champion_uar:.3f} on {self.clips} new "
            f"labels that were held out ({self.by})"
        )


@dataclass(frozen=True)
class Decision:
    """What was decided, each reason as a sentence, and the figures behind them."""

    promote: bool
    reasons: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return ("promoted: " if self.promote else "not promoted: ") + "; ".join(self.reasons)


def decide(
    champion: Outcomes,
    challenger: Outcomes,
    *,
    rng: np.random.Generator,
    rule: Rule | None = None,
    allowed: Mapping[str, Collection[str]] | None = None,
    gain: Gain | None = None,
) -> Decision:
    """Compare two models on the same clips by a paired bootstrap that draws speakers.

    Each sample draws speakers once and scores both models on them, so that a hard speaker
    counts against both (paired bootstrap, Koehn 2004, here with clusters).

    Args:
        champion, challenger: what each said; same clips, same order, same emotions.
        rng: draws the samples.
        rule: what is asked of the challenger.
        allowed: emotions of each corpus; by default those among its labels here.
        gain: on new labels, where it was measured: without one the challenger doesn't serve, and
            with one the measured UAR of the test speakers may fall by the margin, since what is
            asked is that nothing is lost, not that something is gained twice.

    Raises:
        DataError: the two weren't run on the same clips.
    """
    rule = rule or Rule()
    _check_paired(champion, challenger)
    allowed = metrics.corpus_emotions(champion) if allowed is None else allowed
    size = len(champion.emotions)
    cluster = bootstrap.clusters(champion.speaker)
    old, new = (
        bootstrap.confusions(o.labels, metrics.restricted(o, allowed), cluster, size)
        for o in (champion, challenger)
    )
    drawn = bootstrap.draw(len(old), rule.draws, rng)
    difference = bootstrap.uar(bootstrap.resample(new, drawn)) - bootstrap.uar(
        bootstrap.resample(old, drawn)
    )
    old_uar, new_uar = (float(bootstrap.uar(m.sum(axis=0))) for m in (old, new))
    sure = float(np.mean(difference >= -rule.margin))
    falls = bootstrap.recalls(old.sum(axis=0)) - bootstrap.recalls(new.sum(axis=0))
    worst = int(np.nanargmax(falls))
    old_gap, new_gap = (_confidence_gaps(o, cluster) for o in (champion, challenger))
    rise = _calibration_error(*new_gap, drawn) - _calibration_error(*old_gap, drawn)
    whole = np.ones((1, len(old)), dtype=np.int64)
    old_ece, new_ece = (float(_calibration_error(*g, whole)[0]) for g in (old_gap, new_gap))
    worse_calibrated = float(np.mean(rise > rule.calibration))
    rise_low, rise_high = np.quantile(rise, [0.025, 0.975])
    low, high = np.quantile(difference, [0.025, 0.975])
    figures = {
        "champion_uar": old_uar,
        "challenger_uar": new_uar,
        "difference": new_uar - old_uar,
        "difference_low": float(low),
        "difference_high": float(high),
        "not_worse": sure,
        "largest_fall": float(falls[worst]),
        "champion_ece": old_ece,
        "challenger_ece": new_ece,
        "ece_rise_low": float(rise_low),
        "ece_rise_high": float(rise_high),
        "worse_calibrated": worse_calibrated,
        "clips": float(len(champion)),
        "clusters": float(len(old)),
    }
    ahead = (
        f"UAR {new_uar:.3f} against {old_uar:.3f} on {len(champion)} clips of {len(old)} "
        f"test speakers ({low:+.3f} to {high:+.3f})"
    )
    calibrated = (
        f"expected calibration error {new_ece:.3f} against {old_ece:.3f} "
        f"({rise_low:+.3f} to {rise_high:+.3f})"
    )
    refusals = []
    gained = gain is not None and gain.challenger_uar > gain.champion_uar
    if gain is not None:
        figures |= {"gain": gain.challenger_uar - gain.champion_uar, "gain_clips": gain.clips}
        if not gained:
            refusals.append(f"nothing is gained: {gain}")
    if new_uar < old_uar - (max(rule.fall, rule.margin) if gained else rule.fall):
        refusals.append(f"{ahead} is lower")
    elif not gained and sure < rule.confidence:
        refusals.append(
            f"{ahead}, but it is only {sure:.0%} sure that it isn't worse by more than "
            f"{rule.margin:g}; {rule.confidence:.0%} is asked"
        )
    if falls[worst] > rule.floor:
        refusals.append(
            f"the recall of {champion.emotions[worst]} falls by {falls[worst]:.3f}, "
            f"more than the floor of {rule.floor:g}"
        )
    if worse_calibrated >= rule.confidence:
        refusals.append(
            f"its confidence is worse calibrated: {calibrated}, {worse_calibrated:.0%} sure that "
            f"the rise is more than {rule.calibration:g}; {rule.confidence:.0%} is the limit"
        )
    if refusals:
        # Both are always said: what the test speakers lost or kept, and what the labels taught.
        if gained:
            refusals.append(f"the new labels taught something all the same: {gain}")
        elif gain is not None and not any(one.startswith(ahead) for one in refusals):
            refusals.append(f"on the test speakers {ahead}")
        return Decision(False, tuple(refusals), figures)
    return Decision(
        True,
        (
            *([f"gained: {gain}"] if gained else []),
            f"{ahead}, {sure:.0%} sure that it isn't worse by more than {rule.margin:g}",
            f"no emotion's recall falls by more than {rule.floor:g}",
            f"{calibrated}, {worse_calibrated:.0%} sure that the rise is more than "
            f"{rule.calibration:g}",
        ),
        figures,
    )


def _confidence_gaps(
    outcomes: Outcomes, cluster: bootstrap.IntArray
) -> tuple[bootstrap.FloatArray, bootstrap.FloatArray]:
    """Return confidence minus correctness by speaker and bin of confidence, and the clips there.

    Shape:
        Both ``[cluster, bin]``.
    """
    confidence = outcomes.probabilities.max(axis=1)
    right = outcomes.probabilities.argmax(axis=1) == outcomes.labels
    bins = metrics.ECE_BINS
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    flat = cluster * bins + place
    size = (int(cluster.max()) + 1) * bins
    gaps = np.bincount(flat, (confidence - right).astype(np.float64), minlength=size)
    return np.asarray(gaps, np.float64).reshape(-1, bins), np.bincount(
        flat, minlength=size
    ).reshape(-1, bins).astype(np.float64)


def _calibration_error(
    gaps: bootstrap.FloatArray, clips: bootstrap.FloatArray, drawn: bootstrap.IntArray
) -> bootstrap.FloatArray:
    """Return the expected calibration error of each sample, ``[draw]`` (Guo et al. 2017)."""
    error = np.abs(drawn @ gaps).sum(axis=1) / (drawn @ clips).sum(axis=1)
    return np.asarray(error, dtype=np.float64)


def _check_paired(champion: Outcomes, challenger: Outcomes) -> None:
    same = (
        champion.emotions == challenger.emotions
        and champion.key == challenger.key
        and np.array_equal(champion.labels, challenger.labels)
        and champion.speaker == challenger.speaker
        and champion.corpus == challenger.corpus
    )
    if not same:
        raise DataError(
            f"champion ({len(champion)} clips) and challenger ({len(challenger)} clips) were not "
            "run on the same labelled clips in the same order; evaluate both on one list"
        )
