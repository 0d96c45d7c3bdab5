"""Long clips of several visitors: prepared one after the other, so that short ones have a core.

What the network does for them is shared out by `DynamicBatching`. Decoding, the detection of
speech and pictures go through a whole clip at once: an hour of them beside another would keep
every core busy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ser_core.audio.decoding import duration
from ser_core.errors import SerError
from ser_core.inference.fair_lock import FairLock

LONG_SECONDS = 60.0
"""A clip that is longer waits for the long ones before it."""

MOST = 6
"""Long clips at work or waiting; each holds its sound in memory, 230 MB for an hour."""


class LongClips:
    """Who of the long clips has the turn. Safe to share between threads.

    Args:
        most: long clips that are taken in; a further one is refused with a sentence.
        longer_than: seconds from which a clip is a long one.
    """

    def __init__(self, most: int = MOST, longer_than: float = LONG_SECONDS) -> None:
        self.most, self.longer_than = most, longer_than
        self.lane = FairLock()
        self._inside = 0
        self._counting = threading.Lock()

    @contextmanager
    def clip(self) -> Iterator[ClipTurns]:
        """Follow one clip from its first byte to its answer."""
        turns = ClipTurns(self)
        try:
            yield turns
        finally:
            if turns.long:
                with self._counting:
                    self._inside -= 1

    def enter(self) -> None:
        """Count a long clip in.

        Raises:
            SerError: so many are being worked on already.
        """
        with self._counting:
            if self._inside >= self.most:
                raise SerError(
                    f"{self._inside} recordings of over {duration(self.longer_than)} are being "
                    "worked on already. Try again in a few minutes, or send a shorter part of "
                    "yours."
                )
            self._inside += 1


class ClipTurns:
    """The turns of one clip; a short one never waits.

    Args:
        clips: all the long ones.
    """

    def __init__(self, clips: LongClips) -> None:
        self._clips = clips
        self._preparing = self._held = False
        self.long = False
        """Whether the clip turned out to be a long one."""

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Work on the whole clip: while no other long one does."""
        self._preparing = True
        try:
            if self.long:
                self._take()
            yield
        finally:
            self._preparing = False
            if self._held:
                self._held = False
                self._clips.lane.release()

    def pace(self, seconds: float) -> None:
        """Note how long the clip is, as far as it is known; a long one waits here for its turn.

        Raises:
            SerError: so many long ones are being worked on already.
        """
        if not self.long and seconds > self._clips.longer_than:
            self._clips.enter()
            self.long = True
            if self._preparing:
                self._take()

    def _take(self) -> None:
        self._clips.lane.acquire()
        self._held = True
