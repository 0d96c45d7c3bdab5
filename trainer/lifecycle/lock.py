"""One training at a time in a home, by a lock that dies with its process."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from ser_core.files import write_json
from ser_core.home import Home, HomeLike
from trainer.errors import LockedError

_PATIENCE = 1.0
"""Seconds that a trainer waits for the lock: whoever only looks holds it for a moment."""


@dataclass(frozen=True)
class Holder:
    """Who trains in a home.

    Attributes:
        purpose: what it does.
        process: its process id; 0 where it can't be known.
        host: the machine it runs on.
        since: UTC, ISO 8601.
    """

    purpose: str
    process: int = 0
    host: str = ""
    since: str = ""

    def __str__(self) -> str:
        if not self.process:
            return self.purpose
        return f"{self.purpose} (process {self.process}, since {self.since})"

    @property
    def here(self) -> bool:
        """Whether it runs on this machine, so that a signal reaches it."""
        return self.process > 0 and self.host == socket.gethostname()


def holder(home: HomeLike) -> Holder | None:
    """Return who trains in a home now, or None where nobody does.

    What a killed trainer left behind is nobody: the operating system took its lock away.

    Args:
        home: SER_HOME.
    """
    paths = Home(home)
    # Looking takes the lock for a moment, so look only where somebody left a name.
    if not paths.training_holder.is_file():
        return None
    try:
        with FileLock(paths.training_lock, timeout=0):
            return None
    except Timeout:
        return _read(paths)


@contextmanager
def only_one(
    home: HomeLike, purpose: str = "a training run", *, clock: Callable[[], float] = time.time
) -> Iterator[None]:
    """Hold the home's training lock for the length of a ``with`` block.

    The operating system holds the lock (flock), so that a killed process lets go of it.

    Args:
        home: SER_HOME.
        purpose: what the holder does, for the message that a second one gets.
        clock: seconds since 1970.

    Raises:
        LockedError: a live process holds it; the message says which and since when.
    """
    paths = Home(home)
    paths.models.mkdir(parents=True, exist_ok=True)
    lock = FileLock(paths.training_lock)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        raise LockedError(
            f"{_read(paths)} is at work in {paths.root}; wait until it ends"
        ) from error
    try:
        since = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
        me = Holder(purpose, os.getpid(), socket.gethostname(), since)
        write_json(paths.training_holder, asdict(me), durable=False)
        yield
    finally:
        paths.training_holder.unlink(missing_ok=True)
        lock.release()


def _read(paths: Home) -> Holder:
    try:
        values = json.loads(paths.training_holder.read_text(encoding="utf-8"))
        return Holder(
            str(values["purpose"]),
            int(values["process"]),
            str(values.get("host", "")),
            str(values["since"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        # The holder is between taking the lock and writing who it is.
        return Holder("another training run")
