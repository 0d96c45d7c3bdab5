"""Segments to begin with: where somebody speaks, and what the model hears there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ser_core.errors import SerError
from ui.clip_cache import PreparedClip
from ui.errors import PageError
from ui.segments import Segment

RATE = 16_000
SHORTEST = 0.3
"""Least seconds of a suggested segment; what is shorter is given some of the silence around it."""


def suggested_segments(ready: PreparedClip) -> list[Segment]:
    """Return a clip's segments between pauses, each with the model's emotion there.

    The emotion is that of the windows which cover most of the segment; "" where the model is not
    sure of any of them, or none is near.

    Raises:
        PageError: the clip can't be decoded.
    """
    from ser_core import audio
    from ser_core.audio.segmentation import cut_at_pauses

    try:
        clip = audio.load(ready.data, sample_rate=RATE)
    except SerError as error:
        raise PageError(str(error)) from error
    windows = (ready.prediction or {}).get("windows") or ()
    return [
        Segment(round(start, 3), round(end, 3), heard(windows, start, end))
        for start, end in cut_at_pauses(audio.mono(clip.samples), RATE, shortest=SHORTEST)
    ]


def heard(windows: Any, start: float, end: float) -> str:
    """Return the emotion that windows say of a stretch, each by how much of it it covers.

    >>> heard([{"start": 0, "end": 3, "emotion": "joy"}], 1, 2)
    'joy'
    >>> heard([{"start": 0, "end": 3, "emotion": "joy"}], 4, 5)
    ''
    """
    covered: Counter[str] = Counter()
    for window in windows:
        found: Mapping[str, Any] = window
        shared = min(end, found["end"]) - max(start, found["start"])
        if found.get("emotion") and shared > 0:
            covered[found["emotion"]] += shared
    return max(covered, key=lambda name: covered[name]) if covered else ""
