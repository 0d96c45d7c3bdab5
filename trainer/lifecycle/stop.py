"""A signal as a request: the run saves what it has and ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Signals:
    """Turn SIGTERM and SIGINT into a request to save and stop, while in the main thread.

    Args:
        asked: set by a signal.
    """

    def __init__(self, asked: threading.Event) -> None:
        self.asked = asked
        self.before: dict[int, Any] = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.before[number] = signal.signal(number, self._ask)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
