"""``Filename,Emotion`` tables as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from label_store.errors import TableError
from label_store.exchange.formulas import defuse, restore
from label_store.exchange.rows import LabelRow, RowProblem, Table, build, collect, heading

MAX_BYTES: Final = 256 * 2**20
_LIMIT = threading.Lock()


def read_csv(data: bytes, name: str = "table.csv") -> Table:
    """Read a table with at least a column for the file name and one for the emotion.

    UTF-8 with or without BOM, UTF-16 with BOM and CP1252; comma, semicolon, tab or bar; Excel's
    ``sep=`` line; formulas that an export defused are restored.

    Args:
        data: the file's bytes.
        name: its name, for messages.

    Raises:
        TableError: a needed column is missing, or it is no table.
    """
    if len(data) > MAX_BYTES:
        raise TableError(f"{name} has {len(data)} bytes; {MAX_BYTES} is the most.")
    text = _decode(data, name)
    first = text.split("\n", 1)[0].strip().strip('"')
    delimiter = ""
    skipped = 0
    if first.casefold().startswith("sep=") and len(first) == 5:
        delimiter, skipped = first[4], 1
        text = text.split("\n", 1)[1] if "\n" in text else ""
    delimiter = delimiter or _delimiter(text)
    # csv's limit on a cell is the process's own; a long cell is to cost its row, not the table.
    with _LIMIT:
        before = csv.field_size_limit(MAX_BYTES)
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise TableError(f"{name} is no table: {error}.") from error
        finally:
            csv.field_size_limit(before)
    while rows and not any(cell.strip() for cell in rows[0]):
        rows.pop(0)
        skipped += 1
    if not rows:
        raise TableError(f"{name} is empty; a heading with Filename and Emotion is wanted.")
    columns = [heading(restore(cell)) for cell in rows[0]]
    _require(columns, name)
    return collect(_build(columns, rows[1:], skipped + 2))


def _build(
    columns: Sequence[str], rows: Sequence[list[str]], first: int
) -> Iterator[LabelRow | RowProblem]:
    for line, row in enumerate(rows, first):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(columns):
            row = row + [""] * (len(columns) - len(row))
        beyond = [cell for cell in row[len(columns) :] if cell.strip()]
        if beyond:
            reason = f"The row has {len(row)} cells, the heading {len(columns)}."
            yield RowProblem(line, row[0][:80], "long-row", reason)
            continue
        cells: dict[str, str] = {}
        for column, cell in zip(columns, row, strict=False):
            if column:
                cells.setdefault(column, restore(cell))
        yield build(line, cells)


def _require(columns: Sequence[str], name: str) -> None:
    missing = [wanted for wanted in ("file_name", "emotion") if wanted not in columns]
    if missing:
        titles = {"file_name": "Filename", "emotion": "Emotion"}
        wanted = " and ".join(titles[one] for one in missing)
        found = ", ".join(column[:30] for column in columns[:12])
        raise TableError(f"{name} has no column {wanted}; found were: {found}.")


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError(f"{name} is neither UTF-8, UTF-16 nor CP1252 text; save it as UTF-8.")


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    counts = {delimiter: first.count(delimiter) for delimiter in ",;\t|"}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else ","


def to_csv(rows: Sequence[LabelRow], *, delimiter: str = ",", bom: bool = False) -> bytes:
    """Return a ``Filename,Emotion,...`` table; formulas are defused.

    Args:
        rows: what it holds.
        delimiter: between cells.
        bom: begin with a BOM, from which Excel sees that it is UTF-8.
    """
    extra = sorted({name for row in rows for name in row.extra})
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    heads = ["Filename", "Emotion", "Corpus", "Clip", "Start", "End", *extra]
    writer.writerow([defuse(cell) for cell in heads])
    for row in rows:
        cells = [row.file_name, row.emotion, row.corpus, row.clip, *times(row)]
        cells += [row.extra.get(name, "") for name in extra]
        writer.writerow([defuse(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def times(row: LabelRow) -> tuple[str, str]:
    """Return a row's start and end as cells."""
    return (
        "" if row.start is None else repr(row.start),
        "" if row.end is None else repr(row.end),
    )
