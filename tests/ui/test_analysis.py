"""A clip is judged and drawn; a correction is kept with the clip's bytes, or refused in words."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.errors import SerError
from ui import downloads, page_html
from ui.analysis import analyse, keep
from ui.errors import PageError
from ui.identity import Annotator
from ui.services import Services

ME = Annotator("me", may_write=True, may_suggest=True)


def test_a_correction_is_in_the_csv_with_the_clip_s_bytes(services: Services, clip: Path) -> None:
    held = analyse(services, clip).held
    saved = keep(services, held, "joy", ME, "sitting")
    rows = [
        row
        for file in sorted((services.home / "labels").glob("events-*.csv"))
        for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    ]
    assert [(row["emotion"], row["annotator"], row["file_name"]) for row in rows] == [
        ("joy", "me", clip.name)
    ]
    assert int(rows[0]["number"]) == saved.number == 1
    kept = services.store.clip_path(rows[0]["clip"])
    assert kept is not None
    assert kept.read_bytes() == clip.read_bytes()
    assert rows[0]["model_version"] == "small-1"


def test_a_visitor_only_suggests_and_a_stranger_does_nothing(
    services: Services, clip: Path
) -> None:
    held = analyse(services, clip).held
    saved = keep(services, held, "joy", Annotator("visitor", may_suggest=True), "")
    assert saved.event.action == "suggest"
    with pytest.raises(PageError, match="Sign in"):
        keep(services, held, "joy", Annotator("", reason="Sign in first."), "")
    assert len(services.store.events()) == 1


def test_a_clip_that_changed_or_went_is_not_labelled(services: Services, clip: Path) -> None:
    held = analyse(services, clip).held
    clip.write_bytes(to_wav_bytes(np.zeros((1, 9000), np.float32), 16_000))
    with pytest.raises(PageError, match="Upload it again"):
        keep(services, held, "joy", ME, "")
    clip.unlink()
    with pytest.raises(PageError, match="Upload it again"):
        keep(services, held, "joy", ME, "")
    with pytest.raises(PageError, match="no clip"):
        keep(services, None, "joy", ME, "")
    assert services.store.events() == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.wav", b""),
        ("text.wav", b"dear diary, today I felt"),
        ("torn.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90"),
        ("none.wav", to_wav_bytes(np.zeros((1, 0), np.float32), 16_000)),
    ],
)
def test_what_is_no_sound_gets_a_sentence(
    services: Services, tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SerError) as caught:
        analyse(services, path)
    assert name in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("seconds", [2.0, 0.02])
def test_silence_and_a_blink_get_no_emotion(
    services: Services, tmp_path: Path, seconds: float
) -> None:
    path = tmp_path / "still.wav"
    path.write_bytes(to_wav_bytes(np.zeros((1, round(seconds * 16_000)), np.float32), 16_000))
    said = analyse(services, path).held.prediction
    assert said["emotion"] is None
    assert said["unsure"]
    assert "No answer" in page_html.answer(said)


def test_names_are_escaped_on_the_page(services: Services, tmp_path: Path) -> None:
    said = {
        "file": "<img src=x onerror=alert(1)>.wav",
        "model": {"name": "<b>", "version": "1"},
        "emotion": "joy",
        "confidence": 0.999,
        "probabilities": {"joy": 0.999, "fear": 0.001},
        "unsure": "a <b>",
        "warnings": ["<script>"],
        "conformal_set": ["joy"],
        "windows": [],
        "seconds": 1.0,
    }
    html = (
        page_html.answer(said)
        + page_html.describe(said)
        + page_html.problem("<i>")
        + page_html.status("<u>")
    )
    for bad in ("<img", "<script", "a <b>", "· <b>", "<i>", "<u>"):
        assert bad not in html
    assert "> 99 %" in html
    assert "100 %" not in html


def test_downloads_hold_the_answer_and_no_formula(services: Services, clip: Path) -> None:
    said = analyse(services, clip).held.prediction
    as_json, table = downloads.written(services, [said])
    assert json.loads(Path(as_json).read_text()) == said
    rows = list(csv.DictReader(io.StringIO(Path(table).read_text(encoding="utf-8"))))
    assert rows[0]["file"] == "'" + clip.name
    assert float(rows[0]["p_joy"]) == pytest.approx(said["probabilities"]["joy"])
