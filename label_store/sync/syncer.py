"""Keeping in step in the background: a label never waits for it, and an outage never loses one."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from label_store.errors import StoreError
from label_store.sync.replica import Moved, Replica

LOG = logging.getLogger(__name__)


class Errand(Protocol):
    """Something else that travels with a round, for instance trained models."""

    def __call__(self) -> object:
        """Do it; raises SyncError where the place can't be reached."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """How far a store and its place are in step, for a page to show.

    Attributes:
        place: the place's name.
        saved: events saved here.
        waiting: how many of them are still to go to the place.
        kept_through: every event up to this number is kept at the place.
        lag: seconds that the oldest waiting event has been waiting; 0 with none.
        folded_in: whether everything at the place was folded in since the start.
        error: why the last try failed, or "".
        retry_in: seconds until the next try after a failure, else 0.
        damaged: objects at the place whose bytes are not what their name says.
    """

    place: str
    saved: int
    waiting: int
    kept_through: int
    lag: float = 0.0
    folded_in: bool = False
    error: str = ""
    retry_in: float = 0.0
    damaged: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """How many of the events saved here are kept at the place."""
        return self.saved - self.waiting


class Syncer:
    """Sends what is saved within seconds, and looks at the place from time to time.

    Args:
        replica: the store and the place.
        errand: what else to do in each full round; None = nothing.
        look_seconds: how often saved events are looked for.
        round_seconds: how often the place is looked at.
        longest_pause: seconds; pauses after failures double up to this.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        replica: Replica,
        *,
        errand: Errand | None = None,
        look_seconds: float = 2.0,
        round_seconds: float = 30.0,
        longest_pause: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replica = replica
        self._errand = errand
        self._look_seconds = look_seconds
        self._round_seconds = round_seconds
        self._longest_pause = longest_pause
        self._clock = clock
        self._wake = threading.Event()
        self._tried = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._error = ""
        self._next_try = 0.0
        self._next_round = 0.0
        self._waiting_since: float | None = None
        self._folded_in = False
        self._damaged: tuple[str, ...] = ()

    def start(self) -> None:
        """Go on in the background until `stop`; the first act is a full round."""
        self._thread = threading.Thread(target=self._run, name="label-sync", daemon=True)
        self._thread.start()

    def wait_folded_in(self, seconds: float) -> bool:
        """Wait for the first round after `start`; return whether everything is folded in.

        Where it is not, `status` says why.

        Args:
            seconds: how long at most. A place that is out of reach holds nobody up for longer.
        """
        self._tried.wait(seconds)
        return self._folded_in

    def stop(self, seconds: float = 8.0) -> bool:
        """Send what is left and end; return whether everything is kept at the place.

        Args:
            seconds: how long to wait for it. What can't be sent in time stays saved here.
        """
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)
        return self._replica.waiting().events == 0

    def hurry(self) -> None:
        """Look for saved events now."""
        self._wake.set()

    def status(self) -> Status:
        """Return how far the two are in step."""
        # Counted first: what is saved while the waiting ones are counted is not called kept.
        state = self._replica.store.state()
        saved, last = len(state), state.entries[-1].number if state.entries else 0
        waiting = self._replica.waiting()
        now = self._clock()
        if not waiting.events:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        return Status(
            place=self._replica.place.name,
            saved=max(saved, waiting.events),
            waiting=waiting.events,
            kept_through=last if waiting.first is None else min(last, waiting.first - 1),
            lag=now - self._waiting_since if self._waiting_since is not None else 0.0,
            folded_in=self._folded_in,
            error=self._error,
            retry_in=max(self._next_try - now, 0.0) if self._error else 0.0,
            damaged=self._damaged,
        )

    def _run(self) -> None:
        self._try(whole=True)
        self._tried.set()
        while not self._stopping:
            self._wake.wait(self._look_seconds)
            self._wake.clear()
            if self._stopping:
                break
            now = self._clock()
            if now < self._next_try:
                continue
            if now >= self._next_round or not self._folded_in:
                self._try(whole=True)
            elif self._replica.waiting().events:
                self._try(whole=False)
        if self._replica.waiting().events:
            self._try(whole=False)

    def _try(self, *, whole: bool) -> None:
        try:
            moved = self._replica.round() if whole else self._replica.send()
            if whole and self._errand is not None:
                self._errand()
        except StoreError as error:
            self._failed(str(error))
            return
        except Exception as error:  # labels go on being saved, whatever went wrong here
            LOG.exception("Keeping labels in step failed")
            self._failed(f"{type(error).__name__}: {error}")
            return
        if self._failures:
            LOG.info("%s is reached again", self._replica.place.name)
        self._failures, self._error, self._next_try = 0, "", 0.0
        if whole:
            self._done(moved)

    def _done(self, moved: Moved) -> None:
        self._folded_in = True
        self._next_round = self._clock() + self._round_seconds
        new = [name for name in moved.damaged if name not in self._damaged]
        self._damaged = tuple(moved.damaged)
        for name in new:
            LOG.warning("%s at %s is damaged and left out", name, self._replica.place.name)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._error = reason
        pause = min(2.0 ** min(self._failures, 16), self._longest_pause)
        # Replicas that lost the same place at once should not all come back at once.
        self._next_try = self._clock() + pause * random.uniform(0.5, 1.0)
        LOG.warning("%s Next try in %.0f s.", reason, pause)
