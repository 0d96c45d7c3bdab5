"""Times in tables: seconds, clock times, and the time deltas that pandas writes."""

from __future__ import annotations

import math
import re

_CLOCK = re.compile(r"(?:(\d+)\s*days?)?\s*[ +]?(?:(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?))?")
_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*(ms|s)?", re.IGNORECASE)
_NOTHING = frozenset({"", "nat", "nan", "none", "null", "-"})
MOST = 1e7
"""Seconds that a time may have at most."""


def seconds(cell: str) -> float | None:
    """Return a time in seconds, None for an empty cell.

    Raises:
        ValueError: it is not a time.

    >>> seconds("0.9"), seconds("00:00:00.900"), seconds("0 days 00:00:00.8"), seconds("NaT")
    (0.9, 0.9, 0.8, None)
    """
    text = cell.strip().casefold()
    if text in _NOTHING:
        return None
    number = _NUMBER.fullmatch(text)
    if number:
        value = float(number[1].replace(",", "."))
        value = value / 1000 if number[2] == "ms" else value
    else:
        clock = _CLOCK.fullmatch(text)
        if clock is None or not any(clock.groups()):
            raise ValueError(f"“{cell.strip()[:30]}” is not a time; write seconds or 00:00:01.500")
        days, hours, minutes, rest = (
            float((part or "0").replace(",", ".")) for part in clock.groups()
        )
        value = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if not (math.isfinite(value) and 0 <= value < MOST):
        raise ValueError(f"{cell.strip()[:30]} is not between 0 and {MOST:.0f} seconds")
    return value


def segment(start: str, end: str) -> tuple[float | None, float | None]:
    """Return a segment's start and end in seconds; (None, None) is the whole file.

    Raises:
        ValueError: a cell is not a time, or the end is not after the start.

    >>> segment("0 days", ""), segment("0.5", "1")
    ((None, None), (0.5, 1.0))
    """
    first, last = seconds(start), seconds(end)
    if last is None:
        return (first or None), None
    if last <= (first or 0.0):
        raise ValueError(f"the end ({last:g} s) is not after the start ({first or 0:g} s)")
    return first or 0.0, last
