"""One training at a time in a home, by a lock that dies with its process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from trainer.errors import LockedError


@contextmanager
def only_one(
    home: Path, purpose: str = "a training run", *, clock: Callable[[], float] = time.time
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
    folder = home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "training.json"
    lock = FileLock(folder / "training.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LockedError(f"{_describe(holder)} is at work in {home}; wait for its end") from error
    try:
        since = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
        holder.write_text(json.dumps({"process": os.getpid(), "purpose": purpose, "since": since}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _describe(holder: Path) -> str:
    try:
        data = json.loads(holder.read_text())
        return f"{data['purpose']} (process {data['process']}, since {data['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        # The holder is between taking the lock and writing who it is.
        return "another training run"
