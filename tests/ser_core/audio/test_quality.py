"""A clip's faults are measured right and said in one sentence each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ser_core import audio
from ser_core.audio import quality

RATE = 16000


def voice(
    rng: np.random.Generator, seconds: float = 3.0, level: float = 0.2, noise: float = 1e-3
) -> np.ndarray:
    """Pulses at a voice's pitch with some hiss, in syllables with pauses between them."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 50))
    sound = buzz + 0.05 * rng.standard_normal(len(time))
    pauses = (np.sin(2 * np.pi * 1.5 * time) > -0.3).astype(float)
    sound = sound * pauses
    sound = level * sound / np.abs(sound).max() + noise * rng.standard_normal(len(time))
    return sound[None].astype(np.float32)


def inspect(samples: np.ndarray, rate: int = RATE) -> quality.Quality:
    return quality.inspect(
        audio.Audio(np.atleast_2d(samples).astype(np.float32), rate, rate, "clip")
    )


def warned(found: quality.Quality, word: str) -> bool:
    return any(word in sentence for sentence in found.warnings)


def test_a_good_clip_gets_no_warning(rng: np.random.Generator) -> None:
    found = inspect(voice(rng))
    assert found.warnings == ()
    assert found.reject is None
    assert not found.silent
    assert not found.too_short
    assert found.clipped == 0
    assert found.seconds == 3.0
    assert found.noise_snr_db > 20
    assert found.bandwidth_hz > 7000


@pytest.mark.parametrize("level", [0.0, 1e-5, 1e-4])
def test_silence_is_rejected_whatever_is_hidden_in_it(
    rng: np.random.Generator, level: float
) -> None:
    found = inspect((level * rng.standard_normal((1, 32000))).astype(np.float32))
    assert found.silent
    assert found.reject is not None
    assert "silent" in found.reject
    constant = inspect(np.full((1, 32000), 0.4, np.float32))
    assert constant.silent, "a direct current is no sound"


def test_a_word_in_long_silence_is_not_silence(rng: np.random.Generator) -> None:
    sound = np.zeros((1, 60 * RATE), np.float32)
    sound[:, 30 * RATE : 30 * RATE + RATE // 4] = voice(rng, 0.25)
    assert inspect(sound).reject is None


@pytest.mark.parametrize("seconds", [1 / RATE, 0.02, 0.29])
def test_a_fraction_of_a_second_is_rejected(rng: np.random.Generator, seconds: float) -> None:
    sound = voice(rng, 1.0)[:, : max(1, int(seconds * RATE))]
    found = inspect(sound)
    assert found.too_short
    assert found.reject is not None
    assert "too short" in found.reject


def test_half_a_second_is_taken_with_a_warning(rng: np.random.Generator) -> None:
    found = inspect(voice(rng, 0.5))
    assert found.reject is None
    assert warned(found, "is short")


def test_clipping_is_measured_at_full_scale_and_below(rng: np.random.Generator) -> None:
    sound = voice(rng, level=1.0)
    hard = np.clip(3 * sound, -1, 1)
    share = float(np.mean(np.abs(hard) >= 1))
    found = inspect(hard)
    assert 0.3 * share < found.clipped <= share
    assert warned(found, "clipped")
    assert inspect(0.8 * hard).clipped == found.clipped, "clipped first, turned down afterwards"
    assert inspect(0.99 * sound).clipped < 0.001


def test_noise_is_measured_against_the_voice(rng: np.random.Generator) -> None:
    measured = [inspect(voice(rng, noise=noise)).noise_snr_db for noise in (1e-3, 1e-2, 1e-1)]
    assert measured == sorted(measured, reverse=True)
    noisy = inspect(voice(rng, noise=0.1))
    assert noisy.noise_snr_db < 10
    assert warned(noisy, "background")


def test_a_telephone_is_told_from_a_studio(rng: np.random.Generator) -> None:
    sound = voice(rng)
    phone = audio.resample(audio.resample(sound, RATE, 8000), 8000, RATE)
    found = inspect(phone)
    assert 3500 <= found.bandwidth_hz <= 4250
    assert warned(found, "telephone")
    assert not warned(inspect(sound), "telephone")
    assert not warned(inspect(audio.resample(sound, RATE, 8000), 8000), "telephone")


def test_a_quiet_clip_is_taken_with_a_warning(rng: np.random.Generator) -> None:
    found = inspect(voice(rng, level=0.003, noise=1e-5))
    assert found.reject is None
    assert warned(found, "very quiet")


def test_the_silent_channel_of_a_stereo_file_is_named(rng: np.random.Generator) -> None:
    sound = voice(rng)
    found = inspect(np.concatenate([sound, np.zeros_like(sound)]))
    assert "Channel 2 of 2 is silent." in found.warnings
    assert found.reject is None
    assert found.level_dbfs == pytest.approx(inspect(sound).level_dbfs)
    assert inspect(np.concatenate([sound, sound])).warnings == ()


def test_direct_current_is_named(rng: np.random.Generator) -> None:
    sound = voice(rng)
    assert warned(inspect(sound * 0.5 + 0.1), "off centre")


def test_what_decoding_noticed_is_passed_on(rng: np.random.Generator) -> None:
    clip = audio.Audio(voice(rng), RATE, RATE, notes=("It ends early.",))
    assert "It ends early." in quality.inspect(clip).warnings


@pytest.mark.parametrize("length", [1, 2, 3, 799, 800, 801])
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_no_length_and_no_level_breaks_it(length: int, value: float) -> None:
    found = inspect(np.full((2, length), value, np.float32))
    assert not math.isnan(found.level_dbfs)
    assert not math.isnan(found.noise_snr_db)
    assert found.reject is not None


@pytest.mark.corpora
def test_real_recordings_pass_and_the_silent_one_does_not(corpora_root: Path) -> None:
    silent = next(corpora_root.glob("cremad/**/1076_MTI_SAD_XX.opus"))
    assert quality.inspect(audio.load(silent)).silent
    clips = sorted(corpora_root.glob("*/**/*.opus"))
    found = [
        quality.inspect(audio.load(path)) for path in clips[:: len(clips) // 60] if path != silent
    ]
    assert not [one for one in found if one.reject]
    assert sum(not one.warnings for one in found) > 0.7 * len(found)
