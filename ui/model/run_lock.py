"""Whether the run that a page started is alive: a lock that its process is born with.

The trainer's own lock (`trainer.lifecycle.lock`) is taken seconds after the start, when its
libraries are loaded, and a process id may belong to somebody else after a restart. This one is
inherited (flock), held from the first moment to the last, whatever becomes of the page, and seen by
every page of the home.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE = 1.0
"""Seconds to wait for the lock: whoever only looks holds it for a moment."""


@contextmanager
def handed_on(path: Path) -> Iterator[tuple[int, ...]]:
    """Take the lock, for a process that is started within the ``with`` block.

    Args:
        path: of the lock; made where it is missing.

    Yields:
        The descriptors that the process must inherit (``pass_fds``): it holds the lock then until
        it ends. None on Windows, where descriptors aren't inherited so.

    Raises:
        BlockingIOError: a run that is alive holds it.
    """
    if sys.platform == "win32":
        yield ()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        end = time.monotonic() + _PATIENCE
        while not _taken(descriptor):
            if time.monotonic() > end:
                raise BlockingIOError(f"{path} is held by a run that is at work")
            time.sleep(0.02)
        yield (descriptor,)
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Return whether a run that was started with the lock is alive."""
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return not _taken(descriptor)
        finally:
            os.close(descriptor)
    return False  # no page of this home has ever started a run


def _taken(descriptor: int) -> bool:
    """Take the lock if nobody has it."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
