"""Listening as it happens: a ring of sound, one judgement at a time, nothing that grows."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ui.errors import PageError

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

Floats = npt.NDArray[np.float32]

SHOWN = 10.0
"""Seconds on the rolling picture."""

KEPT = 120.0
"""Seconds of sound held in memory, to be taken away if the person asks."""

RECENT = 1.0
"""Without speech in this many last seconds there is silence, whatever came before."""

LEAST = 0.6
"""Seconds of sound before the first judgement."""

MOST_AT_ONCE = 8.0
"""Most seconds in one piece; a page that stalled longer than that has lost its thread."""

RATES = (8_000, 192_000)
SMOOTHING: dict[str, float] = {"none": 1.0, "some": 0.5, "much": 0.25}
"""Share of the newest judgement in what is shown; the rest is what was shown before."""


@dataclass(frozen=True)
class Moment:
    """What was heard at one moment.

    Attributes:
        start, end: seconds since the start; the stretch that is new since the last moment.
        probabilities: smoothed and calibrated, in the model's order; None for silence.
        took: seconds that the judgement took.
    """

    start: float
    end: float
    probabilities: Floats | None
    took: float


@dataclass(frozen=True)
class LiveSnapshot:
    """The last ``SHOWN`` seconds.

    Attributes:
        samples: ``[1, time]`` at ``rate``; shorter at the beginning.
        rate: hertz.
        end: seconds since the start at the last sample.
        moments: in order of time.
        emotions: the model's.
    """

    samples: Floats
    rate: int
    end: float
    moments: tuple[Moment, ...]
    emotions: tuple[str, ...]


class Ring:
    """The last samples of an endless sound, in memory that never grows.

    Args:
        size: samples held.

    >>> ring = Ring(3)
    >>> ring.push(np.array([1, 2, 3, 4], np.float32)); ring.last(2).tolist()
    [3.0, 4.0]
    """

    def __init__(self, size: int) -> None:
        self._held = np.zeros(size, np.float32)
        self.total = 0

    def push(self, samples: Floats) -> None:
        """Take samples in, ``[time]``; the oldest make room."""
        size = len(self._held)
        new = samples[-size:]
        at = (self.total + len(samples) - len(new)) % size
        first = min(len(new), size - at)
        self._held[at : at + first] = new[:first]
        self._held[: len(new) - first] = new[first:]
        self.total += len(samples)

    def last(self, count: int) -> Floats:
        """Return a copy of the last samples, at most what is held."""
        size = len(self._held)
        count = min(count, size, self.total)
        end = self.total % size
        if end >= count:
            return self._held[end - count : end].copy()
        return np.concatenate([self._held[end - count :], self._held[:end]])


class LiveSession:
    """One person's microphone.

    Args:
        rate: hertz that the model wants.
        clock: seconds, ever growing.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.rate, self._clock = rate, clock
        self.ring = Ring(round(KEPT * rate))
        self.moments: deque[Moment] = deque(maxlen=round(SHOWN / 0.1))
        self.lock = threading.Lock()
        self.seen = 0.0
        self._shown: Floats | None = None
        self._source = 0
        self._stream: Any = None

    @property
    def end(self) -> float:
        """Seconds heard so far."""
        return self.ring.total / self.rate

    def hear(
        self,
        recognizer: Recognizer,
        samples: npt.NDArray[Any],
        rate: int,
        smoothing: str = "some",
    ) -> LiveSnapshot:
        """Take a piece of sound in and judge the last window.

        Args:
            recognizer: the model that serves now.
            samples: ``[time]``, int16 or float with full scale 1.
            rate: hertz.
            smoothing: a key of ``SMOOTHING``.

        Raises:
            PageError: no sound, a strange rate, or a piece that is too long.
        """
        piece = self._checked(samples, rate)
        with self.lock:
            start = self.end
            self.ring.push(self._resampled(piece, rate))
            if self.end >= LEAST:
                self._judge(recognizer, start, SMOOTHING.get(smoothing, 1.0))
            return self._snapshot(recognizer)

    def recording(self, seconds: float = KEPT) -> tuple[Floats, float]:
        """Return the last seconds that are held, ``[1, time]``, and when they ended.

        Args:
            seconds: how many are asked for; fewer come where fewer are held.

        Raises:
            PageError: nothing was heard yet.
        """
        with self.lock:
            if not self.ring.total:
                raise PageError("Nothing was heard yet. Press Start and speak first.")
            return self.ring.last(round(min(seconds, KEPT) * self.rate))[None], self.end

    def _checked(self, samples: npt.NDArray[Any], rate: int) -> Floats:
        if not RATES[0] <= rate <= RATES[1]:
            raise PageError(
                f"The microphone records at {rate} Hz; 8,000 to 192,000 Hz are supported."
            )
        sound = np.asarray(samples)
        if sound.ndim != 1 or not len(sound) or len(sound) > MOST_AT_ONCE * rate:
            raise PageError("The recording has a gap. Press Stop, then Start again.")
        whole = np.issubdtype(sound.dtype, np.integer)
        piece = sound.astype(np.float32) / (32768.0 if whole else 1.0)
        if not np.isfinite(piece).all():
            raise PageError("The microphone sent invalid values. Press Stop, then Start again.")
        return np.clip(piece, -1.0, 1.0)

    def _resampled(self, piece: Floats, rate: int) -> Floats:
        if rate == self.rate:
            return piece
        if rate != self._source:
            import soxr

            self._source, self._stream = rate, soxr.ResampleStream(rate, self.rate, 1)
        changed: Floats = self._stream.resample_chunk(piece)
        return changed

    def _judge(self, recognizer: Recognizer, start: float, share: float) -> None:
        from ser_core.audio import Audio
        from ser_core.inference.windows import MIN_SPEECH, detect_speech, spoken_share

        began = self._clock()
        window = Audio(self.ring.last(recognizer.specification.samples)[None], self.rate, self.rate)
        speech = detect_speech(window)
        segments, seconds = speech.segments, window.seconds
        spoken = spoken_share(segments, 0.0, seconds)
        if spoken < MIN_SPEECH or segments[-1][1] < seconds - RECENT:
            self._shown = None
        else:
            found = recognizer.predict(window, speech=speech)
            new = np.array(list(found.probabilities.values()), np.float32)
            old = self._shown
            fits = old is not None and len(old) == len(new)
            self._shown = share * new + (1 - share) * old if fits else new
        took = self._clock() - began
        self.moments.append(Moment(start, self.end, self._shown, took))

    def _snapshot(self, recognizer: Recognizer) -> LiveSnapshot:
        shown = tuple(m for m in self.moments if m.end > self.end - SHOWN)
        known = len(recognizer.emotions)
        held = tuple(m for m in shown if m.probabilities is None or len(m.probabilities) == known)
        sound = self.ring.last(round(SHOWN * self.rate))[None]
        return LiveSnapshot(sound, self.rate, self.end, held, recognizer.emotions)


class LiveSessions:
    """Who is listening now; bounded, and forgotten when the tab closes.

    Args:
        most: most people at once.
        idle: seconds of silence on the line after which a place may be given to another.
        clock: seconds, ever growing.
    """

    def __init__(
        self, most: int = 8, idle: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._idle, self._clock = most, idle, clock
        self._sessions: OrderedDict[str, LiveSession] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def session(self, name: str, rate: int, *, fresh: bool = False) -> LiveSession:
        """Return a person's session; ``fresh`` begins a new one.

        Raises:
            PageError: too many people listen at once.
        """
        with self._lock:
            now = self._clock()
            held = self._sessions.get(name)
            if held is None or fresh or held.rate != rate:
                self._sessions.pop(name, None)
                self._make_room(now)
                held = self._sessions[name] = LiveSession(rate)
            held.seen = now
            return held

    def known(self, name: str) -> LiveSession | None:
        """Return a person's session, or None."""
        return self._sessions.get(name)

    def forget(self, name: str) -> None:
        """Drop what is held of a person."""
        with self._lock:
            self._sessions.pop(name, None)

    def _make_room(self, now: float) -> None:
        for name, held in list(self._sessions.items()):
            if len(self._sessions) >= self._most and now - held.seen > self._idle:
                del self._sessions[name]
        if len(self._sessions) >= self._most:
            raise PageError(
                f"{self._most} people are using Live now, which is as many as this page can serve. "
                "Try again in a minute."
            )
