"""From a clip to an answer that says when it does not know."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser_core import audio
from ser_core.checkpoints import calibration, checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SerError
from ser_core.inference.recognizer import Recognizer

EMOTIONS = ("anger", "joy", "neutral", "sadness")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    wanted = Specification(
        frontend_parameters={"n_mels": 32, "hop_length": 512},
        backbone="cnn",
        emotions=EMOTIONS,
        seconds=1.5,
        name="tiny",
        version="v1",
    )
    target = tmp_path_factory.mktemp("model") / "v1"
    open_minded = Calibration(temperature=0.05, entropy_limit=1.0)
    return checkpoint.save(target, build(wanted), wanted, open_minded, {}, "# tiny\n")


@pytest.fixture(scope="module")
def recognizer(folder: Path) -> Recognizer:
    return Recognizer(folder, "cpu")


@pytest.fixture(scope="module")
def spoken() -> Path:
    return Path(__file__).resolve().parents[3] / "examples" / "2_lively.flac"


def test_an_answer_is_complete_and_adds_up(recognizer: Recognizer, spoken: Path) -> None:
    found = recognizer.predict(spoken)
    assert found.file == spoken.name
    assert found.emotion in EMOTIONS
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.confidence == max(found.probabilities.values())
    assert found.emotion in found.conformal_set
    assert found.model == {"name": "tiny", "version": "v1"}
    assert found.windows[0].start == 0
    assert found.windows[-1].end == pytest.approx(found.seconds, abs=1e-3)
    assert len(found.windows) > 1
    assert {
        "file",
        "emotion",
        "confidence",
        "probabilities",
        "entropy",
        "unsure",
        "windows",
    } <= set(json.loads(json.dumps(found.to_json())))


def test_a_quiet_recording_is_heard_as_the_loud_one(recognizer: Recognizer, spoken: Path) -> None:
    found = audio.load(spoken, sample_rate=16_000)
    loud = found.samples / np.abs(found.samples).max()
    wanted = recognizer.predict(dataclasses.replace(found, samples=loud))
    for decibels in (-30, -60):
        quiet = (loud * 10 ** (decibels / 20)).astype(np.float32)
        answer = recognizer.predict(dataclasses.replace(found, samples=quiet))
        assert (answer.abstained is None) == (wanted.abstained is None)
        assert answer.probabilities == pytest.approx(wanted.probabilities, abs=0.02)


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (np.zeros((1, 32_000), np.float32), "silen"),
        (np.full((1, 320), 0.1, np.float32), "short"),
        (0.3 * np.sin(np.arange(48_000) * 0.2, dtype=np.float32)[None], "speech"),
    ],
)
def test_what_is_no_speech_gets_no_emotion(
    recognizer: Recognizer, samples: np.ndarray, word: str
) -> None:
    found = recognizer.predict(audio.Audio(np.atleast_2d(samples), 16_000, 16_000, "x.wav"))
    assert found.emotion is None
    assert found.abstained is not None
    assert word in found.abstained.lower()
    assert max(found.probabilities.values()) == pytest.approx(1 / len(EMOTIONS))


def test_doubt_is_said(folder: Path, spoken: Path) -> None:
    strict = Recognizer(folder, "cpu")
    strict.calibration = Calibration(temperature=20.0, entropy_limit=0.1)
    assert "equally likely" in str(strict.predict(spoken).abstained)
    strict.calibration = Calibration(entropy_limit=1.0, energy_limit=1e9)
    assert "trained on" in str(strict.predict(spoken).abstained)


def test_a_device_that_is_not_there_is_a_sentence(folder: Path) -> None:
    for wish in ("tpu9", "cuda" if not torch.cuda.is_available() else "mps"):
        with pytest.raises(SerError):
            Recognizer(folder, wish)


def test_importing_the_recognizer_imports_no_torch() -> None:
    code = (
        "import sys; from ser_core import Recognizer; "
        "print(Recognizer.__name__, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["Recognizer", "False"]


logits = arrays(np.float64, (12, 4), elements=st.floats(-20, 20))


@given(logits)
def test_probabilities_add_up_and_keep_their_order(values: np.ndarray) -> None:
    rows = Calibration(temperature=3.0).probabilities(values)
    assert np.allclose(rows.sum(axis=1), 1)
    best = values.argmax(axis=1)
    assert np.allclose(rows[np.arange(12), best], rows.max(axis=1))


def test_the_temperature_undoes_overconfidence(rng: np.random.Generator) -> None:
    honest = rng.standard_normal((4000, 5)) * 1.5
    labels = np.array([rng.choice(5, p=row) for row in calibration.softmax(honest)])
    fitted = calibration.fit(honest * 4, labels)
    assert fitted.temperature == pytest.approx(4, rel=0.1)


def test_the_sets_hold_the_truth_as_often_as_they_say(rng: np.random.Generator) -> None:
    honest = rng.standard_normal((6000, 5)) * 2
    labels = np.array([rng.choice(5, p=row) for row in calibration.softmax(honest)])
    fitted = calibration.fit(honest[:3000], labels[:3000], coverage=0.9)
    rows = fitted.probabilities(honest[3000:])
    held = [
        label in fitted.conformal_set(row) for label, row in zip(labels[3000:], rows, strict=True)
    ]
    assert np.mean(held) > 0.88
    assert fitted.from_json(fitted.to_json()) == fitted


def _cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SER_")}
    return subprocess.run(
        [sys.executable, "-m", "ser_core", *words],
        cwd=Path(__file__).resolve().parents[3],
        env=kept | {"SER_MODEL": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_command_line_goes_on_after_a_bad_file(
    folder: Path, spoken: Path, tmp_path: Path
) -> None:
    good = tmp_path / "=wie geht's “ö”.flac"
    good.write_bytes(spoken.read_bytes())
    (tmp_path / "diary.wav").write_text("dear diary")
    table = tmp_path / "out.csv"
    ran = _cli(folder, "predict", "--json", "--csv", str(table), str(tmp_path))
    assert ran.returncode == 1
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(good)]
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "diary.wav" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert table.read_text(encoding="utf-8").splitlines()[0].startswith("file,emotion,confidence")


def test_the_tables_name_everything() -> None:
    from ser_core.backbones import BACKBONES
    from ser_core.corpora import READERS
    from ser_core.listing import markdown, text

    for name in [*BACKBONES, *READERS, "speed", "wav2vec2"]:
        assert f"| {name} |" in markdown()
        assert name in text()


def test_the_second_start_answers_without_torch(folder: Path, spoken: Path, tmp_path: Path) -> None:
    program = f"""
import json, sys
from ser_core import Recognizer
found = Recognizer({str(folder)!r}, graphs={str(tmp_path / "graphs")!r}).predict({str(spoken)!r})
heavy = ("torch", "torchaudio", "transformers", "librosa", "gradio")
print(json.dumps([[name for name in heavy if name in sys.modules], found.probabilities]))
"""
    answers = []
    for _ in range(2):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    assert "torch" in answers[0][0]
    assert answers[1][0] == []
    in_torch = Recognizer(folder, "cpu", graphs=tmp_path / "graphs")
    expected = in_torch.predict(spoken, runtime=in_torch.torch_runtime()).probabilities
    for answer in answers:
        assert answer[1] == pytest.approx(expected, abs=1e-3)  # at a temperature of 0.05
