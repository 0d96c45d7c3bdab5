"""Promotion: noise in the calibration of few clips refuses nobody, and figures are told."""

from __future__ import annotations

import numpy as np

from trainer.evaluation.metrics import Outcomes
from trainer.lifecycle.promotion import decide
from trainer.lifecycle.rule import Rule

NAMES = ("anger", "joy", "sadness")


def outcomes(clips: int, right: float, confidence: float, seed: int) -> Outcomes:
    """Return answers of which a share is right, all with one confidence."""
    rng = np.random.default_rng(seed)
    labels = np.arange(clips) % 3
    said = np.where(rng.random(clips) < right, labels, (labels + 1) % 3)
    rows = np.full((clips, 3), (1 - confidence) / 2)
    rows[np.arange(clips), said] = confidence
    speakers = tuple(f"c/{i % 12}" for i in range(clips))
    keys = tuple(map(str, range(clips)))
    return Outcomes(NAMES, labels, rows, rows, ("c",) * clips, keys, speakers)


def decision(clips: int, new_confidence: float, rule: Rule | None = None) -> tuple[bool, str]:
    old = outcomes(clips, 0.75, 0.8, 1)
    new = outcomes(clips, 0.85, new_confidence, 2)
    found = decide(old, new, rng=np.random.default_rng(0), rule=rule or Rule(floor=1.0))
    return found.promote, str(found)


def test_on_few_clips_a_rise_by_chance_does_not_refuse() -> None:
    promoted, told = decision(36, 0.72)
    assert promoted, told
    assert "expected calibration error" in told
    assert "% sure that the rise is more than 0.02" in told


def test_a_rise_that_is_sure_refuses_and_gives_its_numbers() -> None:
    promoted, told = decision(1200, 0.5)
    assert not promoted
    assert "its confidence is worse calibrated: expected calibration error 0.3" in told
    assert "sure that the rise is more than 0.02; 90% is the limit" in told


def test_the_error_of_all_clips_is_the_one_of_the_metrics() -> None:
    from trainer.evaluation import metrics

    old, new = outcomes(300, 0.75, 0.8, 1), outcomes(300, 0.85, 0.6, 2)
    found = decide(old, new, rng=np.random.default_rng(0))
    for one, name in ((old, "champion_ece"), (new, "challenger_ece")):
        expected, _ = metrics.calibration_error(one.labels, one.probabilities)
        assert abs(found.figures[name] - expected) < 1e-12
    assert found.figures["ece_rise_low"] <= found.figures["ece_rise_high"]
