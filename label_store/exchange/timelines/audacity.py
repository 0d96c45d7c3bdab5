"""Audacity's label track: start, end and text of each label, with tabs between them.

Source: Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

from label_store.exchange.timelines.timeline import Found, Timeline, interval


def write(line: Timeline) -> bytes:
    """Return a clip's time line as a label track."""
    return "".join(
        f"{start!r}\t{end!r}\t{row.emotion}\n" for start, end, row in line.stretches()
    ).encode()


def is_track(text: str) -> bool:
    """Return whether a text is a label track and not another table.

    >>> is_track("0.5\\t1.25\\tjoy\\n"), is_track("Filename\\tEmotion\\n")
    (True, False)
    """
    first = next((one for one in text.splitlines() if one.strip()), "")
    return _times(first.split("\t")) is not None


def read(text: str, name: str) -> list[Found]:
    """Return a label track's labels; lines of spectral selections (``\\``) are passed over."""
    found: list[Found] = []
    for line, row in enumerate(text.splitlines(), 1):
        cells = row.split("\t")
        times = _times(cells)
        if times is not None:
            found.append(interval(name, *times, "\t".join(cells[2:]), line=line))
    return found


def _times(cells: list[str]) -> tuple[float, float] | None:
    try:
        return (float(cells[0].replace(",", ".")), float(cells[1].replace(",", ".")))
    except (IndexError, ValueError):
        return None
