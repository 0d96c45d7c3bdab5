"""The rows of an event file: one line of CSV each, read into entries that the fold works on.

A row is one line and never spans two. What can't be read, or holds what no event may hold, is left
out and reported; the rows around it count.
"""

from __future__ import annotations

import csv
import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple

from label_store.errors import EventError
from label_store.event import (
    COLUMNS,
    LEVELS,
    check,
    decode,
    encode_row,
    encode_unchecked,
    wrong_words,
)

HEADER: Final = encode_row(COLUMNS)
ROW_BYTES: Final = 300
"""About what a row takes."""

_LARGE: Final = 4 * 2**20


class JournalEntry(NamedTuple):
    """What the fold needs of an event, and where the whole of it stands."""

    number: int
    event_id: str
    time: str
    action: str
    annotator: str
    session: str
    clip: str
    file_name: str
    former_name: str
    corpus: str
    start: str
    end: str
    emotion: str
    second_emotion: str
    intensity: str
    target: str
    file: int
    offset: int
    length: int

    @property
    def key(self) -> str:
        """The clip's hash, or ``name:corpus/file`` without one."""
        return self.clip or f"name:{self.corpus}/{self.former_name or self.file_name}"


_FIELDS: Final = JournalEntry._fields[1:16]


@dataclass(frozen=True, slots=True)
class JournalProblem:
    """Something found in the event files that a person should know of.

    Attributes:
        kind: ``torn-tail``, ``damaged-row``, ``refused-row`` or ``damaged-file``.
        file: the file's name.
        reason: one sentence: what was found and what was done.
    """

    kind: str
    file: str
    reason: str


class RowReader:
    """Reads rows into entries, and knows which words it has judged already."""

    def __init__(self) -> None:
        self._good_words: set[str] = set()

    def read(
        self,
        lines: list[bytes],
        offsets: list[int],
        columns: tuple[str, ...],
        *,
        name: str,
        index: int,
    ) -> tuple[list[JournalEntry], list[JournalProblem]]:
        """Return the entries of rows, in order, and what is wrong with those left out.

        Args:
            lines: the rows without their line feeds.
            offsets: where in the file each begins, in bytes.
            columns: the file's own, ``number`` among them.
            name: the file's name, for the reports.
            index: what the entries call the file.
        """
        entries: list[JournalEntry] = []
        problems: list[JournalProblem] = []
        width = len(columns)
        places = {column: place for place, column in enumerate(columns)}
        number_at = places["number"]
        # A column that the file lacks is read from an empty cell put behind the row.
        pick = itemgetter(*(places.get(field, -1) for field in _FIELDS))
        head = max(places.get(field, 0) for field in ("number", *_FIELDS)) + 1
        tail_commas = width - head - 1
        make, good = JournalEntry._make, self._good_words
        for offset, line in zip(offsets, lines, strict=False):
            text = line.decode("utf-8", "replace")
            # Most rows have no quotation mark before their last columns, which no fold needs.
            row = text.split(",", head)
            quote = text.find('"')
            tail = row[head] if len(row) > head else ""
            if not tail or 0 <= quote < len(text) - len(tail) or tail.count(",") < tail_commas:
                row = parse_text(text)
                if len(row) != width:
                    if text:
                        problems.append(_damaged(name, offset, line))
                    continue
            row.append("")
            try:
                entry = make((int(row[number_at]), *pick(row), index, offset, len(line)))
                datetime.fromisoformat(entry.time)
                if entry.start or entry.end:
                    _seconds(entry.start, entry.end)
                if entry.intensity and entry.intensity not in LEVELS:
                    raise ValueError(entry.intensity)
            except ValueError:
                problems.append(_damaged(name, offset, line))
                continue
            markup = "<" in text or "&" in text
            second = entry.second_emotion
            known = entry.emotion in good and entry.annotator in good and second in good
            if markup or not known or _odd(entry.file_name):
                wrong = wrong_words(entry.annotator, entry.emotion, entry.file_name, second)
                if markup and not wrong:
                    wrong = _wrong_event(text, columns)
                if wrong:
                    reason = f"byte {offset}: {wrong} The event was left out"
                    problems.append(JournalProblem("refused-row", name, reason))
                    continue
                good.update((entry.emotion, entry.annotator, second))
            entries.append(entry)
        return entries, problems


def _damaged(name: str, offset: int, line: bytes) -> JournalProblem:
    reason = f"byte {offset}: {line[:60]!r} does not fit this file's columns; it was left out"
    return JournalProblem("damaged-row", name, reason)


def _wrong_event(text: str, columns: tuple[str, ...]) -> str:
    # Where there is a sign of markup the whole event is judged as if it were to be written.
    try:
        check(decode(dict(zip(columns, parse_text(text), strict=False))))
    except EventError as error:
        return str(error)
    return ""


def _seconds(start: str, end: str) -> None:
    if not all(math.isfinite(float(cell)) for cell in (start, end) if cell):
        raise ValueError("seconds that are not numbers")


def _odd(name: str) -> bool:
    # A quick look; what looks odd is then judged by the rules for names.
    return not name.isprintable() or ".." in name or name[:1] in {"/", "\\"} or name[1:2] == ":"


def parse_row(row: bytes) -> list[str]:
    """Return the cells of a row as an event file holds it; none where it can't be read."""
    return parse_text(row.decode("utf-8", "replace"))


def parse_text(text: str) -> list[str]:
    """Return the cells of a row that is text already; none where it can't be read."""
    try:
        return next(csv.reader([text.rstrip("\r")]), [])
    except csv.Error:
        return []


def in_own_columns(row: bytes, columns: tuple[str, ...]) -> bytes:
    """Return a row of a file with other columns as a row in COLUMNS, without its line feed.

    Args:
        row: as its file holds it; one that does not fit the columns is returned as it is.
        columns: of its file.
    """
    cells = parse_row(row)
    if len(cells) != len(columns):
        return row
    return encode_unchecked(decode(dict(zip(columns, cells, strict=True)))).rstrip(b"\n")


@contextmanager
def unhindered(size: int = _LARGE + 1, *, stays: bool = True) -> Iterator[None]:
    """Let many objects be made undisturbed, where so many bytes of rows are read.

    Args:
        size: bytes of rows; few make no difference.
        stays: what is made is kept until the process ends, or nearly so.
    """
    # Reading makes millions of objects and no garbage cycles; the collector would walk them all
    # again and again and double the time.
    pause = size > _LARGE and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            if stays:  # then no later collection need walk it either
                gc.freeze()
            gc.enable()
