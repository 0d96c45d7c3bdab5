"""Leases: which session holds which clip, on disk so that a reload keeps them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from label_store.errors import SaveError

MOST_OF_A_SESSION: Final = 8
"""Clips that one session may hold: the one shown, and those fetched ahead."""

MOST_OF_AN_ANNOTATOR: Final = 40
"""Clips that one annotator may hold over all sessions; all visitors are one annotator here."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One clip, held by one session of one annotator until it expires.

    Attributes:
        clip: the clip's key.
        annotator, session: who, in which session.
        taken, until: seconds since 1970.
        binding: whether others wait for the clip. A visitor's lease only brings the same
            clip back; annotators may be given the clip as well.
    """

    clip: str
    annotator: str
    session: str
    taken: float
    until: float
    binding: bool = True

    def holds(self, now: float) -> bool:
        """Return whether it counts; one from the future (the clock jumped back) does not."""
        return self.taken <= now + 1 and now < self.until


class Leases:
    """The leases of one store.

    Args:
        folder: the store's ``labels`` folder.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / "leases.json"
        self._lock = FileLock(folder / ".leases.lock", thread_local=False, is_singleton=False)
        self._clock = clock

    @contextmanager
    def exclusive(self) -> Iterator[LeaseTable]:
        """Hold the leases alone; what was changed in the table is written at the end.

        Raises:
            SaveError: the folder can't be written, or another process holds the lock for long.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock.acquire(timeout=15, poll_interval=0.001):
                now = self._clock()
                table = LeaseTable([lease for lease in self._read() if lease.holds(now)], now)
                yield table
                if table.changed:
                    self._write(table.leases)
        except Timeout:
            raise SaveError(f"Another process holds {self._path} for long; try again.") from None
        except OSError as error:
            raise SaveError(
                f"{self._path} can't be written: {error.strerror or error}. "
                "Make the folder writable or free some space."
            ) from error

    def active(self) -> list[Lease]:
        """Return the leases that hold now."""
        now = self._clock()
        return [lease for lease in self._read() if lease.holds(now)]

    def _read(self) -> list[Lease]:
        # Leases are a courtesy, not the truth: a damaged file only means that none are held.
        try:
            return [Lease(**one) for one in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError):
            return []

    def _write(self, leases: list[Lease]) -> None:
        draft = self._path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            draft.write_text(json.dumps([asdict(one) for one in leases]), encoding="utf-8")
            os.replace(draft, self._path)  # noqa: PTH105
        finally:
            draft.unlink(missing_ok=True)

    def release(self, clip: str, annotator: str, session: str) -> None:
        """Give a clip back; one that is not held is not an error."""
        with self.exclusive() as table:
            table.release(clip, annotator, session)


class LeaseTable:
    """The leases while they are held alone."""

    def __init__(self, leases: list[Lease], now: float) -> None:
        self.leases = leases
        self.now = now
        self.changed = False

    def held(self, annotator: str, session: str) -> list[Lease]:
        """Return what a session holds, oldest first."""
        mine = (one for one in self.leases if (one.annotator, one.session) == (annotator, session))
        return sorted(mine, key=lambda lease: lease.taken)

    def holders(self) -> dict[str, list[Lease]]:
        """Return clip -> who holds it, as far as others are to wait for it."""
        found: dict[str, list[Lease]] = {}
        for lease in self.leases:
            if lease.binding:
                found.setdefault(lease.clip, []).append(lease)
        return found

    def take(
        self, clip: str, annotator: str, session: str, seconds: float, *, binding: bool = True
    ) -> Lease:
        """Hold a clip for some seconds; beyond what one may hold, the oldest goes back.

        Args:
            clip: the clip's key; one that the session holds already is held anew.
            annotator, session: who, in which session.
            seconds: how long.
            binding: see `Lease`.
        """
        self.release(clip, annotator, session)
        lease = Lease(clip, annotator, session, self.now, self.now + seconds, binding)
        self.leases.append(lease)
        self.changed = True
        self._bound(self.held(annotator, session), MOST_OF_A_SESSION)
        mine = [one for one in self.leases if one.annotator == annotator]
        self._bound(sorted(mine, key=lambda one: one.taken), MOST_OF_AN_ANNOTATOR)
        return lease

    def _bound(self, oldest_first: list[Lease], most: int) -> None:
        for lease in oldest_first[: max(len(oldest_first) - most, 0)]:
            self.leases.remove(lease)

    def release(self, clip: str, annotator: str, session: str) -> None:
        """Give a clip back."""
        kept = [
            one
            for one in self.leases
            if (one.clip, one.annotator, one.session) != (clip, annotator, session)
        ]
        self.changed = self.changed or len(kept) < len(self.leases)
        self.leases = kept
