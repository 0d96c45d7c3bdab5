"""A checkpoint is calibrated on the clips that get an answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ser_core.checkpoints.calibration import Calibration
from ser_core.corpora.clip import Clip
from ser_core.inference.abstention import NO_SPEECH
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.predictions import Predictions, assemble

EMOTIONS = ("anger", "joy", "sadness")


def predictions(rng: np.random.Generator, silent: int) -> Predictions:
    """Twice too sure logits of two corpora; the last clips are silent and wildly wrong."""
    labels = rng.integers(0, 3, 1200)
    honest = rng.standard_normal((1200, 3)) + np.eye(3)[labels]
    logits = 2 * honest
    logits[1200 - silent :] = 50 * np.eye(3)[(labels[1200 - silent :] + 1) % 3]
    clips = [
        Clip(Path("x"), "large" if i < 900 else "small", str(i), EMOTIONS[label])
        for i, label in enumerate(labels)
    ]
    abstained = [""] * (1200 - silent) + [NO_SPEECH] * silent
    return assemble(EMOTIONS, Calibration(), clips, logits, EMOTIONS, (), abstained)


def test_clips_without_speech_do_not_count(rng: np.random.Generator) -> None:
    alone = calibrate(predictions(np.random.default_rng(1), 0))
    beside = calibrate(predictions(np.random.default_rng(1), 200))
    assert alone.temperature == pytest.approx(2.0, rel=0.2)
    assert beside.temperature == pytest.approx(alone.temperature, rel=0.1)


def test_a_validation_side_without_speech_is_taken_as_it_is_and_said_so(
    rng: np.random.Generator,
) -> None:
    lines: list[str] = []
    found = predictions(rng, 1200)
    fitted = calibrate(found, lines.append)
    assert fitted == calibrate(dataclasses.replace(found, abstained=("",) * 1200))
    (line,) = lines
    assert "no speech was found in any of the 1200 validation clips" in line
