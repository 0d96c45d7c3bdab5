"""Helpful labels help, hostile ones change nothing, what is worse does not serve: real speech."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.corrections_help import QUICK, Sizes, code, draw, others, write
from ser_core.corpora.clip import Clip
from ser_core.corpora.committed_sides import TABLES
from ser_core.corpora.splits import side_of

CODES = {"ANG": "anger", "SAD": "sadness", "HAP": "joy"}


def clips(folder: Path) -> list[Clip]:
    found = []
    for speaker in sorted(TABLES["cremad"]):
        for sentence in ("DFA", "IEO", "ITH"):
            for name, emotion in CODES.items():
                path = folder / f"{speaker}_{sentence}_{name}_XX.wav"
                found.append(
                    Clip(path, "cremad", path.stem, emotion, speaker=speaker, family="cremad")
                )
    return found


def test_corrupted_names_are_wrong_where_they_should_be_and_meet_nowhere(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    everything = clips(folder)
    sizes = Sizes(train=60, validation=10, test=20, corrections=30)
    sides = draw(everything, sizes, rng)
    assert {side: len(held) for side, held in sides.items()} == {
        "train": 60,
        "validation": 10,
        "test": 20,
    }
    assert all(side_of(clip) == side for side, held in sides.items() for clip in held)
    for clip in (clip for held in sides.values() for clip in held):
        clip.path.write_bytes(clip.path.name.encode())
    truth = [code(clip) for clip in sides["train"]]
    wrong = others(CODES, truth, rng)
    assert all(one != two for one, two in zip(truth, wrong, strict=True))
    assert set(wrong) == set(CODES)
    root = write(tmp_path / "out", sides, wrong)
    written = {path.read_text(): path.name for path in (root / "cremad").iterdir()}
    assert len(written) == len(list((root / "cremad").iterdir())) == 90
    changed = [before for before, after in written.items() if before != after]
    assert sorted(changed) == sorted(clip.path.name for clip in sides["train"])


@pytest.mark.slow
@pytest.mark.corpora
def test_on_real_speech_only_trusted_labels_and_better_models_count(
    corpora_root: Path, repository: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    words = ["--quick", "--corpora", str(corpora_root), "--json", str(figures)]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.studies.corrections_help", *words],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert figures.is_file(), ran.stdout + ran.stderr
    (found,) = json.loads(figures.read_text())
    assert found["corrupted"] == found["hostile"]["labels"] == QUICK.corrections
    # Corrections that are right make it better.
    assert found["helpful"]["difference"] > 0
    # A stranger's change nothing: no training, no other champion, not one byte of it.
    assert found["hostile"]["said"].startswith("nothing is new")
    assert found["hostile"]["unchanged"]
    assert not found["hostile"]["trained"]
    # Shuffled labels make a model that is not promoted.
    assert not found["worse"]["promoted"]
    assert found["worse"]["unchanged"]
    assert found["worse"]["uar"] < found["helpful"]["challenger_uar"]
    assert ran.returncode == 0
