"""Background recordings from a folder."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_core.augment import Chain, DrawnChain, NoiseFolder, augment
from ser_core.errors import AugmentError

RATE = 16000
STEP = [{"name": "background_noise", "snr": 6}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "noises" / "outside").mkdir(parents=True)
    soundfile.write(tmp_path / "noises" / "a.wav", 0.1 * rng.standard_normal(8000), 8000)
    soundfile.write(
        tmp_path / "noises" / "outside" / "B.FLAC", 0.1 * rng.standard_normal(900), RATE
    )
    (tmp_path / "noises" / "readme.txt").write_text("no sound")
    soundfile.write(tmp_path / "secret.wav", 0.1 * rng.standard_normal(8000), RATE)
    (tmp_path / "noises" / "link.wav").symlink_to(tmp_path / "secret.wav")
    return tmp_path / "noises"


def voice() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((2, 12000), 0.2, np.float32)


def test_it_lies_below_the_voice_as_far_as_asked_and_replays(folder: Path) -> None:
    noises = NoiseFolder(folder)
    assert noises.names == ("a.wav", "outside/B.FLAC")
    used = set()
    for seed in range(8):
        result, drawn = augment(voice(), RATE, STEP, seed, noises)
        used.add(drawn[0]["file"])
        noise = result - voice()
        found = 20 * np.log10(0.2 / np.sqrt(np.mean(noise**2)))
        assert found == pytest.approx(6, abs=0.05)
        again = DrawnChain.from_json(drawn, NoiseFolder(folder)).apply(voice(), RATE)
        assert again.tobytes() == result.tobytes()
    assert used == set(noises.names)


def test_a_recording_that_changed_is_noticed(folder: Path) -> None:
    _, drawn = augment(voice(), RATE, STEP, 0, NoiseFolder(folder))
    soundfile.write(folder / drawn[0]["file"], np.full(500, 0.1), RATE, format="WAV")
    with pytest.raises(AugmentError, match="not the one that was drawn"):
        DrawnChain.from_json(drawn, NoiseFolder(folder)).apply(voice(), RATE)


@pytest.mark.parametrize("name", ["../secret.wav", "link.wav", "/etc/passwd", "none.wav"])
def test_nothing_outside_the_folder_is_read(folder: Path, name: str) -> None:
    step = {**STEP[0], "file": name, "position": 0.1, "sha256": "0" * 16}
    with pytest.raises(AugmentError, match="no recording"):
        DrawnChain.from_json([step], NoiseFolder(folder)).apply(voice(), RATE)


def test_a_missing_or_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(AugmentError, match="does not exist"):
        NoiseFolder(tmp_path / "none")
    with pytest.raises(AugmentError, match="no audio"):
        NoiseFolder(tmp_path)
    with pytest.raises(AugmentError, match="needs a folder"):
        augment(voice(), RATE, STEP, 0)
    with pytest.raises(AugmentError, match="or none"):
        Chain.from_json([{**STEP[0], "file": "a.wav"}])


def test_a_silent_recording_says_so(folder: Path) -> None:
    for path in folder.rglob("*.*"):
        path.unlink()
    soundfile.write(folder / "still.wav", np.zeros(100), RATE)
    with pytest.raises(AugmentError, match="no sound"):
        augment(voice(), RATE, STEP, 0, NoiseFolder(folder))


def test_a_folder_travels_to_a_worker_process(folder: Path) -> None:
    noises = NoiseFolder(folder)
    expected, drawn = augment(voice(), RATE, STEP, 0, noises)
    copy = pickle.loads(pickle.dumps(noises))
    assert np.array_equal(DrawnChain.from_json(drawn, copy).apply(voice(), RATE), expected)
