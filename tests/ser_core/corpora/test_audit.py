"""An audit finds what names can't tell, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core import audio
from ser_core.corpora import counts, examine, read
from ser_core.corpora.clip import Clip, Reading


def tone(hertz: float, level: float = 0.3) -> bytes:
    time = np.arange(8000) / 16000
    return audio.to_wav_bytes((level * np.sin(2 * np.pi * hertz * time))[None].astype("f4"), 16000)


def test_equal_contradicting_broken_and_silent_clips_are_told_apart(tmp_path: Path) -> None:
    contents = {
        "03a01Fa": tone(200),
        "03a01Fb": tone(200),
        "08a01Wa": tone(300),
        "09a01Ta": tone(300),
        "10a01Na": b"RIFF no audio at all",
        "11a01Na": tone(200, 0.0),
        "12a01Na": tone(400),
    }
    for name, data in contents.items():
        (tmp_path / f"{name}.wav").write_bytes(data)
    steps: list[tuple[int, int]] = []
    reading = read(tmp_path, "emodb")
    found = examine(reading, progress=lambda done, total: steps.append((done, total)))
    assert [clip.key for clip in found.clips] == ["03a01Fa", "12a01Na"]
    assert counts(found) == {
        "conflicting-duplicate": 2,
        "duplicate": 1,
        "broken-audio": 1,
        "silent": 1,
    }
    assert len(found.clips) + len(found.problems) == len(reading.clips)
    assert steps[-1] == (7, 7)


def test_a_file_that_is_gone_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    clip = Clip(tmp_path / "gone.wav", "mine", "gone", "joy")
    assert counts(examine(Reading("mine", (clip,)))) == {"missing-file": 1}


@pytest.mark.corpora
def test_the_known_defects_of_cremad_are_found(corpora_root: Path) -> None:
    reading = read(corpora_root / "cremad")
    doubted = [
        clip
        for clip in reading.clips
        if clip.key.rpartition("/")[2][:8] in ("1006_TIE", "1013_WSI", "1076_MTI")
    ]
    found = examine(Reading("cremad", tuple(doubted)))
    assert {p.name.rpartition("/")[2].partition(".")[0]: p.kind for p in found.problems} == {
        "1006_TIE_HAP_XX": "conflicting-duplicate",
        "1006_TIE_NEU_XX": "conflicting-duplicate",
        "1013_WSI_DIS_XX": "conflicting-duplicate",
        "1013_WSI_SAD_XX": "conflicting-duplicate",
        "1076_MTI_SAD_XX": "silent",
    }
