"""Long recordings cut at their pauses into segments that one person can label at a glance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ser_core.audio.speech_detection import speech_segments

PAUSE = 0.7
"""Seconds of silence that end a segment, however short it is."""

_FRAME = 0.02


def cut_at_pauses(
    samples: npt.NDArray[np.float32],
    rate: int,
    *,
    longest: float = 8.0,
    shortest: float = 1.0,
) -> list[tuple[float, float]]:
    """Return the segments of a recording in which somebody speaks, as (start, end) in seconds.

    Stretches of speech are joined while the pause between them is short and they fit together.
    One that is too long is cut where it is quietest; one that is too short is given some of the
    silence around it.

    Args:
        samples: one channel, ``[time]`` or ``[1, time]``, full scale is 1.
        rate: hertz.
        longest: most seconds of a segment, above ``shortest``.
        shortest: least seconds of a segment where there is room for them.

    Raises:
        ValueError: ``longest`` is not above ``shortest``.

    >>> cut_at_pauses(np.zeros(16000, np.float32), 16000)
    []
    """
    if not 0 < shortest < longest:
        raise ValueError(f"longest is {longest}; more than shortest ({shortest}) is expected")
    sound = np.atleast_2d(samples)[0]
    joined: list[tuple[float, float]] = []
    for start, end in speech_segments(sound, rate):
        last = joined[-1] if joined else None
        if last is not None and start - last[1] <= PAUSE and end - last[0] <= longest:
            joined[-1] = (last[0], end)
        else:
            joined.append((start, end))
    parts = [part for one in joined for part in _split(sound, rate, *one, longest)]
    return _widened(parts, len(sound) / rate, shortest)


def _split(
    sound: npt.NDArray[np.float32], rate: int, start: float, end: float, longest: float
) -> list[tuple[float, float]]:
    parts: list[tuple[float, float]] = []
    while end - start > longest:
        # Parts of about one length, each cut within a quarter of it before its latest place.
        part = (end - start) / math.ceil((end - start) / longest)
        place = _quietest(sound, rate, start + 0.75 * part, start + part)
        parts.append((start, place))
        start = place
    return [*parts, (start, end)]


def _quietest(sound: npt.NDArray[np.float32], rate: int, low: float, high: float) -> float:
    frame = max(1, round(_FRAME * rate))
    piece = sound[round(low * rate) : round(high * rate)]
    count = len(piece) // frame
    if not count:
        return high
    power = np.square(piece[: count * frame].reshape(count, frame)).mean(axis=1)
    return low + (int(power.argmin()) + 0.5) * frame / rate


def _widened(
    parts: list[tuple[float, float]], seconds: float, shortest: float
) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for place, (start, end) in enumerate(parts):
        missing = shortest - (end - start)
        if missing > 0:
            before = found[-1][1] if found else 0.0
            after = parts[place + 1][0] if place + 1 < len(parts) else seconds
            start = max(before, start - missing / 2)
            end = min(after, start + shortest)
            start = max(before, end - shortest)
        found.append((round(start, 3), round(end, 3)))
    return found
