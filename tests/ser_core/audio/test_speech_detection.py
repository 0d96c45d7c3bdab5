"""Speech is found where it is, and nowhere else."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core import audio
from ser_core.audio import speech_detection

RATE = 16000


@pytest.fixture(scope="module")
def spoken(request: pytest.FixtureRequest) -> np.ndarray:
    """One example clip of the project, `[time]`: a sentence without long pauses."""
    folder = Path(__file__).resolve().parents[3] / "examples"
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
    assert speech_detection.speech_segments(sound, RATE) == []


@pytest.mark.parametrize("level", [1.0, 0.003])
def test_speech_between_silences_is_found_at_its_place(spoken: np.ndarray, level: float) -> None:
    quiet = np.zeros(2 * RATE, np.float32)
    segments = speech_detection.speech_segments(
        np.concatenate([quiet, level * spoken, quiet]), RATE
    )
    assert segments
    assert all(start < end for start, end in segments)
    assert abs(segments[0][0] - 2.0) < 0.4
    assert abs(segments[-1][1] - (2.0 + len(spoken) / RATE)) < 0.5


def seconds(samples: np.ndarray, rate: int) -> float:
    """Return how long somebody speaks."""
    return sum(end - start for start, end in speech_detection.speech_segments(samples, rate))


def test_the_rate_and_the_shape_do_not_matter(spoken: np.ndarray) -> None:
    expected = seconds(spoken, RATE)
    assert expected > 0.5 * len(spoken) / RATE
    for rate in (8000, 44100):
        changed = audio.resample(spoken[None], RATE, rate)
        assert seconds(changed, rate) == pytest.approx(expected, rel=0.1)
    with pytest.raises(ValueError, match="one channel"):
        speech_detection.speech_segments(np.zeros((2, 16000), np.float32), RATE)
    assert speech_detection.speech_segments(np.zeros(0, np.float32), RATE) == []


def test_threads_get_the_same_answer_and_keep_their_number(spoken: np.ndarray) -> None:
    before = torch.get_num_threads()
    expected = speech_detection.speech_segments(spoken, RATE)
    answers: list[list[tuple[float, float]]] = []
    workers = [
        threading.Thread(
            target=lambda: answers.append(speech_detection.speech_segments(spoken, RATE))
        )
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
        heard += bool(speech_detection.speech_segments(audio.mono(clip.samples), RATE))
    assert heard >= 0.95 * len(chosen)


def test_stretches_are_those_that_the_package_itself_reads(rng: np.random.Generator) -> None:
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    for _ in range(200):
        runs = rng.integers(1, 12, 40)
        heights = rng.choice([0.05, 0.2, 0.4, 0.5, 0.9], 40)
        probabilities = np.repeat(heights, runs)[: int(rng.integers(1, 200))].astype(np.float32)
        samples = 512 * len(probabilities) - int(rng.integers(0, 512))
        expected = get_speech_timestamps_from_probs(
            probabilities,
            min_speech_duration_ms=100,
            min_silence_duration_ms=150,
            speech_pad_ms=50,
            audio_length_samples=samples,
        )
        found = speech_detection._stretches(probabilities, samples, 0.5)
        assert found == [(one["start"], one["end"]) for one in expected]


def test_probabilities_are_those_that_the_package_itself_finds(spoken: np.ndarray) -> None:
    from silero_vad import load_silero_vad

    long = np.tile(spoken, 4)[: 20 * RATE + 77]
    expected = load_silero_vad(sequence=True).audio_forward(long)
    np.testing.assert_allclose(speech_detection._probabilities(long), expected, atol=1e-6)


def test_speech_is_found_without_torch() -> None:
    program = (
        "import sys, numpy as np; from ser_core.audio import speech_detection; "
        "speech_detection.speech_segments(np.ones(16000, np.float32), 16000); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
