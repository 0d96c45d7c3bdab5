"""Who has which clip before their eyes: leases on disk, so that a reload keeps them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from label_store.errors import LeaseError, SaveError


@dataclass(frozen=True, slots=True)
class Lease:
    """One clip, held by one sitting of one annotator until it expires.

    Attributes:
        clip: the clip's key.
        annotator, session: who, in which sitting.
        taken, until: seconds since 1970.
    """

    clip: str
    annotator: str
    session: str
    taken: float
    until: float

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

    def renew(self, clip: str, annotator: str, session: str, seconds: float) -> Lease:
        """Hold a clip for longer.

        Raises:
            LeaseError: the lease has expired and somebody may have the clip now.
        """
        with self.exclusive() as table:
            held = table.held(annotator, session)
            if clip not in {lease.clip for lease in held}:
                raise LeaseError("The clip was not held any more; take the next one.")
            table.release(clip, annotator, session)
            return table.take(clip, annotator, session, seconds)

    def release(self, clip: str, annotator: str, session: str) -> None:
        """Give a clip back; one that is not held is no error."""
        with self.exclusive() as table:
            table.release(clip, annotator, session)


class LeaseTable:
    """The leases while they are held alone."""

    def __init__(self, leases: list[Lease], now: float) -> None:
        self.leases = leases
        self.now = now
        self.changed = False

    def held(self, annotator: str, session: str) -> list[Lease]:
        """Return what a sitting holds, oldest first."""
        mine = (one for one in self.leases if (one.annotator, one.session) == (annotator, session))
        return sorted(mine, key=lambda lease: lease.taken)

    def holders(self) -> dict[str, list[Lease]]:
        """Return clip -> who holds it."""
        found: dict[str, list[Lease]] = {}
        for lease in self.leases:
            found.setdefault(lease.clip, []).append(lease)
        return found

    def take(self, clip: str, annotator: str, session: str, seconds: float) -> Lease:
        """Hold a clip for some seconds."""
        lease = Lease(clip, annotator, session, self.now, self.now + seconds)
        self.leases.append(lease)
        self.changed = True
        return lease

    def release(self, clip: str, annotator: str, session: str) -> None:
        """Give a clip back."""
        kept = [
            one
            for one in self.leases
            if (one.clip, one.annotator, one.session) != (clip, annotator, session)
        ]
        self.changed = self.changed or len(kept) < len(self.leases)
        self.leases = kept
