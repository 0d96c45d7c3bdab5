"""Clips brought in on the page: named, counted once, cut at pauses, refused with reasons."""

from __future__ import annotations

import csv
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from ui.clip_import import ImportOptions, corpus_name, import_clips
from ui.clip_import_panel import chosen, previewed, summary
from ui.errors import PageError
from ui.identity import Annotator
from ui.services import Services

ADA = Annotator("ada", may_write=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Sign in first.")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATE = 16_000


def tone(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    time = np.arange(round(seconds * RATE)) / RATE
    samples = (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_wav_bytes(samples[None], RATE))
    return path


def table(home: Path, corpus: str = "mine") -> list[dict[str, str]]:
    with (home / "corpora" / corpus / "table.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_folders_and_zips_become_one_corpus(services: Services, tmp_path: Path) -> None:
    one = tone(tmp_path / "anna_1.wav", 200)
    tone(tmp_path / "folder" / "deep" / "ben_1.wav", 300)
    tone(tmp_path / "folder" / ".hidden.wav", 350)
    copy = tone(tmp_path / "copy of anna.wav", 200)
    archive = tmp_path / "more.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tone(tmp_path / "x" / "clara_7.wav", 400), "wav/clara_7.wav")
        file.writestr("wav/notes.txt", "hello")
    bad = tmp_path / "bad.wav"
    bad.write_text("dear diary", encoding="utf-8")
    seen: list[tuple[int, int]] = []
    options = ImportOptions("mine", "{speaker}_*")
    paths = [one, tmp_path / "folder", copy, archive, bad]
    found = import_clips(
        services, ADA, paths, options, progress=lambda done, of: seen.append((done, of))
    )
    assert (found.added, found.duplicates) == (3, ["copy of anna.wav"])
    assert [name for name, _ in found.refused] == ["notes.txt", "bad.wav"]
    assert seen[-1] == (5, 5)
    rows = {row["Filename"]: row for row in table(services.home)}
    assert {name: row["Speaker"] for name, row in rows.items()} == {
        "anna_1.wav": "anna", "ben_1.wav": "ben", "clara_7.wav": "clara",
    }  # fmt: skip
    assert {row["Emotion"] for row in rows.values()} == {""}
    kept = services.home / "corpora" / "mine" / "anna_1.wav"
    assert kept.read_bytes() == one.read_bytes()
    said = summary(found)
    assert "Added 3 clips to “mine”. 1 duplicate skipped. 2 files refused:" in said
    assert "notes.txt" in said


def test_what_is_there_already_is_skipped_and_another_of_the_same_name_is_not(
    services: Services, tmp_path: Path
) -> None:
    options = ImportOptions("mine")
    first = tone(tmp_path / "a" / "clip.wav", 200)
    import_clips(services, ADA, [first], options)
    other = tone(tmp_path / "b" / "clip.wav", 300)
    again = import_clips(services, ADA, [first, other], options)
    assert (again.added, again.duplicates) == (1, ["clip.wav"])
    assert [row["Filename"] for row in table(services.home)] == ["clip.wav", "clip (2).wav"]


def test_a_recording_gets_a_name_that_says_when(services: Services, tmp_path: Path) -> None:
    path = tone(tmp_path / "audio.wav", 200)
    then = datetime(2026, 5, 4, 3, 2, 1)
    import_clips(services, ADA, [path], ImportOptions("mine"), now=lambda: then)
    assert table(services.home)[0]["Filename"] == "recording 2026-05-04 03-02-01.wav"


def test_a_long_recording_is_cut_at_its_pauses(services: Services, tmp_path: Path) -> None:
    clip = load(EXAMPLES / "2_lively.flac", sample_rate=RATE)
    pause = np.zeros((1, 2 * RATE), np.float32)
    whole = np.concatenate([clip.samples, pause] * 4, axis=1)
    path = tmp_path / "talk.wav"
    path.write_bytes(to_wav_bytes(whole, RATE))
    found = import_clips(services, ADA, [path], ImportOptions("mine", longest=8.0))
    assert (found.added, found.cut) == (4, 1)
    lengths = [load(services.home / "corpora" / "mine" / row["Filename"]).seconds
               for row in table(services.home)]  # fmt: skip
    assert all(1.0 <= seconds <= 8.0 for seconds in lengths)
    assert import_clips(services, ADA, [path], ImportOptions("other", longest=8.0)).added == 0


def test_a_recording_without_speech_is_refused(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    path.write_bytes(to_wav_bytes(np.zeros((1, 12 * RATE), np.float32), RATE))
    found = import_clips(services, ADA, [path], ImportOptions("mine", longest=8.0))
    assert (found.added, len(found.refused)) == (0, 1)
    assert not (services.home / "corpora" / "mine" / "table.csv").exists()


@pytest.mark.parametrize(
    ("who", "corpus", "pattern", "reason"),
    [
        (VISITOR, "mine", "", "Sign in"),
        (ADA, " / ", "", "name"),
        (ADA, "emodb", "", "published corpus"),
        (ADA, "mine", "no speaker", r"\{speaker\}"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    services: Services, tmp_path: Path, who: Annotator, corpus: str, pattern: str, reason: str
) -> None:
    path = tone(tmp_path / "a.wav", 200)
    with pytest.raises(PageError, match=reason):
        import_clips(services, who, [path], ImportOptions(corpus, pattern))
    assert not (services.home / "corpora").exists()


def test_a_name_stays_inside_the_corpora(services: Services) -> None:
    for name in ("../../x", "..", "a/../b"):
        try:
            assert "/" not in corpus_name(name)
            assert not corpus_name(name).startswith(".")
        except PageError:
            continue


def test_only_a_local_page_takes_a_folder_by_name(tmp_path: Path) -> None:
    assert chosen(None, None, str(tmp_path), local=True) == [tmp_path]
    with pytest.raises(PageError, match="Choose audio files"):
        chosen(None, None, str(tmp_path), local=False)
    with pytest.raises(PageError, match="Check the path"):
        chosen(None, None, str(tmp_path / "gone"), local=True)


def test_the_pattern_is_seen_working() -> None:
    shown = previewed(["/t/anna_1.wav", "/t/<b>.wav"], None, "", "{speaker}_*")
    assert 'anna_1.wav → <b translate="no">anna</b>' in shown
    assert "no speaker" in shown
    assert "<b>.wav" not in shown
    assert "refused" in previewed(["/t/a.wav"], None, "", "x")


def test_a_table_beside_the_clips_labels_them_and_keeps_its_faults(
    services: Services, tmp_path: Path
) -> None:
    sounds = [tone(tmp_path / f"u{n}.wav", 200 + 40 * n) for n in range(4)]
    faulty = tmp_path / "labels.csv"
    rows = "C:\\calls\\u0.wav;Happy\nu1;Joyy\nwrongname.wav;sad\nu2.wav;\n"
    faulty.write_text("Filename;Emotion\n" + rows)
    notes = tmp_path / "notes.csv"
    notes.write_text("date,price\nmonday,3\n")
    found = import_clips(services, ADA, [*sounds, faulty, notes], ImportOptions("mine"))
    assert (found.added, found.labelled, found.without_file) == (4, 2, 1)
    assert [name for name, _ in found.refused] == ["notes.csv"]
    assert {row["Filename"]: row["Emotion"] for row in table(services.home)} == {
        "u0.wav": "Happy", "u1.wav": "Joyy", "u2.wav": "", "u3.wav": "", "wrongname.wav": "sad",
    }  # fmt: skip
    listed = {one.name: one for one in services.catalogue.listing().sources}
    assert listed["u0.wav"].emotion == "joy"
    assert (listed["u1.wav"].emotion, listed["u1.wav"].kind) == ("Joyy", "unknown-emotion")
    assert listed["wrongname.wav"].kind == "missing-file"
    assert (listed["u3.wav"].emotion, listed["u3.wav"].problem) == ("", "")
    said = summary(found)
    assert "2 clips labelled" in said
    assert "1 row names no file" in said


def test_a_table_that_comes_later_labels_what_nobody_had_labelled(
    services: Services, tmp_path: Path
) -> None:
    sound = tone(tmp_path / "a.wav", 200)
    import_clips(services, ADA, [sound], ImportOptions("mine"))
    (tmp_path / "labels.csv").write_text("file,emotion\na.wav,fear\n")
    both = [sound, tmp_path / "labels.csv"]
    assert import_clips(services, ADA, both, ImportOptions("mine")).labelled == 1
    assert [(row["Filename"], row["Emotion"]) for row in table(services.home)] == [
        ("a.wav", "fear")
    ]
    with pytest.raises(PageError, match="Import and export"):
        import_clips(services, ADA, both[1:], ImportOptions("mine"))


def test_folders_named_by_emotions_and_segments_of_a_table_are_understood(
    services: Services, tmp_path: Path
) -> None:
    tone(tmp_path / "drop" / "anna" / "Happy" / "1.wav", 200)
    tone(tmp_path / "drop" / "ben" / "Sad" / "1.wav", 300)
    import_clips(services, ADA, [tmp_path / "drop"], ImportOptions("mine"))
    assert sorted((row["Emotion"], row["Speaker"]) for row in table(services.home)) == [
        ("joy", "anna"), ("sadness", "ben"),
    ]  # fmt: skip
    tone(tmp_path / "long" / "talk.wav", 250, seconds=12.0)
    rows = "talk.wav,0,1.5,joy\ntalk.wav,1.5,3,fear\n"
    (tmp_path / "long" / "t.csv").write_text("file,start,end,emotion\n" + rows)
    found = import_clips(services, ADA, [tmp_path / "long"], ImportOptions("long", longest=8.0))
    assert (found.added, found.cut) == (1, 0)
    rows = [(row["Start"], row["End"], row["Emotion"]) for row in table(services.home, "long")]
    assert rows == [("0", "1.5", "joy"), ("1.5", "3", "fear")]
