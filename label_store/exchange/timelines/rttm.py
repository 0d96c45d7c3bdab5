"""RTTM: one file for all clips, a line a label; the emotion stands where the speaker does.

Source: NIST, "Rich Transcription Meeting Recognition Evaluation Plan", 2009, appendix A.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from label_store.errors import LabelTableError
from label_store.exchange.rows import RowProblem
from label_store.exchange.timelines.timeline import Found, Timeline, interval


def write(lines: Iterable[Timeline]) -> bytes:
    """Return all time lines; blanks in names are written as %20."""
    return "".join(
        f"SPEAKER {quote(line.place)} 1 {start!r} {end - start!r} <NA> <NA> "
        f"{quote(row.emotion)} <NA> <NA>\n"
        for line in lines
        for start, end, row in line.stretches()
    ).encode()


def read(text: str, file: str) -> list[Found]:
    """Return the labels of SPEAKER lines; other kinds of line are passed over.

    Raises:
        LabelTableError: there is no such line.
    """
    found: list[Found] = []
    for line, row in enumerate(text.splitlines(), 1):
        cells = row.split()
        if not cells or cells[0] != "SPEAKER":
            continue
        try:
            name, start, length, label = cells[1], float(cells[3]), float(cells[4]), cells[7]
        except (IndexError, ValueError):
            reason = "The line has no file, start, duration and name."
            found.append(RowProblem(line, row[:80], "bad-number", reason))
            continue
        found.append(interval(unquote(name), start, start + length, unquote(label), line=line))
    if not found:
        raise LabelTableError(f"{file}: no SPEAKER line found.")
    return found
