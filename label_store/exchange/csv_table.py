"""``Filename,Emotion`` tables as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from label_store.errors import LabelTableError
from label_store.exchange.formulas import defuse, restore
from label_store.exchange.rows import LabelRow, LabelTable, RowProblem, build, collect, heading

MAX_BYTES: Final = 256 * 2**20
_LIMIT = threading.Lock()


def read_csv(data: bytes, name: str = "table.csv") -> LabelTable:
    """Read a table that `to_csv` wrote and a person may have edited; formulas are restored.

    Tables from elsewhere are read by whoever calls `label_store.exchange.plan`.

    Args:
        data: the file's bytes, in UTF-8; comma or semicolon between cells.
        name: its name, for messages.

    Raises:
        LabelTableError: it is not UTF-8, not a table, or a needed column is missing.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelTableError(
            f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    # csv's limit on a cell is the process's own; a long cell is to cost its row, not the table.
    with _LIMIT:
        before = csv.field_size_limit(MAX_BYTES)
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise LabelTableError(f"{name} is not a table: {error}.") from error
        finally:
            csv.field_size_limit(before)
    if not rows:
        raise LabelTableError(f"{name} is empty; expected a heading with Filename and Emotion.")
    columns = [heading(restore(cell)) for cell in rows[0]]
    _require(columns, name)
    return collect(_build(columns, rows[1:], 2))


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
    missing = [expected for expected in ("file_name", "emotion") if expected not in columns]
    if missing:
        titles = {"file_name": "Filename", "emotion": "Emotion"}
        expected = " and ".join(titles[one] for one in missing)
        found = ", ".join(column[:30] for column in columns[:12])
        raise LabelTableError(f"{name} has no column {expected}; found were: {found}.")


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
