"""Champion against challenger on the same test clips: promote, or say why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from trainer import bootstrap, metrics
from trainer.errors import DataError, SettingsError
from trainer.metrics import Outcomes


@dataclass(frozen=True, slots=True)
class Rule:
    """When a challenger may serve.

    Attributes:
        confidence: how sure the bootstrap must be that UAR is not worse, in (0.5, 1).
        margin: fall in UAR that still counts as not worse, in [0, 1].
        fall: most that the measured UAR itself may fall, in [0, 1]; at 0, many small steps down
            can't add up.
        floor: most that the recall of any emotion may fall, in [0, 1].
        calibration: most that the expected calibration error may rise, in [0, 1].
        draws: bootstrap samples.
    """

    confidence: float = 0.9
    margin: float = 0.01
    floor: float = 0.1
    calibration: float = 0.02
    draws: int = 2000
    fall: float = 0.0

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1.0:
            raise SettingsError(f"the confidence of a promotion is {self.confidence}; use 0.5 to 1")
        for name in ("margin", "fall", "floor", "calibration"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"{name} is {getattr(self, name)}; use a share from 0 to 1")
        if self.draws < 100:
            raise SettingsError(f"{self.draws} bootstrap draws are too few; use 100 or more")


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
) -> Decision:
    """Compare two models on the same clips by a paired bootstrap that draws speakers.

    Each sample draws speakers once and scores both models on them, so that a hard speaker
    counts against both (paired bootstrap, Koehn 2004, here with clusters).

    Args:
        champion, challenger: what each said; same clips, same order, same emotions.
        rng: draws the samples.
        rule: what is asked of the challenger.
        allowed: emotions of each corpus; by default those among its labels here.

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
    old_ece, new_ece = (metrics.calibration(o).ece_after for o in (champion, challenger))
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
        "clips": float(len(champion)),
        "clusters": float(len(old)),
    }
    ahead = (
        f"UAR {new_uar:.3f} against {old_uar:.3f} on {len(champion)} clips of {len(old)} "
        f"test speakers ({low:+.3f} to {high:+.3f})"
    )
    refusals = []
    if new_uar < old_uar - rule.fall:
        refusals.append(f"{ahead} is lower")
    elif sure < rule.confidence:
        refusals.append(
            f"{ahead}, but it is only {sure:.0%} sure that it isn't worse by more than "
            f"{rule.margin:g}; {rule.confidence:.0%} is asked"
        )
    if falls[worst] > rule.floor:
        refusals.append(
            f"the recall of {champion.emotions[worst]} falls by {falls[worst]:.3f}, "
            f"more than the floor of {rule.floor:g}"
        )
    if new_ece > old_ece + rule.calibration:
        refusals.append(
            f"its confidence is less honest: expected calibration error {new_ece:.3f} "
            f"against {old_ece:.3f}, more than {rule.calibration:g} above"
        )
    if refusals:
        return Decision(False, tuple(refusals), figures)
    return Decision(
        True,
        (
            f"{ahead}, {sure:.0%} sure that it isn't worse by more than {rule.margin:g}",
            f"no emotion's recall falls by more than {rule.floor:g}",
            f"expected calibration error {new_ece:.3f} against {old_ece:.3f}",
        ),
        figures,
    )


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
