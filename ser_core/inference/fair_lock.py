"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """A context manager like ``threading.Lock``, first come, first served.

    The plain lock may be taken again at once by the thread that gave it back, so that one long
    piece of work in many steps keeps all others waiting.

    >>> lock = FairLock()
    >>> with lock:
    ...     lock.waiting
    0
    """

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._line: deque[threading.Lock] = deque()
        self._held = False

    @property
    def waiting(self) -> int:
        """How many threads wait for the lock."""
        with self._inner:
            return len(self._line)

    def acquire(self) -> None:
        """Wait for the lock."""
        with self._inner:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._line.append(turn)
        turn.acquire()  # until the holder before this one hands the lock on

    def release(self) -> None:
        """Hand the lock to who has waited for longest."""
        with self._inner:
            if self._line:
                self._line.popleft().release()
            else:
                self._held = False

    def __enter__(self) -> FairLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
