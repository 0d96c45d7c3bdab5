"""The Features tab: every descriptor drawn, small, and true to the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.frontends.descriptors import DESCRIPTORS
from ui.features.figures import TITLES, pictures, says
from ui.features.tab import shown
from ui.services import Services


@pytest.fixture
def spoken(repository: Path) -> Path:
    """A shipped clip of speech."""
    return repository / "examples" / "2_lively.flac"


def test_every_descriptor_has_a_picture_and_a_line() -> None:
    assert set(TITLES) == {"waveform", "linear", "mel", *DESCRIPTORS}
    assert all(says(name).endswith(".") and len(says(name)) > 20 for name in TITLES)


def test_all_pictures_share_the_clip_s_time_axis_and_are_small(
    services: Services, spoken: Path
) -> None:
    result = shown(services, str(spoken))
    figures = result[-len(TITLES) :]
    ends = {round(figure.layout.xaxis.range[1], 3) for figure in figures}
    assert len(ends) == 1
    assert sum(len(figure.to_json()) for figure in figures) < 700_000


def test_pictures_tell_a_tone_from_noise(services: Services, rng: np.random.Generator) -> None:
    time = np.arange(16000) / 16000
    tone = (0.3 * np.sin(2 * np.pi * 440 * time))[None].astype(np.float32)
    noise = (0.3 * rng.standard_normal((1, 16000))).astype(np.float32)
    recognizer = services.serving.recognizer
    of_tone, of_noise = (
        {one.name: one for one in pictures(recognizer, sound, 16000)} for sound in (tone, noise)
    )
    assert "Most often: A" in of_tone["chroma"].words
    assert "Strongest near 4" in of_tone["linear"].words
    for name in ("zcr", "centroid", "flatness", "bandwidth"):
        low, high = (np.median(one[name].figure.data[0].y) for one in (of_tone, of_noise))
        assert high > 2 * low, name


@pytest.mark.parametrize("samples", [np.zeros((1, 16000)), np.full((2, 400), 0.5)])
def test_silence_and_a_blip_are_drawn(services: Services, samples: np.ndarray) -> None:
    made = pictures(services.serving.recognizer, samples.astype(np.float32), 16000)
    assert [one.name for one in made] == list(TITLES)


def test_half_a_stereo_file_is_drawn_and_the_silent_channel_named(
    services: Services, tmp_path: Path, rng: np.random.Generator
) -> None:
    left = 0.1 * rng.standard_normal(16000)
    path = tmp_path / "half.wav"
    path.write_bytes(to_wav_bytes(np.stack([left, np.zeros(16000)]), 16_000))
    assert "Channel 2 of 2 is silent" in shown(services, str(path))[0]


def test_what_is_no_sound_is_a_sentence(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF")
    result = shown(services, str(path))
    assert "No answer" in result[0]
    assert len(result) == 2 + 2 * len(TITLES)
    assert "What can be measured" in shown(services, None)[0]
