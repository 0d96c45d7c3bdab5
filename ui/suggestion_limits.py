"""How much people whom nobody knows may leave behind as suggestions."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ui.errors import PageError

HOUR = 3600.0


@dataclass
class SuggestionLimits:
    """Bounds by session and for all visitors together.

    Attributes:
        home: the disk on which suggestions are kept.
        seconds: longest clip that may be suggested.
        by_session: suggestions of one session within an hour.
        in_all: suggestions of all sessions within an hour.
        bytes_in_all: bytes of suggested clips within an hour.
        free_bytes: room on the disk that is kept for those who may write.
        clock: seconds that only grow.
    """

    home: Path
    seconds: float = 120.0
    by_session: int = 20
    in_all: int = 200
    bytes_in_all: int = 200 * 2**20
    free_bytes: int = 500 * 2**20
    clock: Callable[[], float] = time.monotonic
    _kept: deque[tuple[float, str, str, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, session: str, sha256: str, emotion: str, *, seconds: float, size: int) -> None:
        """Count a suggestion.

        Args:
            session: who suggests.
            sha256, emotion: what.
            seconds, size: length and bytes of the clip.

        Raises:
            PageError: it goes over a limit; the message says which and what to do.
        """
        if seconds > self.seconds:
            raise PageError(
                f"A suggestion may be {self.seconds:.0f} s long at most; this clip has "
                f"{seconds:.0f} s. Cut out the part that you mean."
            )
        self.home.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.home).free < self.free_bytes + size:
            raise PageError("There is no room for suggestions at the moment. Nothing was kept.")
        now = self.clock()
        what = f"{sha256} {emotion}"
        with self._lock:
            while self._kept and self._kept[0][0] < now - HOUR:
                self._kept.popleft()
            if any(who == session and held == what for _, who, held, _ in self._kept):
                raise PageError("You suggested that already. It waits for a reviewer.")
            mine = sum(who == session for _, who, _, _ in self._kept)
            total = sum(held for *_, held in self._kept)
            if mine >= self.by_session:
                raise PageError(
                    f"At most {self.by_session} suggestions an hour are taken from one visitor. "
                    "Come back later, or ask the owner to let you label."
                )
            if len(self._kept) >= self.in_all or total + size > self.bytes_in_all:
                raise PageError("Too many suggestions came within the hour. Try again later.")
            self._kept.append((now, session, what, size))
