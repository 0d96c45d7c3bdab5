"""``python -m ser_core``: folders, shards, bad files, a reader that leaves early."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ser_core.__main__ import main
from ser_core.audio import load, to_wav_bytes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five clips of speech, one that is none, and files that are not audio."""
    clip = load(ROOT / "examples" / "2_lively.flac")
    for number in range(5):
        part = clip.samples[:, number * 1000 :]
        (tmp_path / f"{number}.wav").write_bytes(to_wav_bytes(part, clip.sample_rate))
    (tmp_path / "2b.wav").write_text("Dear Sir or Madam")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "cover.png").write_bytes(b"\x89PNG")
    return tmp_path


def predicted(
    capsys: pytest.CaptureFixture[str], model: Path, *words: str
) -> tuple[int, list[dict[str, object]], str]:
    code = main(["predict", *words, "--json", "--model", str(model)])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_a_bad_file_is_one_line_and_the_rest_go_on_in_order(
    folder: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, err = predicted(capsys, small_model, str(folder))
    assert code == 1
    assert [one["file"] for one in found] == [str(folder / f"{n}.wav") for n in range(5)]
    assert [line for line in err.splitlines() if "2b.wav" in line]
    assert "Passed over 2 files that are not audio: 1 .png, 1 .txt" in err


def test_shards_follow_each_other(
    folder: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "2b.wav").unlink()
    _, whole, _ = predicted(capsys, small_model, str(folder))
    parts = [
        one
        for part in (1, 2, 3)
        for one in predicted(capsys, small_model, str(folder), "--shard", f"{part}/3")[1]
    ]
    assert [one["file"] for one in parts] == [one["file"] for one in whole]
    for one, other in zip(parts, whole, strict=True):
        assert one["emotion"] == other["emotion"]
        np.testing.assert_allclose(one["confidence"], other["confidence"], atol=1e-5)
    with pytest.raises(SystemExit):
        main(["predict", str(folder), "--shard", "4/3"])


@pytest.mark.slow
def test_a_reader_that_leaves_early_ends_it_quietly(folder: Path, small_model: Path) -> None:
    words = f"{sys.executable} -m ser_core predict {folder} --json --model {small_model} | head -1"
    done = subprocess.run(words, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["file"] == str(folder / "0.wav")
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_folder_of_corpora_is_told_with_what_is_wrong_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "mine"
    corpus.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        sound = rng.normal(0, 0.1, (1, 8000)).astype(np.float32)
        (corpus / f"{name}.wav").write_bytes(to_wav_bytes(sound, 16_000))
    (corpus / "d.wav").write_bytes((corpus / "c.wav").read_bytes())
    rows = "a.wav,joy\nb.wav,anger\nc.wav,joy\nd.wav,fear\ngone.wav,joy\n"
    (corpus / "labels.csv").write_text(f"Filename,Emotion\n{rows}")
    assert main(["corpora", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mine: 2 clips" in out
    assert "anger 1, joy 1" in out
    assert "missing file" in out
    assert "2 × " in out  # the same bytes under two labels: neither is learned
