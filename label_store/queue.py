"""Which clip comes next for whom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from label_store.candidate import Candidate, QueueSettings
from label_store.fold import WHOLE, ClipView, State
from label_store.leases import Lease, Leases, LeaseTable
from label_store.order import NEEDS_LABELS, order_of
from label_store.store import LabelStore

RECOUNT: Final = 20
"""Events after which strategies that look at the annotations are computed anew."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A clip to show.

    Attributes:
        candidate: the clip.
        lease: until when it is kept from others.
        head: id of the clip's latest change; give it back as ``expect``.
        why: the strategy, ``random``, ``skipped``, ``resumed``, or ``waiting`` where the strategy
            could not score it. A gold clip looks like any other.
    """

    candidate: Candidate
    lease: Lease
    head: str | None
    why: str


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """How far an annotator is.

    Attributes:
        done: candidates that the annotator labelled.
        skipped: candidates that they skipped and did not label.
        remaining: candidates that still wait for a label that the annotator could give.
        total: all candidates.
        per_hour: labels an hour over the last session's labels (50 at most); None below two.
    """

    done: int
    skipped: int
    remaining: int
    total: int
    per_hour: float | None


class LabelQueue:
    """Hands out clips so that two people never work on the same one by accident.

    Args:
        store: where annotations and leases are.
        candidates: clips that may be shown.
        rng: draws the random share and the gold clips.
        settings: how to choose.
        clock: seconds since 1970, for leases.

    Attributes:
        gold: clip -> who gave its known answer ("" = nobody). Everybody else is to label it once,
            at a chosen share of the clips shown.
        telling: clip -> how much one more label of it would tell, 0..1, for that strategy.
        enough: clips that have enough labels; nobody is shown them, unless they are gold.
    """

    def __init__(
        self,
        store: LabelStore,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        settings: QueueSettings | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.settings = settings or QueueSettings()
        self.leases = Leases(store.folder, clock)
        self.gold: Mapping[str, str] = {}
        self.telling: Mapping[str, float] = {}
        self.enough: Collection[str] = frozenset()
        self._rng = rng
        self.replace(candidates)

    def replace(self, candidates: Sequence[Candidate]) -> None:
        """Take other candidates, for instance with a new model's probabilities."""
        self.candidates = tuple({one.clip: one for one in candidates}.values())
        self._place = {one.clip: place for place, one in enumerate(self.candidates)}
        self._labelled = np.array([not one.unlabelled for one in self.candidates], dtype=np.bool_)
        self._order: NDArray[np.int64] | None = None
        self._scored = np.zeros(len(self.candidates), dtype=np.bool_)
        self._counted_at = 0

    def rate(self, telling: Mapping[str, float], enough: Collection[str]) -> None:
        """Take what is known of the labels by now; see `label_store.crowd.rate_clips`.

        Args:
            telling, enough: as the attributes.
        """
        self.enough = enough
        if telling is not self.telling:
            self.telling = telling
            if self.settings.strategy == "telling":
                self._order = None

    def next(
        self, annotator: str, session: str, *, prefetched: Sequence[str] = (), binding: bool = True
    ) -> Ticket | None:
        """Return the next clip for a session, held for it; None when nothing is left.

        A session that already holds a clip (the page was loaded again) gets that one back.

        Args:
            annotator, session: who, in which session; another browser is another session.
            prefetched: clips that the page already has, shown or fetched early; they are
                neither given back nor given again.
            binding: others wait for a clip that is held; False for visitors, who keep nobody
                waiting.

        Raises:
            SaveError: the lease can't be written.
        """
        with self.leases.exclusive() as table:
            # Read under the lock: whoever gave a lease back had saved before.
            state = self.store.state()
            for lease in table.held(annotator, session):
                mine = state.clip(lease.clip)
                if annotator in mine.whole() or annotator in mine.skips:
                    table.release(lease.clip, annotator, session)
                elif lease.clip in self._place and lease.clip not in prefetched:
                    lease = self._take(table, lease.clip, annotator, session, binding)
                    return self._ticket(self._place[lease.clip], lease, state, "resumed")
            openness = self._openness(state, table, annotator)
            place, why = self._choose(state, openness, frozenset(prefetched))
            if place is None:
                return None
            clip = self.candidates[place].clip
            lease = self._take(table, clip, annotator, session, binding)
            return self._ticket(place, lease, state, why)

    def coming(self, annotator: str, most: int, *, but: Sequence[str] = ()) -> list[Candidate]:
        """Return clips that may come next for an annotator, without holding them.

        Args:
            annotator: for whom.
            most: how many at most.
            but: clips that are not wanted.
        """
        with self.leases.exclusive() as table:
            state = self.store.state()
            # Nothing changes under the lock, so that each clip is looked at once for all of them.
            openness = cache(self._openness(state, table, annotator))
            found: list[Candidate] = []
            while len(found) < most:
                left_out = frozenset([*but, *(one.clip for one in found)])
                place, why = self._choose(state, openness, left_out)
                if place is None or why == "skipped":
                    break
                found.append(self.candidates[place])
            return found

    def _take(
        self, table: LeaseTable, clip: str, annotator: str, session: str, binding: bool
    ) -> Lease:
        seconds = self.settings.lease_seconds
        return table.take(clip, annotator, session, seconds, binding=binding)

    def progress(self, annotator: str) -> QueueProgress:
        """Return how far an annotator is."""
        state = self.store.state()
        done = skipped = remaining = 0
        for candidate in self.candidates:
            if candidate.clip not in state:
                remaining += 1
                continue
            view = state.clip(candidate.clip)
            annotated = annotator in view.whole()
            done += annotated
            skipped += not annotated and annotator in view.skips
            remaining += not annotated and not self._closed(view, candidate.clip)
        return QueueProgress(done, skipped, remaining, len(self.candidates), rate(state, annotator))

    def _ticket(self, place: int, lease: Lease, state: State, why: str) -> Ticket:
        candidate = self.candidates[place]
        return Ticket(candidate, lease, state.clip(candidate.clip).head, why)

    def known(self) -> int:
        """Return of how many candidates the strategy can score."""
        self._ranked(self.store.state())
        return int(self._scored.sum())

    def annotations_needed(self, clip: str) -> int:
        """Return how many annotators are to label a clip; of a gold clip all."""
        if clip in self.gold:
            return sys.maxsize
        if self.settings.strategy == "telling":
            return sys.maxsize  # how much a label tells says when a clip has enough of them
        return self._at_once(clip)

    def _at_once(self, clip: str) -> int:
        """Return how many annotators may work on a clip at the same time."""
        # The clip's own hash decides, so that every process agrees on which clips overlap.
        share = int(clip[:8], 16) / 2**32
        return self.settings.overlap_annotators if share < self.settings.overlap else 1

    def _closed(self, view: ClipView, clip: str) -> bool:
        """Return whether a clip needs no more labels, whoever is asked."""
        if clip in self.gold:
            return False
        enough = clip in self.enough or bool(view.reviews)
        labels = len(view.annotations.get(WHOLE, ()))
        return enough or labels >= self.annotations_needed(clip)

    def _openness(self, state: State, table: LeaseTable, annotator: str) -> Callable[[int], int]:
        """Return what says of a candidate's place whether its clip is open to an annotator.

        0 = not open, 1 = open, 2 = gold, 3 = skipped by another, 4 = by the annotator.
        """
        holders = table.holders()

        def openness(place: int) -> int:
            clip = self.candidates[place].clip
            held = holders.get(clip, ())
            if held and any(lease.annotator == annotator for lease in held):
                return 0
            view = state.clip(clip) if clip in state else _NOTHING
            annotators = view.annotations.get(WHOLE, {}).keys()
            if annotator in annotators or self.gold.get(clip) == annotator:
                return 0
            if clip not in self.gold:
                if self._closed(view, clip):
                    return 0
                if held:
                    others = {lease.annotator for lease in held}
                    if len(annotators | others) >= self.annotations_needed(clip):
                        return 0
                    if len(others) >= self._at_once(clip):
                        return 0
            mine = annotator in view.skips
            return 4 if mine else 2 if clip in self.gold else 3 if view.skips else 1

        return openness

    def _choose(
        self, state: State, openness: Callable[[int], int], prefetched: frozenset[str]
    ) -> tuple[int | None, str]:
        def open_to(place: int) -> int:
            return 0 if self.candidates[place].clip in prefetched else openness(place)

        if self._rng.random() < self.settings.random_share or self.settings.strategy == "random":
            why, order = "random", self._rng.permutation(len(self.candidates))
        else:
            why, order = self.settings.strategy, self._ranked(state)
        # Clips that nobody and no corpus labelled come first: they are what there is to do.
        if why != "telling":  # which weighs by itself how much is known of a clip
            order = order[np.argsort(self._labelled[order], kind="stable")]
        if self.gold and self._rng.random() < self.settings.gold_share:
            held_out = [self._place[clip] for clip in self.gold if clip in self._place]
            for place in self._rng.permutation(held_out).tolist():
                if open_to(place) == 2:
                    known = why == "random" or bool(self._scored[place])
                    return place, why if known and why != "label-error" else "waiting"
        later: dict[int, int] = {}
        for place in order.tolist():
            found = open_to(place)
            if found == 1:
                known = why == "random" or bool(self._scored[place])
                return place, why if known else "waiting"
            if found:
                later.setdefault(found, place)
        if 2 in later:
            return later[2], "waiting"
        return later.get(3, later.get(4)), "skipped"

    def _ranked(self, state: State) -> NDArray[np.int64]:
        moved = len(state) - self._counted_at
        depends = self.settings.strategy in NEEDS_LABELS or self.settings.balance
        if self._order is None or (depends and moved >= RECOUNT):
            self._counted_at = len(state)
            self._order, self._scored = order_of(
                self.candidates, self.settings, state, self.telling
            )
        return self._order


_NOTHING: Final = ClipView("")


def rate(state: State, annotator: str, *, labels: int = 50) -> float | None:
    """Return an annotator's labels an hour over their last session; None below two labels.

    Args:
        state: the store's state.
        annotator: who.
        labels: how many of the latest labels are looked at.
    """
    times: list[float] = []
    session: str | None = None
    for entry in reversed(state.entries):
        if entry.annotator != annotator or entry.action != "label":
            continue
        if (session is not None and entry.session != session) or len(times) == labels:
            break
        session = entry.session
        times.append(datetime.fromisoformat(entry.time).timestamp())
    seconds = times[0] - times[-1] if len(times) > 1 else 0.0
    return (len(times) - 1) / seconds * 3600 if seconds > 0 else None
