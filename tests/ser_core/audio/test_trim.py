"""Silence around what is spoken changes nothing for a model that leaves it out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core import audio
from ser_core.audio import Audio, speech_detection
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.inference.recognizer import Recognizer

RATE = 16_000


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """One example clip of the project, `[1, time]`, 1.4 s."""
    folder = Path(__file__).resolve().parents[3] / "examples"
    return audio.mono(audio.load(folder / "2_lively.flac").samples)[:, : 14 * RATE // 10]


def recognizer(folder: Path, *, trim: bool) -> Recognizer:
    torch.manual_seed(1)
    wanted = Specification(
        frontend_parameters={"n_mels": 32, "hop_length": 512},
        backbone="cnn",
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=2.0,
        trim_silence=trim,
    )
    checkpoint.save(folder, build(wanted), wanted, Calibration(temperature=0.05), {}, "# tiny\n")
    return Recognizer(folder, "cpu")


def clip(samples: np.ndarray) -> Audio:
    return audio.load(audio.to_wav_bytes(samples, RATE), name="clip.wav")


def quiet(seconds: float) -> np.ndarray:
    return np.zeros((1, round(seconds * RATE)), np.float32)


def test_how_long_the_silence_is_changes_nothing(tmp_path: Path, spoken: np.ndarray) -> None:
    # Multiples of the detector's frames of 32 ms, so that it hears the same frames later.
    short = np.concatenate([quiet(0.96), spoken, quiet(0.96)], axis=1)
    long = np.concatenate([quiet(3.2), spoken, quiet(2.56)], axis=1)
    trimming = recognizer(tmp_path / "a", trim=True)
    one, other = trimming.predict(clip(short)), trimming.predict(clip(long))
    assert len(one.windows) == len(other.windows) == 1
    for found, silence in ((one, 0.96), (other, 3.2)):
        assert found.windows[0].start == pytest.approx(silence, abs=0.2)
        assert found.windows[0].end == pytest.approx(silence + 1.4, abs=0.3)
    for emotion, chance in one.probabilities.items():
        assert other.probabilities[emotion] == pytest.approx(chance, abs=0.02)

    whole = recognizer(tmp_path / "b", trim=False)
    one, other = whole.predict(clip(short)), whole.predict(clip(long))
    assert len(other.windows) > 1
    assert list(other.probabilities.values()) != pytest.approx(
        list(one.probabilities.values()), abs=0.001
    )


def test_a_clip_without_speech_is_left_whole() -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    assert speech_detection.trimmed(noise, RATE).shape == noise.shape


def test_a_specification_older_than_trimming_hears_whole_clips() -> None:
    values = json.loads(dataclasses.replace(Specification(), trim_silence=True).to_json())
    assert Specification.from_json(json.dumps(values)).trim_silence
    del values["trim_silence"]
    assert not Specification.from_json(json.dumps(values)).trim_silence
