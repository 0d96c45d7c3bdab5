"""A checkpoint is calibrated on the clips that the page answers, and on no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.calibration import Calibration
from ser_core.corpora.clip import Clip
from trainer.calibrating import recalibrate
from trainer.errors import DataError
from trainer.hearing import WORDLESS
from trainer.observe import Observed, assemble

EMOTIONS = ("anger", "joy", "sadness")


def observed(rng: np.random.Generator, refused: int) -> Observed:
    """Twice too sure logits of two corpora; the last clips are refused and wildly wrong."""
    labels = rng.integers(0, 3, 1200)
    honest = rng.standard_normal((1200, 3)) + np.eye(3)[labels]
    logits = 2 * honest
    logits[1200 - refused :] = 50 * np.eye(3)[(labels[1200 - refused :] + 1) % 3]
    clips = [
        Clip(Path("x"), "large" if i < 900 else "small", str(i), EMOTIONS[label])
        for i, label in enumerate(labels)
    ]
    refusals = [""] * (1200 - refused) + [WORDLESS] * refused
    return assemble(EMOTIONS, Calibration(), clips, logits, EMOTIONS, (), refusals)


def test_clips_that_the_page_refuses_do_not_count(rng: np.random.Generator) -> None:
    alone = recalibrate(observed(np.random.default_rng(1), 0))
    beside = recalibrate(observed(np.random.default_rng(1), 200))
    assert alone.temperature == pytest.approx(2.0, rel=0.2)
    assert beside.temperature == pytest.approx(alone.temperature, rel=0.1)


def test_nothing_to_calibrate_on_is_said_so(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="answers none"):
        recalibrate(observed(rng, 1200))
