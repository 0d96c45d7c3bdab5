"""Which stretches of a clip the network is asked about: speech found, ends trimmed, windows cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import Audio, mono, quality, speech_detection
from ser_core.inference.abstention import NO_SPEECH, SILENT, Abstention

MIN_SPEECH = 0.15
"""Share of a window that must be speech for the window to be judged."""


@dataclass(frozen=True)
class SpeechActivity:
    """What is known of a clip before any network runs.

    Attributes:
        segments: stretches of speech, (start, end) in seconds, in order.
        abstention: why no answer can be given, or None.
        warnings: sentences on what makes an answer less sure.
    """

    segments: tuple[tuple[float, float], ...] = ()
    abstention: Abstention | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a clip.

    Attributes:
        bounds: first and end sample of each, in order of time; they overlap by half.
        speech: share of each that is speech, 0 to 1.
        judged: whether each counts for the clip's answer. Of a clip without speech all do, for
            those who ask the network all the same.
    """

    bounds: tuple[tuple[int, int], ...]
    speech: tuple[float, ...]
    judged: tuple[bool, ...]


def detect_speech(clip: Audio) -> SpeechActivity:
    """Measure a clip's quality and find its speech.

    Args:
        clip: samples ``[channel, time]`` of any rate.
    """
    measured = quality.inspect(clip)
    if measured.reject is not None:
        return SpeechActivity((), Abstention(SILENT, measured.reject), measured.warnings)
    found = speech_detection.speech_segments(mono(clip.samples)[0], clip.sample_rate)
    if found:
        return SpeechActivity(tuple(found), None, measured.warnings)
    message = (
        "No speech was found in the clip. Record closer to the microphone, "
        "or choose a part in which somebody speaks."
    )
    return SpeechActivity((), Abstention(NO_SPEECH, message), measured.warnings)


def window_starts(samples: int, window: int, hop: int) -> list[int]:
    """Return the first sample of each window; the last window ends with the clip.

    >>> window_starts(100, 40, 20), window_starts(30, 40, 20), window_starts(90, 40, 20)
    ([0, 20, 40, 60], [0], [0, 20, 40, 50])
    """
    if samples <= window:
        return [0]
    starts = list(range(0, samples - window + 1, hop))
    return starts if starts[-1] == samples - window else [*starts, samples - window]


def plan_windows(
    samples: int, activity: SpeechActivity, *, window: int, rate: int, trim: bool
) -> WindowPlan:
    """Return the windows of a clip.

    Args:
        samples: length of the clip.
        activity: where somebody speaks in it.
        window: length of one window, in samples.
        rate: frames a second, in hertz.
        trim: leave out what lies before and behind the speech.
    """
    first, end = 0, samples
    if trim:
        first, end = speech_detection.spoken_span(activity.segments, samples, rate)
    starts = [first + start for start in window_starts(end - first, window, max(1, window // 2))]
    bounds = [(start, min(start + window, end)) for start in starts]
    shares = [spoken_share(activity.segments, a / rate, b / rate) for a, b in bounds]
    judged = [share >= MIN_SPEECH for share in shares]
    if activity.abstention is not None:
        judged = [True] * len(bounds)
    elif not any(judged):
        judged[int(np.argmax(shares))] = True
    return WindowPlan(tuple(bounds), tuple(shares), tuple(judged))


def spoken_share(segments: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """Return how much of a stretch is speech, 0 to 1.

    Args:
        segments: stretches of speech, (start, end) in seconds.
        start, end: of the stretch, in seconds.

    >>> spoken_share([(0.0, 1.0), (1.5, 3.0)], 0.0, 2.0)
    0.75
    """
    held = sum(max(0.0, min(end, b) - max(start, a)) for a, b in segments)
    return held / (end - start) if end > start else 0.0
