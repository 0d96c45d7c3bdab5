"""Which clip comes next for whom."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from label_store import scores
from label_store.errors import StoreError
from label_store.fold import ClipView, State
from label_store.leases import Lease, Leases, LeaseTable
from label_store.store import LabelStore

STRATEGIES: Final = (
    "entropy",
    "margin",
    "bald",
    "disagreement",
    "label-error",
    "balance",
    "random",
)
RECOUNT: Final = 20
"""Events after which strategies that look at the annotations are computed anew."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that may be shown.

    Attributes:
        clip: the clip's hash.
        file_name, corpus: its name, and where it comes from.
        emotion: the label it has now, or "".
        probabilities: emotion -> probability; for ``label-error`` out of sample.
        samples: probabilities of several draws [draw, class], for ``bald``.
        information: what ``scores.bald`` gave for such draws, where they were not kept.
        speaker_held_out: whether the model never had the speaker in training. For other clips it
            repeats the label it learned, so ``label-error`` passes them over.
        out_of_fold: emotion -> probability by the model of the fold that leaves the speaker out;
            for ``label-error`` where ``probabilities`` are not out of sample.
        unlabelled: whether its corpus has no label for it yet; such clips come first.
    """

    clip: str
    file_name: str = ""
    corpus: str = ""
    emotion: str = ""
    probabilities: Mapping[str, float] | None = None
    samples: ArrayLike | None = field(default=None, compare=False)
    information: float | None = None
    speaker_held_out: bool = True
    out_of_fold: Mapping[str, float] | None = None
    unlabelled: bool = False

    @property
    def out_of_sample(self) -> Mapping[str, float] | None:
        """Probabilities by a model that never had the speaker in training, or None."""
        return (
            self.probabilities if self.speaker_held_out and self.probabilities else self.out_of_fold
        )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How the queue chooses.

    Attributes:
        strategy: one of STRATEGIES.
        random_share: clips drawn at random, whatever the strategy; 0.2..1. Without them, what the
            model is wrongly sure of is never seen.
        balance: weight of class and corpus balance beside the strategy, 0..1.
        overlap: share of clips that several annotators are to label, 0..1.
        overlap_annotators: how many annotators those clips get, 2 or more.
        lease_seconds: how long a shown clip is kept from others, above 0.
        gold_share: share of clips drawn from those with a known answer, 0..0.5.
    """

    strategy: str = "entropy"
    random_share: float = 0.25
    balance: float = 0.0
    overlap: float = 0.1
    overlap_annotators: int = 2
    lease_seconds: float = 300.0
    gold_share: float = 0.05

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise StoreError(
                f"“{self.strategy}” is not a strategy. Known: {', '.join(STRATEGIES)}."
            )
        for name, low in (("random_share", 0.2), ("balance", 0.0), ("overlap", 0.0)):
            if not low <= getattr(self, name) <= 1:
                raise StoreError(f"{name} is {getattr(self, name)}; expected {low} to 1.")
        if not 0 <= self.gold_share <= 0.5:
            raise StoreError(f"gold_share is {self.gold_share}; expected 0 to 0.5.")
        if self.overlap_annotators < 2 or self.lease_seconds <= 0:
            raise StoreError("overlap_annotators has to be 2 or more, lease_seconds above 0.")


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
        self._rng = rng
        self.replace(candidates)

    def replace(self, candidates: Sequence[Candidate]) -> None:
        """Take other candidates, for instance with a new model's probabilities."""
        self.candidates = tuple({one.clip: one for one in candidates}.values())
        self._place = {one.clip: place for place, one in enumerate(self.candidates)}
        self._order: NDArray[np.int64] | None = None
        self._scored = np.zeros(len(self.candidates), dtype=np.bool_)
        self._counted_at = 0

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
            place, why = self._choose(state, table, annotator, frozenset(prefetched))
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
            found: list[Candidate] = []
            while len(found) < most:
                left_out = frozenset([*but, *(one.clip for one in found)])
                place, why = self._choose(state, table, annotator, left_out)
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
            remaining += not annotated and len(view.whole()) < self.annotations_needed(
                candidate.clip
            )
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
        # The clip's own hash decides, so that every process agrees on which clips overlap.
        share = int(clip[:8], 16) / 2**32
        return self.settings.overlap_annotators if share < self.settings.overlap else 1

    def _choose(
        self, state: State, table: LeaseTable, annotator: str, prefetched: frozenset[str]
    ) -> tuple[int | None, str]:
        holders = table.holders()

        def open_to(place: int) -> int:
            """0 = not open, 1 = open, 2 = gold, 3 = skipped by another, 4 = by the annotator."""
            clip = self.candidates[place].clip
            held = holders.get(clip, ())
            if clip in prefetched or any(lease.annotator == annotator for lease in held):
                return 0
            view = state.clip(clip) if clip in state else _NOTHING
            if annotator in view.whole() or self.gold.get(clip) == annotator:
                return 0
            if clip not in self.gold:
                annotators = {*view.whole(), *(lease.annotator for lease in held)}
                if len(annotators) >= self.annotations_needed(clip) or view.reviews:
                    return 0
            mine = annotator in view.skips
            return 4 if mine else 2 if clip in self.gold else 3 if view.skips else 1

        if self._rng.random() < self.settings.random_share or self.settings.strategy == "random":
            why, order = "random", self._rng.permutation(len(self.candidates))
        else:
            why, order = self.settings.strategy, self._ranked(state)
        # Clips that nobody and no corpus labelled come first: they are what there is to do.
        labelled = np.array([not one.unlabelled for one in self.candidates], dtype=np.bool_)
        order = order[np.argsort(labelled[order], kind="stable")]
        if self.gold and self._rng.random() < self.settings.gold_share:
            held_out = [self._place[clip] for clip in self.gold if clip in self._place]
            for place in self._rng.permutation(held_out).tolist():
                if open_to(place) == 2:
                    known = why == "random" or bool(self._scored[place])
                    return place, why if known and why != "label-error" else "waiting"
        later: dict[int, int] = {}
        for place in order.tolist():
            openness = open_to(place)
            if openness == 1:
                known = why == "random" or bool(self._scored[place])
                return place, why if known else "waiting"
            if openness:
                later.setdefault(openness, place)
        if 2 in later:
            return later[2], "waiting"
        return later.get(3, later.get(4)), "skipped"

    def _ranked(self, state: State) -> NDArray[np.int64]:
        moved = len(state) - self._counted_at
        depends = self.settings.strategy in {"disagreement", "balance"} or self.settings.balance
        if self._order is None or (depends and moved >= RECOUNT):
            self._counted_at = len(state)
            rank = _rank(self._scores(state))
            if self.settings.balance and self.settings.strategy != "balance":
                weight = self.settings.balance
                rank = (1 - weight) * rank + weight * _rank(self._balance(state))
            self._order = np.argsort(-rank, kind="stable")
        return self._order

    def _scores(self, state: State) -> NDArray[np.float64]:
        """Return one score a candidate, and note of which candidates it means something."""
        strategy = self.settings.strategy
        self._scored = np.ones(len(self.candidates), dtype=np.bool_)
        if strategy == "disagreement":
            annotations = [list(state.clip(one.clip).whole().values()) for one in self.candidates]
            return scores.disagreement(annotations)
        if strategy in {"balance", "random"}:
            return self._balance(state)
        values = np.zeros(len(self.candidates))
        usable = {"bald": _drawn, "label-error": _suspected}.get(strategy, _predicted)
        known = [place for place, one in enumerate(self.candidates) if usable(one)]
        self._scored = np.zeros(len(self.candidates), dtype=np.bool_)
        self._scored[known] = True
        if not known:
            return values
        if strategy == "bald":
            values[known] = [_information(self.candidates[place]) for place in known]
            return values
        chosen = [self.candidates[place] for place in known]
        if strategy == "label-error":
            table, emotions = _table([one.out_of_sample or {} for one in chosen])
            given = [one.emotion for one in chosen]
            values[known] = scores.label_error(given, table, emotions)
        else:
            table, _ = _table([one.probabilities or {} for one in chosen])
            values[known] = (scores.entropy if strategy == "entropy" else scores.margin)(table)
        return values

    def _balance(self, state: State) -> NDArray[np.float64]:
        emotions: Counter[str] = Counter()
        corpora: Counter[str] = Counter()
        for view in state.clips():
            for emotion in view.whole().values():
                emotions[emotion] += 1
                corpora[view.corpus] += 1
        classes = [_likeliest(one) for one in self.candidates]
        by_class = scores.balance(classes, emotions)
        return (by_class + scores.balance([one.corpus for one in self.candidates], corpora)) / 2


_NOTHING: Final = ClipView("")


def _predicted(one: Candidate) -> bool:
    return bool(one.probabilities)


def _drawn(one: Candidate) -> bool:
    return one.information is not None or one.samples is not None


def _suspected(one: Candidate) -> bool:
    """Only a label that an out-of-sample prediction contradicts is suspected."""
    given = one.out_of_sample
    if not given or one.emotion not in given:
        return False
    return max(given, key=lambda name: given[name]) != one.emotion


def _information(one: Candidate) -> float:
    if one.information is not None:
        return one.information
    return float(scores.bald(np.asarray(one.samples)[None])[0])


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


def _likeliest(candidate: Candidate) -> str:
    given = candidate.probabilities
    return max(given, key=lambda name: given[name]) if given else candidate.emotion


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value's place between 0 (lowest) and 1; equal values share a place."""
    _, inverse = np.unique(values, return_inverse=True)
    top = max(int(inverse.max(initial=0)), 1)
    return np.asarray(inverse / top, dtype=np.float64)


def _table(
    rows: Iterable[Mapping[str, float]],
) -> tuple[NDArray[np.float64], list[str]]:
    given = list(rows)
    emotions = sorted({name for row in given for name in row})
    return np.array([[row.get(name, 0.0) for name in emotions] for row in given]), emotions
