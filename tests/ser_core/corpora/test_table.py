"""A table of file names may be wrong in every way; nothing of it is trusted or lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_core.corpora import read
from ser_core.corpora.clip import Reading
from ser_core.errors import CorpusError


def table(folder: Path, text: str | bytes, *audio: str) -> Reading:
    for name in audio:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    data = text.encode() if isinstance(text, str) else text
    (folder / "labels.csv").write_bytes(data)
    return read(folder, "table")


def kinds(reading: Reading) -> dict[str, str]:
    return {problem.name: problem.kind for problem in reading.problems}


def test_rows_become_clips_with_aliases_resolved(tmp_path: Path) -> None:
    reading = (
        table(
            tmp_path / "mine",
            "Filename,Emotion\na.mp3,Happy\nsub/b.MP3, WUT \n",
            "a.mp3",
            "sub/b.MP3",
        )
        if (tmp_path / "mine").mkdir() is None
        else None
    )
    assert reading is not None
    assert {(c.key, c.emotion, c.corpus) for c in reading.clips} == {
        ("a", "joy", "mine"),
        ("sub/b", "anger", "mine"),
    }
    assert reading.problems == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiter_and_byte_order_mark_do_not_matter(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    text = (
        f"File Name{delimiter}emotion{delimiter}Speaker\r\nä b.wav{delimiter}Ärger{delimiter}7\r\n"
    )
    reading = table(tmp_path, text.encode(encoding), "ä b.wav")
    assert [(c.emotion, c.speaker) for c in reading.clips] == [("anger", "7")]


def test_wrong_rows_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    reading = table(
        tmp_path,
        "Filename,Emotion\n"
        "good.mp3,sad\n"
        "good2.wav,hapy\n"
        "gone.mp3,sad\n"
        "short.mp3\n"
        "other.wav,fear\n"
        "empty.mp3,\n",
        "good.mp3",
        "good2.wav",
        "other.flac",
        "empty.mp3",
        "extra.wav",
    )
    assert [c.key for c in reading.clips] == ["good", "other"]
    assert kinds(reading) == {
        "row 3: good2.wav": "unknown-emotion",
        "row 4: gone.mp3": "missing-file",
        "row 5: short.mp3": "missing-file",
        "row 6: other.wav": "wrong-ending",
        "row 7: empty.mp3": "no-emotion",
        "extra.wav": "unlisted",
    }
    reasons = {p.name: p.reason for p in reading.problems}
    assert "Did you mean “joy”" in reasons["row 3: good2.wav"]


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.wav", "a/../../secret.wav", "C:\\secret.wav", "..\\secret.wav", ""],
)
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.wav").write_bytes(b"x")
    folder = tmp_path / "corpus"
    folder.mkdir()
    reading = table(folder, f"Filename,Emotion\n{name},sad\na.wav,sad\n", "a.wav")
    assert [c.key for c in reading.clips] == ["a"]
    assert [p.kind for p in reading.problems] == ["missing-file" if name else "unreadable-row"]


def test_a_file_under_two_emotions_is_not_used(tmp_path: Path) -> None:
    reading = table(
        tmp_path,
        "Filename,Emotion\na.wav,sad\nA.WAV,joy\nb.wav,fear\nb.wav,fearful\n",
        "a.wav",
        "b.wav",
    )
    assert [c.key for c in reading.clips] == ["b"]
    assert list(kinds(reading).values()) == [
        "conflicting-duplicate",
        "conflicting-duplicate",
        "duplicate",
    ]


def test_a_name_that_fits_several_files_is_not_guessed(tmp_path: Path) -> None:
    reading = table(tmp_path, "Filename,Emotion\na.wav,sad\n", "x/a.wav", "y/a.wav")
    assert reading.clips == ()
    assert kinds(reading)["row 2: a.wav"] == "ambiguous-name"


def test_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="found no table"):
        table(tmp_path, "Name,Room\na.wav,kitchen\n", "a.wav")


def test_a_table_is_recognised_without_being_named(tmp_path: Path) -> None:
    table(tmp_path, "Filename,Emotion\na.wav,sad\n", "a.wav")
    assert [c.emotion for c in read(tmp_path).clips] == ["sadness"]


@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.text(max_size=12)),
        max_size=8,
    )
)
def test_any_rows_end_as_clips_or_problems(rows: list[tuple[str, str]]) -> None:
    from tempfile import TemporaryDirectory

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Filename", "Emotion"])
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    writer.writerows(rows)
    with TemporaryDirectory() as folder:
        try:
            data = text.getvalue().encode()
        except UnicodeEncodeError:
            return
        try:
            reading = table(Path(folder), data, "a.wav")
        except CorpusError:
            return
        about_rows = [p for p in reading.problems if p.name.startswith("row ")]
        assert len(reading.clips) + len(about_rows) >= len(rows)
