"""SubRip subtitles: a cue a label, times in milliseconds.

Source: the SubRip (.srt) format as Matroska's specification describes it (S_TEXT/UTF8).
"""

from __future__ import annotations

import re

from label_store.errors import LabelTableError
from label_store.exchange.timelines.timeline import Found, Timeline, interval

_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{1,3})")


def write(line: Timeline) -> bytes:
    """Return a clip's time line as subtitles."""
    cues = []
    for number, (start, end, row) in enumerate(line.stretches(), 1):
        low = round(start * 1000)
        high = max(low + 1, round(end * 1000))
        cues.append(f"{number}\n{_clock(low)} --> {_clock(high)}\n{row.emotion}\n")
    return "\n".join(cues).encode()


def read(text: str, file: str, name: str) -> list[Found]:
    """Return the cues of subtitles.

    Raises:
        LabelTableError: there is no cue in it.
    """
    found: list[Found] = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        times = _TIMES.search(block)
        if times is None:
            continue
        start, end = (_seconds(times.groups()[at : at + 4]) for at in (0, 4))
        label = block[times.end() :].strip()
        found.append(interval(name, start, end, label, line=len(found) + 1))
    if not found:
        raise LabelTableError(f"{file}: no cue found; expected 00:00:01,000 --> 00:00:02,500.")
    return found


def _clock(moment: int) -> str:
    seconds, milli = divmod(moment, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{milli:03}"


def _seconds(parts: tuple[str, ...]) -> float:
    hours, minutes, whole, milli = parts
    return int(hours) * 3600 + int(minutes) * 60 + int(whole) + int(milli.ljust(3, "0")) / 1000
