"""A speaker's ordinary speech makes a prediction relative to that voice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_core.__main__ import main
from ser_core.audio import Audio
from ser_core.errors import SerError
from ser_core.inference.recognizer import Recognizer

RATE = 16_000


def speech(repository: Path, name: str) -> Audio:
    samples, rate = soundfile.read(
        next(repository.glob(f"examples/{name}_*.flac")), dtype="float32"
    )
    assert rate == RATE
    return Audio(samples[None, : 4 * RATE].copy(), RATE, RATE)


def test_a_voice_changes_the_prediction_and_nothing_else(
    small_encoder: Path, repository: Path
) -> None:
    recognizer = Recognizer(small_encoder)
    clip, other = speech(repository, "1"), speech(repository, "2")
    plain = recognizer.predict(clip)
    voice = recognizer.voice([other])
    assert voice.clips >= 1
    assert 0.5 < voice.seconds <= 4.1
    relative = recognizer.predict(clip, neutral=voice)
    assert relative.probabilities != plain.probabilities
    assert [(w.start, w.end) for w in relative.windows] == [(w.start, w.end) for w in plain.windows]
    for given in (other, [other]):
        assert recognizer.predict(clip, neutral=given).probabilities == relative.probabilities
    (many,) = recognizer.predict_many([clip], neutral=voice, workers=0)
    assert many.probabilities == pytest.approx(relative.probabilities)
    assert recognizer.predict(clip).probabilities == plain.probabilities


def test_what_tells_of_no_voice_is_said(
    small_encoder: Path, small_model: Path, repository: Path
) -> None:
    silence = Audio(np.zeros((1, RATE), np.float32), RATE, RATE)
    with pytest.raises(SerError, match="No speech was found in the neutral"):
        Recognizer(small_encoder).predict(speech(repository, "1"), neutral=silence)
    short = speech(repository, "2")
    short = Audio(short.samples[:, RATE // 4 : RATE // 4 + RATE], RATE, RATE)
    with pytest.raises(SerError, match=r"only .* s of speech .* Give 10 to 20 s"):
        Recognizer(small_encoder).voice([short])
    loud = speech(repository, "2").samples
    noise = np.random.default_rng(0).normal(0, 0.15, loud.shape).astype(np.float32)
    with pytest.raises(SerError, match="dB above the noise"):
        Recognizer(small_encoder).voice([Audio(loud + noise, RATE, RATE)])
    with pytest.raises(SerError, match="takes no account of voices"):
        Recognizer(small_model).predict(speech(repository, "1"), neutral=speech(repository, "2"))


def test_the_command_line_takes_neutral_speech(small_encoder: Path, repository: Path) -> None:
    one, two = (str(next(repository.glob(f"examples/{name}_*.flac"))) for name in "12")
    command = [
        sys.executable,
        "-m",
        "ser_core",
        "predict",
        one,
        "--json",
        "--model",
        str(small_encoder),
    ]

    def shares(*more: str) -> dict[str, float]:
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)["probabilities"]
        return found

    assert shares("--neutral", two) != shares()


def test_a_table_says_which_neutral_clips_are_whose(
    small_encoder: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, three = (next(repository.glob(f"examples/{name}_*.flac")) for name in "123")
    for clip in (one, two, three):
        shutil.copy(clip, tmp_path / clip.name)
    table = tmp_path / "table.csv"
    table.write_text(f"Filename,neutral\n{one.name},{two.name}\n{three.name},\n")
    paths = [str(tmp_path / clip.name) for clip in (one, three)]
    command = ["predict", *paths, "--json", "--model", str(small_encoder)]

    def found(*more: str) -> list[dict[str, Any]]:
        assert main([*command, *more]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    plain, relative = found(), found("--neutral", str(table))
    assert "relative_to" in relative[0]["model"]
    assert relative[0]["probabilities"] != plain[0]["probabilities"]
    assert relative[1] == plain[1]
    table.write_text(f"Filename,neutral\n{one.name},away.flac\n")
    assert main([*command, "--neutral", str(table)]) == 1
    assert "line 2: away.flac is neither" in capsys.readouterr().err
