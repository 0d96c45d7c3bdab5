"""A table that one command writes and another shows: columns, rows of text, and what they mean."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DataError
from trainer.reporting.records import decode, encode


@dataclass(frozen=True)
class ReportTable:
    """A table of a study.

    Attributes:
        title: one line.
        columns: heads.
        rows: cells as they are shown, as many as there are heads.
        notes: what a reader must know, a sentence each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise DataError(
                    f"a row of “{self.title}” has {len(row)} cells for {len(self.columns)} columns"
                )

    def to_json(self) -> str:
        """Return it as JSON; `read` reads it back."""
        return json.dumps(encode(self), indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """Return the heads and the rows."""
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([self.columns, *self.rows])
        return buffer.getvalue()

    def to_markdown(self) -> str:
        """Return it in Markdown, notes below.

        >>> print(ReportTable("t", ("a", "b"), (("1|2", ""),)).to_markdown())
        | a | b |
        | --- | --- |
        | 1\\|2 |  |
        """

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

        lines = [line(self.columns), line(["---"] * len(self.columns)), *map(line, self.rows)]
        if self.notes:
            lines += ["", " ".join(self.notes)]
        return "\n".join(lines)

    def to_text(self) -> str:
        """Return it for a terminal."""
        shown = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in shown) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in shown
        ]
        return "\n".join([self.title, *lines, *self.notes])


def read(path: str | Path) -> ReportTable:
    """Read a table's JSON.

    Raises:
        DataError: the file can't be read or holds no table.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the table {path} can't be read: {error}") from error
    return decode(ReportTable, values, str(path))
