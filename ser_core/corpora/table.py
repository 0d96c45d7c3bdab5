"""Tables of file names and emotions beside a folder of audio."""

from __future__ import annotations

import functools
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser_core.corpora.base import (
    ParsedName,
    Reader,
    Refused,
    audio_files,
    name_inside,
    require_folder,
)
from ser_core.corpora.clip import Clip, Problem, Reading, segment_key
from ser_core.corpora.one_look import remembered
from ser_core.corpora.tables import (
    TEXT_ENDINGS,
    SpeechTable,
    TableProblem,
    TableRow,
    read_table,
)
from ser_core.corpora.tables.names import FileIndex, FileMatch, NoMatch
from ser_core.corpora.tables.words import MAP_FILE, is_emotion, read_mapping, read_word
from ser_core.errors import CorpusError, UnknownEmotionError

_ENDINGS = (*TEXT_ENDINGS, ".json", ".jsonl")
_NO_TABLES = frozenset({MAP_FILE, "readme.txt", "license.txt", "licence.txt"})
_LARGEST_TEXT = 64 * 2**20
_DEEPEST = 3
"""Folders below the corpus in which a table may lie (ESD's ``0011/0011.txt``)."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A row of one of the tables.

    Attributes:
        table: the table's path inside the corpus.
        row: the row.
        single: whether the corpus has only this table.
    """

    table: str
    row: TableRow
    single: bool

    @property
    def name(self) -> str:
        place = f"row {self.row.line}" if self.single else f"{self.table} row {self.row.line}"
        return f"{place}: {self.row.file_name[:120]}"


class TableCorpus(Reader):
    """A corpus of one's own: names in tables, audio (of any kind) beside or below them."""

    name = "table"
    title = "table of file names"
    licence = "your own"
    url = ""
    citation = ""
    description = (
        "a table (CSV, TSV, JSON lines, Label Studio's JSON, Audacity's labels) with a column for "
        "the file name and one for the emotion, and perhaps Start, End, Speaker, Sex, Sentence"
    )

    def parse(self, relative: PurePosixPath) -> ParsedName:
        raise Refused("unlisted", "the table has no row for it.")

    def detect(self, folder: Path) -> float:
        return 1.0 if find_tables(folder, deepest=0) else 0.0

    def read(self, folder: Path, *, deep: bool = True) -> Reading:
        """Read the tables in a folder, and the audio that they name.

        Args:
            folder: with one or more tables; the audio lies there or deeper.
            deep: whether audio in deeper folders belongs to it.

        Raises:
            CorpusError: there is no table, or its map of words can't be read.
        """
        require_folder(folder)
        tables = find_tables(folder)
        if not tables:
            raise CorpusError(
                f"{folder}: found no table with a column for the file name and one for the "
                "emotion. Give its columns the headings Filename and Emotion."
            )
        words = read_mapping(folder)
        names = [
            name_inside(folder, path)
            for path in audio_files(folder)
            if deep or path.parent == folder
        ]
        index = FileIndex(names)
        problems: list[Problem] = []
        listed: list[_Listed] = []
        for path, table in tables:
            name = path.relative_to(folder).as_posix()
            single = len(tables) == 1
            problems += [Problem(name, "note", note) for note in table.notes]
            problems += [
                Problem(_row_name(name, one, single), one.kind, one.reason)
                for one in table.problems
            ]
            listed += [_Listed(name, row, single) for row in _with_speaker(path, table)]
        clips, unlabelled, more, named = _matched(folder, listed, index, words)
        which = tables[0][0].name if len(tables) == 1 else "no table"
        reason = f"{which} has no row for it." if len(tables) == 1 else "no table has a row for it."
        unlisted = [
            Problem(name, "unlisted", reason, folder.name, path=folder / name)
            for name in names
            if name not in named
        ]
        return Reading(folder.name, tuple(clips), (*problems, *more, *unlisted), tuple(unlabelled))


def _row_name(table: str, problem: TableProblem, single: bool) -> str:
    place = f"row {problem.line}" if single else f"{table} row {problem.line}"
    return f"{place}: {problem.name}" if problem.name else place


def rows_with_files(folder: Path) -> list[tuple[TableRow, Path | None]]:
    """Return every row of the tables in a folder, as written, with the file that it means.

    Args:
        folder: with tables in it or deeper; without any there are no rows.

    Returns:
        The rows in order; None where a row means no file, or several.
    """
    tables = find_tables(folder)
    index = FileIndex(name_inside(folder, path) for path in audio_files(folder))
    found: list[tuple[TableRow, Path | None]] = []
    for path, table in tables:
        name = path.relative_to(folder).as_posix()
        for row in _with_speaker(path, table):
            match = _find(index, _Listed(name, row, len(tables) == 1))
            found.append((row, None if isinstance(match, NoMatch) else folder / match.name))
    return found


def _find(index: FileIndex, one: _Listed) -> FileMatch | NoMatch:
    # A table in a deeper folder names files from there.
    beside = posixpath.dirname(one.table)
    match = index.find(f"{beside}/{one.row.file_name}" if beside else one.row.file_name)
    if isinstance(match, NoMatch) and beside:
        return index.find(one.row.file_name)
    return match


def _matched(
    folder: Path, listed: Sequence[_Listed], index: FileIndex, words: Mapping[str, str]
) -> tuple[list[Clip], list[Clip], list[Problem], set[str]]:
    """Return the clips of the rows, those without a label yet, the problems, the files named."""
    problems: list[Problem] = []
    found: list[tuple[_Listed, FileMatch]] = []
    for one in listed:
        match = _find(index, one)
        if isinstance(match, NoMatch):
            problems.append(_row_problem(folder, one, match.kind, match.reason))
        else:
            found.append((one, match))
    longest: dict[str, int] = defaultdict(int)
    for _, match in found:
        longest[match.name] = max(longest[match.name], match.shared)
    taken: dict[tuple[str, float | None, float | None], list[tuple[_Listed, ParsedName]]] = {}
    named: set[str] = set()
    unlabelled: list[Clip] = []
    for one, match in found:
        if match.shared < longest[match.name] and not match.whole:
            reason = f"no such file is there; {match.name} is named by another row with its folder."
            problems.append(_row_problem(folder, one, "missing-file", reason))
            continue
        named.add(match.name)
        if match.remark:
            kind = "wrong-ending" if match.ending else "wrong-name"
            problems.append(_row_problem(folder, one, kind, match.remark, match.name))
        row = one.row
        if not row.emotion:
            described = ParsedName("", row.speaker, row.sex, row.sentence)
            unlabelled.append(_clip(folder, match.name, row.start, row.end, described))
            reason = "it is not labelled yet."
            problems.append(_row_problem(folder, one, "no-emotion", reason, match.name))
            continue
        try:
            meaning = _meaning(one.row, words)
        except Refused as refused:
            problems.append(_row_problem(folder, one, refused.kind, refused.reason, match.name))
            continue
        taken.setdefault((match.name, one.row.start, one.row.end), []).append((one, meaning))
    clips: list[Clip] = []
    for (name, start, end), rows in taken.items():
        problems.extend(_repeated(folder, name, rows))
        if len({meaning.emotion for _, meaning in rows}) == 1:
            clips.append(_clip(folder, name, start, end, rows[0][1]))
    return clips, unlabelled, problems, named


def _row_problem(folder: Path, one: _Listed, kind: str, reason: str, found: str = "") -> Problem:
    return Problem(
        one.name,
        kind,
        reason,
        corpus=folder.name,
        file_name=one.row.file_name,
        emotion=one.row.emotion,
        path=folder / found if found else None,
        speaker=one.row.speaker,
        start=one.row.start,
        end=one.row.end,
    )


def _meaning(row: TableRow, words: Mapping[str, str]) -> ParsedName:
    try:
        meaning = read_word(row.emotion, words)
    except UnknownEmotionError as error:
        raise Refused("unknown-emotion", str(error)) from None
    if not meaning.emotion:
        raise Refused("no-emotion", f"“{row.emotion[:40]}” is not an emotion; it is left out.")
    return ParsedName(meaning.emotion, row.speaker, row.sex or meaning.sex, row.sentence)


def _clip(
    folder: Path, name: str, start: float | None, end: float | None, found: ParsedName
) -> Clip:
    return Clip(
        path=folder / name,
        corpus=folder.name,
        key=segment_key(posixpath.splitext(name)[0], start, end),
        emotion=found.emotion,
        speaker=found.speaker,
        sex=found.sex,
        sentence=found.sentence,
        family=folder.name,
        start=start,
        end=end,
    )


def _repeated(
    folder: Path, name: str, named: Sequence[tuple[_Listed, ParsedName]]
) -> list[Problem]:
    (first, found), *others = named
    if not others:
        return []
    emotions = sorted({one.emotion for _, one in named})
    if len(emotions) > 1:
        reason = f"the table calls it {' and '.join(emotions)}; none of its rows is used."
        return [
            _row_problem(folder, one, "conflicting-duplicate", reason, name) for one, _ in named
        ]
    reason = f"row {first.row.line} says the same ({found.emotion})."
    return [_row_problem(folder, one, "duplicate", reason, name) for one, _ in others]


def _with_speaker(path: Path, table: SpeechTable) -> list[TableRow]:
    """Return the rows, with ESD's speaker: ``0011.txt`` lists ``0011_000001`` and so on."""
    from dataclasses import replace

    stem = path.stem
    rows = list(table.rows)
    own = rows and all(
        re.match(rf"{re.escape(stem)}[_-]", PurePosixPath(row.file_name).name) for row in rows
    )
    if own and not any(row.speaker for row in rows):
        return [replace(row, speaker=stem) for row in rows]
    return rows


def find_tables(folder: Path, *, deepest: int = _DEEPEST) -> list[tuple[Path, SpeechTable]]:
    """Return the tables of a folder, read: those in it, else those in the folders below.

    A file counts where its columns can be told and half of its words or more are emotions, or
    where its headings say so plainly.
    """
    level = [folder]
    for _ in range(deepest + 1):
        here = tuple(level)
        found = remembered(("tables", here[0], len(here)), functools.partial(_tables_in, here))
        if found:
            return found
        level = [Path(entry.path) for place in level for entry in _entries(place) if entry.is_dir()]
        if not level:
            break
    return []


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # nobody may look into it: there is nothing to read
        return []


def _tables_in(folders: Iterable[Path]) -> list[tuple[Path, SpeechTable]]:
    found = []
    for folder in folders:
        for entry in _entries(folder):
            # Of many files few are tables: no path is made of the others.
            if os.path.splitext(entry.name)[1].casefold() not in _ENDINGS:  # noqa: PTH122
                continue
            path = Path(entry.path)
            if entry.is_file() and _worth_reading(path):
                table = _table_in(path)
                if table is not None:
                    found.append((path, table))
    return sorted(found, key=lambda one: one[0])


def _worth_reading(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name.casefold() in _NO_TABLES
    return not hidden and path.stat().st_size <= _LARGEST_TEXT


def _table_in(path: Path) -> SpeechTable | None:
    try:
        table = read_table(path)
    except CorpusError:  # a text that is not a table of emotions: a licence, a list of speakers
        return None
    plain = {"filename", "file", "path"}
    head = path.open("rb").read(400).decode("utf-8", errors="ignore").casefold()
    if "emotion" in head and any(word in head for word in plain):
        return table
    known = sum(is_emotion(row.emotion) for row in table.rows)
    return table if table.rows and 2 * known >= len(table.rows) else None
