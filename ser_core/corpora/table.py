"""A table with the columns ``Filename,Emotion`` beside a folder of audio."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.base import (
    Found,
    Reader,
    Refused,
    audio_files,
    emotion_of_word,
    relative_key,
    require_folder,
)
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.errors import CorpusError

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "filename": ("filename", "file name", "file", "path", "clip", "audio", "wav"),
    "emotion": ("emotion", "emotions", "label", "class"),
    "speaker": ("speaker", "speaker id", "actor", "actor id"),
    "sex": ("sex", "gender"),
    "sentence": ("sentence", "sentence id", "text id"),
}
"""What a column may be called, in any case, with spaces, hyphens or underscores."""

_DELIMITERS = ",;\t|"
_ENDINGS = (".csv", ".tsv", ".txt")
_MOST_ROWS = 1_000_000
_SEXES = {"f": "f", "female": "f", "woman": "f", "w": "f", "m": "m", "male": "m", "man": "m"}


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"row {self.number}: {self.cells['filename'][:120]}"


class Table(Reader):
    """A corpus of one's own: names in a table, audio (of any kind) beside it or below it."""

    name = "table"
    title = "table of file names"
    licence = "your own"
    url = ""
    citation = ""
    description = (
        "a CSV file with the columns Filename,Emotion (and perhaps Speaker, Sex, Sentence)"
    )

    def parse(self, relative: PurePosixPath) -> Found:
        raise Refused("unlisted", "the table has no row for it.")

    def detect(self, folder: Path) -> float:
        return 1.0 if find_tables(folder) else 0.0

    def read(self, folder: Path) -> Reading:
        """Read the table in a folder, and the audio that it names.

        Args:
            folder: with one table; the audio lies there or deeper.

        Raises:
            CorpusError: no table or several, or one that is not text, has no such columns or is
                too long.
        """
        require_folder(folder)
        tables = find_tables(folder)
        if len(tables) != 1:
            found = ", ".join(path.name for path in tables) or "none"
            raise CorpusError(
                f"{folder}: expected one table with the columns Filename,Emotion, found {found}."
            )
        rows, problems = read_rows(tables[0])
        index = _Index(folder)
        taken: dict[PurePosixPath, list[tuple[_Row, Found]]] = defaultdict(list)
        listed: set[PurePosixPath] = set()
        for row in rows:
            try:
                relative, remark = index.find(row.cells["filename"])
                listed.add(relative)
                if remark:
                    problems.append(Problem(row.name, "wrong-ending", remark))
                said = _found(row.cells)
                taken[relative].append((row, said))
            except Refused as refused:
                problems.append(Problem(row.name, refused.kind, refused.reason))
        clips: list[Clip] = []
        for relative, named in taken.items():
            problems.extend(_repeated(named))
            if len({found.emotion for _, found in named}) == 1:
                clips.append(_clip(folder, relative, named[0][1]))
        problems.extend(
            Problem(path.as_posix(), "unlisted", f"{tables[0].name} has no row for it.")
            for path in index.paths
            if path not in listed
        )
        return Reading(folder.name, tuple(clips), tuple(problems))


def _clip(folder: Path, relative: PurePosixPath, found: Found) -> Clip:
    return Clip(
        path=folder / relative,
        corpus=folder.name,
        key=relative_key(relative),
        emotion=found.emotion,
        speaker=found.speaker,
        sex=found.sex,
        sentence=found.sentence,
        family=folder.name,
    )


def _repeated(named: Sequence[tuple[_Row, Found]]) -> list[Problem]:
    (first, found), *others = named
    if not others:
        return []
    emotions = sorted({one.emotion for _, one in named})
    if len(emotions) > 1:
        reason = f"the table calls it {' and '.join(emotions)}; none of its rows is used."
        return [Problem(row.name, "conflicting-duplicate", reason) for row, _ in named]
    reason = f"row {first.number} says the same ({found.emotion})."
    return [Problem(row.name, "duplicate", reason) for row, _ in others]


def _found(cells: Mapping[str, str]) -> Found:
    if not cells["emotion"]:
        raise Refused("unknown-emotion", "the row has no emotion.")
    return Found(
        emotion_of_word(cells["emotion"]),
        cells.get("speaker", ""),
        _SEXES.get(cells.get("sex", "").casefold(), ""),
        cells.get("sentence", ""),
    )


def find_tables(folder: Path) -> list[Path]:
    """Return the tables of a folder that have the two columns."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix.casefold() in _ENDINGS and _has_columns(path)
    ]


def _has_columns(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    else:
        text = head.decode("utf-8-sig", errors="replace")
    line = text.splitlines()[0] if text.splitlines() else ""
    names = _columns(next(csv.reader([line], delimiter=_delimiter(line)), []))
    return "filename" in names and "emotion" in names


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _columns(header: Sequence[str]) -> list[str]:
    columns: list[str] = []
    for cell in header:
        folded = " ".join(cell.replace("_", " ").replace("-", " ").casefold().split())
        known = next((name for name, aliases in COLUMNS.items() if folded in aliases), folded)
        columns.append("" if known in columns else known)
    return columns


def read_rows(path: Path) -> tuple[list[_Row], list[Problem]]:
    """Read a table with any of the usual delimiters, with or without a byte order mark.

    Args:
        path: the table, in UTF-8 or, with its mark, UTF-16.

    Returns:
        The rows by column, and those that have another number of cells than the header.

    Raises:
        CorpusError: it is not text, lacks a column or is too long.
    """
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}: not UTF-8 (byte {error.start}). Save the table as UTF-8 and read it again."
        ) from error
    delimiter = _delimiter(text[:4096].splitlines()[0] if text.strip() else "")
    rows: list[_Row] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = _columns(next(reader, []))
        if not {"filename", "emotion"} <= set(columns):
            found = ", ".join(columns)[:200]
            raise CorpusError(f"{path}: expected the columns Filename and Emotion, found {found}.")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                reason = f"{len(cells)} cells where the header has {len(columns)}."
                problems.append(Problem(f"row {reader.line_num}", "unreadable-row", reason))
                continue
            stripped = (cell.strip() for cell in cells)
            rows.append(_Row(reader.line_num, dict(zip(columns, stripped, strict=True))))
            if len(rows) > _MOST_ROWS:
                raise CorpusError(f"{path}: more than {_MOST_ROWS} rows. Divide the table.")
    except csv.Error as error:
        raise CorpusError(f"{path}: line {reader.line_num} is not CSV ({error}).") from error
    return rows, problems


class _Index:
    """The audio under a folder, to be found by names that may be slightly wrong."""

    def __init__(self, folder: Path) -> None:
        self.paths = [PurePosixPath(p.relative_to(folder).as_posix()) for p in audio_files(folder)]
        self.exact = set(self.paths)
        self.folded: dict[str, list[PurePosixPath]] = defaultdict(list)
        self.stems: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in self.paths:
            for key in {path.as_posix().casefold(), path.name.casefold()}:
                self.folded[key].append(path)
            for key in {relative_key(path).casefold(), path.stem.casefold()}:
                self.stems[key].append(path)

    def find(self, name: str) -> tuple[PurePosixPath, str]:
        """Return the file that a row means, and a remark where its ending is another.

        Raises:
            Refused: there is none, there are several, or the name leaves the folder.
        """
        from ser_core.unpack import safe_path

        wanted = safe_path(name)
        if wanted is None:
            raise Refused(
                "unsafe-path",
                "expected a name inside the table's folder: not empty, absolute or with ..",
            )
        if wanted in self.exact:
            return wanted, ""
        same = self.folded.get(wanted.as_posix().casefold(), [])
        if len(same) == 1:
            return same[0], ""
        has_ending = wanted.suffix.casefold() in AUDIO_ENDINGS
        stem = relative_key(wanted) if has_ending else wanted.as_posix()
        near = same or self.stems.get(stem.casefold(), [])
        if len(near) == 1:
            return near[0], f"the file is {near[0].name}; that one is used." if has_ending else ""
        if near:
            options = ", ".join(path.as_posix() for path in near[:3])
            raise Refused(
                "ambiguous-name", f"{len(near)} files fit: {options}. Name the folder too."
            )
        raise Refused("missing-file", f"no such file in the table's folder.{self._hint(wanted)}")

    def _hint(self, wanted: PurePosixPath) -> str:
        if len(self.stems) > 5000:
            return ""
        close = difflib.get_close_matches(wanted.stem.casefold(), self.stems, n=1, cutoff=0.8)
        return f" Did you mean {self.stems[close[0]][0].as_posix()}?" if close else ""
