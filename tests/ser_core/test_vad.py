"""Speech is found where it is, and nowhere else."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core import audio, vad

RATE = 16000


@pytest.fixture(scope="module")
def spoken(request: pytest.FixtureRequest) -> np.ndarray:
    """One example clip of the project, `[time]`: a sentence without long pauses."""
    folder = Path(__file__).resolve().parents[2] / "examples"
    return audio.mono(audio.load(sorted(folder.glob("*.flac"))[0]).samples)[0]


@pytest.mark.parametrize("kind", ["zeros", "noise", "tone", "hum", "last bit"])
def test_what_is_no_speech_has_no_segments(rng: np.random.Generator, kind: str) -> None:
    time = np.arange(2 * RATE) / RATE
    sound = {
        "zeros": np.zeros(2 * RATE),
        "noise": 0.05 * rng.standard_normal(2 * RATE),
        "tone": 0.3 * np.sin(2 * np.pi * 500 * time),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * time),
        "last bit": rng.integers(-1, 2, 2 * RATE) / 32768,
    }[kind].astype(np.float32)
    assert vad.speech_segments(sound, RATE) == []
    assert vad.speech_share(sound, RATE) == 0.0


@pytest.mark.parametrize("level", [1.0, 0.003])
def test_speech_between_silences_is_found_at_its_place(spoken: np.ndarray, level: float) -> None:
    quiet = np.zeros(2 * RATE, np.float32)
    segments = vad.speech_segments(np.concatenate([quiet, level * spoken, quiet]), RATE)
    assert segments
    assert all(start < end for start, end in segments)
    assert abs(segments[0][0] - 2.0) < 0.4
    assert abs(segments[-1][1] - (2.0 + len(spoken) / RATE)) < 0.5


def test_the_rate_and_the_shape_do_not_matter(spoken: np.ndarray) -> None:
    expected = vad.speech_share(spoken, RATE)
    assert expected > 0.5
    for rate in (8000, 44100):
        changed = audio.resample(spoken[None], RATE, rate)
        assert vad.speech_share(changed, rate) == pytest.approx(expected, abs=0.1)
    with pytest.raises(ValueError, match="one channel"):
        vad.speech_segments(np.zeros((2, 16000), np.float32), RATE)
    assert vad.speech_share(np.zeros(0, np.float32), RATE) == 0.0


def test_threads_get_the_same_answer_and_keep_their_number(spoken: np.ndarray) -> None:
    before = torch.get_num_threads()
    expected = vad.speech_segments(spoken, RATE)
    answers: list[list[tuple[float, float]]] = []
    workers = [
        threading.Thread(target=lambda: answers.append(vad.speech_segments(spoken, RATE)))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert answers == [expected] * 4
    assert torch.get_num_threads() == before


@pytest.mark.corpora
def test_real_recordings_hold_speech(corpora_root: Path) -> None:
    with (corpora_root / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["defect"]]
    heard = 0
    chosen = rows[:: len(rows) // 60]
    for row in chosen:
        clip = audio.load(corpora_root / row["path"])
        heard += bool(vad.speech_segments(audio.mono(clip.samples), RATE))
    assert heard >= 0.95 * len(chosen)
