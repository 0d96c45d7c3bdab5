"""The committed sides of the known corpora: which speakers train, validate and test."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from ser_core.errors import CorpusError

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")


def read_sides(path: Path) -> dict[str, Side]:
    """Read one committed table.

    Args:
        path: CSV with the columns speaker and side; lines that begin with # are remarks.

    Returns:
        Speaker -> side.

    Raises:
        CorpusError: another header, an unknown side or a speaker named twice.
    """
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    table: dict[str, Side] = {}
    for number, row in enumerate(csv.reader(lines)):
        if number == 0:
            if row != ["speaker", "side"]:
                raise CorpusError(
                    f"{path}: expected the header speaker,side, found {','.join(row)}."
                )
            continue
        side = next((side for side in SIDES if row[1:] == [side]), None)
        if side is None or row[0] in table:
            raise CorpusError(
                f"{path}: “{','.join(row)}” is not a new speaker and one of {', '.join(SIDES)}."
            )
        table[row[0]] = side
    return table


TABLES: dict[str, dict[str, Side]] = {
    path.stem: read_sides(path)
    for path in sorted((Path(__file__).parent / "split_tables").glob("*.csv"))
}
"""The committed sides: family -> speaker -> side. They never change between releases."""
