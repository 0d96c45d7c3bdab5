"""Time lines in and out: TextGrid, ELAN, Audacity, SubRip, RTTM and audformat.

Label Studio's regions and plain tables with start and end go their own way
(`label_store.exchange.to_label_studio`, `to_csv`).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from label_store.errors import LabelTableError
from label_store.exchange.rows import (
    INTENSITY,
    SECOND_EMOTION,
    LabelRow,
    LabelTable,
    cell_of,
    collect,
)
from label_store.exchange.timelines import (
    audacity,
    audformat_tables,
    elan,
    rttm,
    srt,
    textgrid,
)
from label_store.exchange.timelines.timeline import (
    Found,
    Timeline,
    file_names,
    lines_of,
    renamed,
)

MAX_BYTES = 256 * 2**20
MAX_FILES = 100_000
ENDINGS = (".textgrid", ".eaf", ".srt", ".rttm", ".zip")
"""Endings, lower case, of what `read` takes; label tracks end in .txt, as tables do."""


@dataclass(frozen=True, slots=True)
class TimelineFormat:
    """One way to write time lines.

    Attributes:
        title: its name on the page.
        by_annotator: whether it keeps annotators apart; else it holds the decided labels.
        whole_clips: whether it holds labels of whole clips.
        files: time lines -> file name -> bytes.
        loses: one sentence or two: what it holds and what it can't carry.
        mixed: whether it holds second emotions and intensities.
    """

    title: str
    by_annotator: bool
    whole_clips: bool
    files: Callable[[Sequence[Timeline]], dict[str, bytes]]
    loses: str
    mixed: bool = False


def _each(
    suffix: str, write: Callable[[Timeline], bytes]
) -> Callable[[Iterable[Timeline]], dict[str, bytes]]:
    return lambda lines: {name: write(one) for name, one in file_names(lines, suffix).items()}


def _rttm(lines: Sequence[Timeline]) -> dict[str, bytes]:
    made = rttm.write(lines)
    return {"labels.rttm": made} if made else {}


FORMATS: Mapping[str, TimelineFormat] = {
    "textgrid": TimelineFormat(
        "Praat TextGrid", True, False, _each(".TextGrid", textgrid.write),
        "A TextGrid holds stretches, emotions and annotators; overlapping stretches go to a second "
        "tier. Certainty and notes stay behind.",
    ),
    "elan": TimelineFormat(
        "ELAN (.eaf)", True, False, _each(".eaf", elan.write),
        "ELAN holds whole milliseconds, emotions and annotators; overlapping stretches go to a "
        "second tier. Certainty and notes stay behind.",
    ),
    "audacity": TimelineFormat(
        "Audacity labels", False, False, _each(".txt", audacity.write),
        "A label track holds the decided emotions, not who chose them.",
    ),
    "srt": TimelineFormat(
        "Subtitles (.srt)", False, False, _each(".srt", srt.write),
        "Subtitles hold whole milliseconds and the decided emotions, not who chose them.",
    ),
    "rttm": TimelineFormat(
        "RTTM", False, False, _rttm,
        "RTTM holds the decided emotions in the place of the speaker, not who chose them.",
    ),
    "audformat": TimelineFormat(
        "audformat", True, True, audformat_tables.write,
        "audformat holds clips, stretches, emotions, intensities and annotators. Certainty and "
        "notes stay behind.", mixed=True,
    ),
}  # fmt: skip


def left_out(form: TimelineFormat, lines: Iterable[Timeline]) -> tuple[str, ...]:
    """Return what a file in a format lacks of these time lines, in sentences."""
    rows = [row for line in lines for row in line.rows]
    found = [form.loses]
    whole = sum(row.start is None or row.end is None for row in rows)
    if whole and not form.whole_clips:
        noun = "label of a whole clip is" if whole == 1 else "labels of whole clips are"
        found.append(f"{whole} {noun} not in it.")
    mixed = sum(any(cell_of(row, name)[1] for name in (SECOND_EMOTION, INTENSITY)) for row in rows)
    if mixed and not form.mixed:
        noun = "1 label goes" if mixed == 1 else f"{mixed} labels go"
        found.append(f"{noun} without the second emotion or the intensity.")
    return tuple(found)


def takes(data: bytes, name: str) -> bool:
    """Return whether `read` is the reader of a file, and not the one of tables."""
    ending = PurePosixPath(name).suffix.casefold()
    if ending == ".txt":
        return audacity.is_track(_text(data[:4096]))
    return ending in ENDINGS


def read(data: bytes, name: str, is_emotion: Callable[[str], bool]) -> LabelTable:
    """Return what a file of time lines holds, as a table to import.

    Args:
        data: the file's bytes; in a zip archive, each file of a known format, or an audformat
            database.
        name: its name; without its ending it is the clip's, where the format names none.
        is_emotion: whether a word names an emotion, by which tiers are chosen.

    Raises:
        LabelTableError: it can't be read.
    """
    if PurePosixPath(name).suffix.casefold() == ".zip":
        return read_files(_unpacked(data, name), name, is_emotion)
    return collect(_one(data, name, is_emotion))


def read_folder(folder: Path, is_emotion: Callable[[str], bool]) -> LabelTable:
    """Return what the files of a folder hold; see `read`.

    Raises:
        LabelTableError: nothing in it can be read.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths
        if path.suffix.casefold() in {*ENDINGS, ".txt", ".yaml", ".csv", ".parquet"}
        and path.suffix.casefold() != ".zip"
    }
    return read_files(files, folder.name, is_emotion)


def read_files(
    files: Mapping[str, bytes], name: str, is_emotion: Callable[[str], bool]
) -> LabelTable:
    """Return what several files hold: an audformat database, or time lines of one clip each.

    Args:
        files: path, POSIX, -> bytes.
        name: of the whole, for messages.
        is_emotion: see `read`.

    Raises:
        LabelTableError: none of them is a time line, or one is damaged.
    """
    header = next((one for one in files if one.rpartition("/")[2] == audformat_tables.HEADER), None)
    if header is not None:
        folder = header.rpartition("/")[0]
        beside = {one: data for one, data in files.items() if one.rpartition("/")[0] == folder}
        return collect(audformat_tables.read(beside, name, is_emotion))
    found: list[Found] = []
    some = {one: data for one, data in files.items() if takes(data, one)}
    if not some:
        raise LabelTableError(f"{name}: no time line; known: {', '.join(ENDINGS)}, .txt.")
    for one, data in some.items():
        found += renamed(_one(data, one, is_emotion), len(found))
    return collect(found)


def _one(data: bytes, name: str, is_emotion: Callable[[str], bool]) -> list[Found]:
    path = PurePosixPath(name)
    ending, clip = path.suffix.casefold(), str(path.with_suffix(""))
    if ending == ".textgrid":
        return textgrid.read(data, name, clip, is_emotion)
    if ending == ".eaf":
        return elan.read(data, name, clip, is_emotion)
    if ending == ".srt":
        return srt.read(_text(data), name, clip)
    if ending == ".rttm":
        return rttm.read(_text(data), name)
    return audacity.read(_text(data), clip)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unpacked(data: bytes, name: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > MAX_FILES or sum(one.file_size for one in members) > MAX_BYTES:
                raise LabelTableError(f"{name}: more than {MAX_BYTES >> 20} MB of time lines.")
            return {one.filename: archive.read(one) for one in members}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise LabelTableError(f"{name}: can't be unpacked ({error}).") from error


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of files; the same files give the same bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return held.getvalue()


__all__ = [
    "ENDINGS",
    "FORMATS",
    "LabelRow",
    "Timeline",
    "TimelineFormat",
    "left_out",
    "lines_of",
    "packed",
    "read",
    "read_files",
    "read_folder",
    "takes",
]
