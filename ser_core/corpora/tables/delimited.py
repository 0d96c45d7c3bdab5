"""Tables of delimited text: CSV and TSV as people, spreadsheets and annotation tools write them."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from ser_core.corpora.tables.addresses import file_of
from ser_core.corpora.tables.columns import (
    find_columns,
    fold_heading,
    headless_columns,
    is_audio_name,
)
from ser_core.corpora.tables.row import SpeechTable, TableProblem, TableRow
from ser_core.corpora.tables.text import decode
from ser_core.corpora.tables.times import segment
from ser_core.corpora.tables.words import is_emotion
from ser_core.errors import ColumnError, TableError

DELIMITERS: Final = ",;\t|"
MOST_BYTES: Final = 256 * 2**20
MOST_ROWS: Final = 1_000_000
MOST_CELL: Final = 10_000
_SEXES = {"f": "f", "female": "f", "woman": "f", "w": "f", "m": "m", "male": "m", "man": "m"}
_DEFUSED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
_TIME = re.compile(r"\d+(?:[.,]\d+)?")
_LIMIT = threading.Lock()


def read_delimited(data: bytes, name: str, chosen: Mapping[str, str] | None = None) -> SpeechTable:
    """Read a table with at least a column for the file name and one for the emotion.

    Any of the usual delimiters, Excel's ``sep=`` line, blank first lines, an index column; without
    a heading where the columns can be told by what stands in them (ESD, Audacity).

    Args:
        data: the file's bytes.
        name: its name, for messages; of Audacity's labels it is also the audio file's.
        chosen: field -> heading that a person chose.

    Raises:
        TableError: it is not text, not a table, or too large.
        ColumnError: a needed column can't be told; its headings are there to choose from.
    """
    if len(data) > MOST_BYTES:
        raise TableError(f"{name}: {len(data)} bytes; at most {MOST_BYTES} are read.")
    decoded = decode(data, name)
    notes = [decoded.note] if decoded.note else []
    lines = _lines(decoded.text, name)
    if not lines:
        raise TableError(f"{name}: empty; expected a heading with Filename and Emotion.")
    first_line, head = lines[0]
    body = [(number, cells) for number, cells in lines[1:]]
    sample = [cells for _, cells in body[:200]]
    audacity = _audacity([cells for _, cells in lines])
    if audacity and not chosen:
        stem = PurePosixPath(name.replace("\\", "/")).name
        return _audacity_table(lines, re.sub(r"\.[^.]+$", "", stem), notes)
    headless = {} if chosen or _heading_like(head) else headless_columns([*sample, head]) or {}
    try:
        if headless and is_audio_name(head[headless["file_name"]]):  # what would be lost is a row
            raise ColumnError(f"{name}: its first row names a file.", tuple(head))
        places, guessed = find_columns(head, sample, chosen or {}, name)
    except ColumnError:
        if not headless:
            raise
        places, body = headless, lines
        head, guessed = [""] * len(head), [f"{name}: read as a table without heading."]
    rows: list[TableRow] = []
    problems: list[TableProblem] = []
    for number, cells in body:
        for one in _read(number, cells, head, places):
            (rows if isinstance(one, TableRow) else problems).append(one)  # type: ignore[arg-type]
    del first_line
    return SpeechTable(tuple(rows), tuple(problems), (*notes, *guessed))


def _lines(text: str, name: str) -> list[tuple[int, list[str]]]:
    """Return the rows with their numbers, blank ones left out."""
    raw = text.removeprefix("\ufeff")
    skipped = 0
    while raw and not raw.partition("\n")[0].strip(" \t\r;,|"):
        raw, skipped = raw.partition("\n")[2], skipped + 1
    first = raw.partition("\n")[0].strip().strip('"')
    delimiter = ""
    if re.fullmatch(r"(?i)sep=.", first):
        delimiter, raw, skipped = first[4], raw.partition("\n")[2], skipped + 1
    delimiter = delimiter or _delimiter(raw)
    # csv's limit on a cell is the process's own; a long cell is to cost its row, not the table.
    with _LIMIT:
        before = csv.field_size_limit(MOST_BYTES)
        try:
            lines = []
            reader = csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter)
            for number, cells in enumerate(reader, skipped + 1):
                if any(cell.strip() for cell in cells):
                    lines.append((number, cells))
                if len(lines) > MOST_ROWS + 1:
                    raise TableError(f"{name}: more than {MOST_ROWS} rows. Divide the table.")
        except csv.Error as error:
            raise TableError(f"{name}: not a table ({error}).") from error
        finally:
            csv.field_size_limit(before)
    return lines


def _delimiter(text: str) -> str:
    sample = [line for line in text[:65536].splitlines()[:20] if line.strip()]
    if not sample:
        return ","

    def fit(delimiter: str) -> tuple[bool, int]:
        counts = [line.count(delimiter) for line in sample]
        return counts[0] > 0 and min(counts) > 0, counts[0]

    best = max(DELIMITERS, key=fit)
    return best if best in sample[0] else ","


def _heading_like(head: Sequence[str]) -> bool:
    """Return whether a row holds a known heading, so that it is not data."""
    from ser_core.corpora.tables.columns import FIELDS

    known = {alias for aliases in FIELDS.values() for alias in aliases}
    return any(fold_heading(cell) in known for cell in head)


def _audacity(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows are Audacity's labels: start, end and a word, by tabs."""
    return bool(rows) and all(
        (len(row) == 3 and _TIME.fullmatch(row[0].strip()) and _TIME.fullmatch(row[1].strip()))
        or row[0].strip() == "\\"  # the frequencies of a label, on a line of their own
        for row in rows
    )


def _audacity_table(
    lines: Sequence[tuple[int, list[str]]], stem: str, notes: Sequence[str]
) -> SpeechTable:
    rows: list[TableRow] = []
    problems: list[TableProblem] = []
    for number, cells in lines:
        if cells[0].strip() == "\\":
            continue
        found = build(
            number, {"file_name": stem, "emotion": cells[2], "start": cells[0], "end": cells[1]}
        )
        (rows if isinstance(found, TableRow) else problems).append(found)  # type: ignore[arg-type]
    note = f"Read as Audacity's labels of the recording “{stem}”."
    return SpeechTable(tuple(rows), tuple(problems), (*notes, note))


def _read(
    number: int, cells: Sequence[str], head: Sequence[str], places: Mapping[str, int]
) -> Iterator[TableRow | TableProblem]:
    name = cells[places["file_name"]].strip()[:80] if places["file_name"] < len(cells) else ""
    if any(cell.strip() for cell in cells[len(head) :]):
        reason = f"The row has {len(cells)} cells, the heading {len(head)}: {_shown(cells)}."
        yield TableProblem(number, name, "unreadable-row", reason)
        return
    padded = [restore(cell) for cell in cells] + [""] * (len(head) - len(cells))
    fields = {field: padded[place].strip() for field, place in places.items()}
    extra = {
        heading.strip(): cell.strip()
        for place, (heading, cell) in enumerate(zip(head, padded, strict=False))
        if place not in places.values() and heading.strip() and cell.strip()
    }
    yield from expand(number, fields, extra)


def expand(
    number: int, fields: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> Iterator[TableRow | TableProblem]:
    """Yield the rows that cells make: several where Label Studio put regions into one cell.

    Args:
        number: the row's number.
        fields: field -> cell.
        extra: the other columns.
    """
    emotion = fields.get("emotion", "")
    if emotion[:1] in "[{":
        try:
            value: Any = json.loads(emotion)
        except ValueError:
            value = None
        if value is not None:
            yield from _regions(number, fields, extra or {}, value)
            return
    yield build(number, fields, extra)


def _regions(
    number: int, fields: Mapping[str, str], extra: Mapping[str, str], value: Any
) -> Iterator[TableRow | TableProblem]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            one = {"choices": value if isinstance(value, list) else [one]}
        if not isinstance(one, dict):
            yield TableProblem(
                number,
                fields.get("file_name", "")[:80],
                "unreadable-row",
                "The cell of the emotion is JSON without labels.",
            )
            continue
        given = one.get("choices") or one.get("labels") or []
        given = [given] if isinstance(given, str) else list(given)
        cells = dict(fields)
        cells |= {key: str(one[key]) for key in ("start", "end") if one.get(key) is not None}
        yield one_of(number, cells, [str(word) for word in given], extra)
        if isinstance(value, list) and all(isinstance(other, str) for other in value):
            return


def one_of(
    number: int,
    fields: Mapping[str, str],
    given: Sequence[str],
    extra: Mapping[str, str] | None = None,
) -> TableRow | TableProblem:
    """Return the row of several words for one segment; only one of them may be an emotion."""
    moods = list(dict.fromkeys(word for word in given if is_emotion(word))) or list(given)
    if len(moods) > 1:
        name = fields.get("file_name", "")[:80]
        reason = f"{len(moods)} emotions at once ({', '.join(moods)[:80]}); one is expected."
        return TableProblem(number, name, "several-emotions", reason)
    return build(number, dict(fields) | {"emotion": moods[0] if moods else ""}, extra)


def build(
    number: int, fields: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> TableRow | TableProblem:
    """Return the row that cells make, or why they make none.

    Args:
        number: the row's number.
        fields: field (see `ser_core.corpora.tables.columns.FIELDS`) -> cell.
        extra: the other columns.
    """
    written = fields.get("file_name", "").strip()
    name = file_of(written)
    for column, cell in {**fields, **(extra or {})}.items():
        if len(cell) > MOST_CELL:
            reason = (
                f"The cell “{column[:40]}” has {len(cell)} characters; {MOST_CELL} is the most."
            )
            return TableProblem(number, name[:80], "unreadable-row", reason)
        if "\0" in cell:
            reason = f"The cell “{column[:40]}” holds a NUL byte."
            return TableProblem(number, name[:80].replace("\0", "�"), "unreadable-row", reason)
    if not name:
        return TableProblem(number, "", "unreadable-row", "The row names no file.")
    try:
        start, end = segment(fields.get("start", ""), fields.get("end", ""))
    except ValueError as error:
        return TableProblem(number, name[:80], "bad-time", f"{error}.")
    return TableRow(
        line=number,
        file_name=name,
        emotion=fields.get("emotion", "").strip(),
        start=start,
        end=end,
        speaker=fields.get("speaker", "").strip(),
        sex=_SEXES.get(fields.get("sex", "").strip().casefold(), ""),
        sentence=fields.get("sentence", "").strip(),
        corpus=fields.get("corpus", "").strip(),
        clip=fields.get("clip", "").strip().lower(),
        annotator=fields.get("annotator", "").strip(),
        extra=dict(extra or {}),
    )


def restore(cell: str) -> str:
    """Return a cell without the quote that an export put before what a spreadsheet would run.

    >>> restore("'=1+1"), restore("'quoted'")
    ('=1+1', "'quoted'")
    """
    return cell[1:] if _DEFUSED.match(cell) else cell


def _shown(cells: Sequence[str]) -> str:
    return ",".join(cells)[:80]
