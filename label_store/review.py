"""What waits for a reviewer: clips on which annotators differ, and visitors' suggestions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from label_store.errors import StoreError
from label_store.event import LabelEvent, Saved
from label_store.fold import State
from label_store.journal import Entry
from label_store.store import LabelStore


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A clip that was named differently.

    Attributes:
        key: the clip's key.
        file_name, corpus: its name, and where it comes from.
        votes: (annotator, emotion) in order of annotator.
        head: id of the clip's latest change, for ``expect``.
        share: votes for the most named emotion, 0..1; low ones come first.
    """

    key: str
    file_name: str
    corpus: str
    votes: tuple[tuple[str, str], ...]
    head: str | None
    share: float


def disagreements(state: State, trusted: Collection[str] | None = None) -> list[Disagreement]:
    """Return clips on which annotators differ and that no review has decided, worst first.

    Args:
        state: the store's state.
        trusted: annotators whose votes and reviews count; None = all.
    """
    found = []
    for view in state.clips():
        votes = sorted(
            (name, emotion)
            for name, emotion in view.whole().items()
            if trusted is None or name in trusted
        )
        emotions = [emotion for _, emotion in votes]
        review = view.reviews.get(("", ""))
        decided = review is not None and (trusted is None or review.annotator in trusted)
        if len(set(emotions)) > 1 and not decided:
            share = max(emotions.count(emotion) for emotion in emotions) / len(emotions)
            found.append(
                Disagreement(view.key, view.file_name, view.corpus, tuple(votes), view.head, share)
            )
    return sorted(found, key=lambda one: (one.share, -len(one.votes), one.file_name, one.key))


def suggestions(state: State) -> list[Entry]:
    """Return the suggestions that wait for a review, oldest first."""
    waiting = (entry for view in state.clips() for entry in view.suggestions)
    return sorted(waiting, key=lambda entry: entry.number)


def decide(
    store: LabelStore, clip: str, emotion: str, reviewer: str, *, session: str = "", note: str = ""
) -> Saved:
    """Settle a clip on which annotators differ.

    Args:
        store: where to.
        clip: the clip's hash.
        emotion: the canonical emotion that it gets.
        reviewer, session, note: who decides, in which sitting, and why.

    Raises:
        StoreError: the clip is unknown, or the event can't be saved.
    """
    view = store.clip(clip)
    if not emotion or not view.revision:
        raise StoreError(
            f"A review needs a clip that was labelled and an emotion; got {clip[:12]}."
        )
    return store.append(
        LabelEvent(
            action="review",
            annotator=reviewer,
            session=session,
            clip=clip,
            file_name=view.file_name,
            corpus=view.corpus,
            emotion=emotion,
            note=note,
        )
    )


def accept(
    store: LabelStore, event_ids: Sequence[str], reviewer: str, *, session: str = ""
) -> list[Saved]:
    """Take suggestions over, all of them or none.

    Args:
        store: where they wait.
        event_ids: the suggestions' ids.
        reviewer, session: who looked at them, in which sitting.

    Raises:
        StoreError: one of them does not wait (any more); nothing was saved.
    """
    events = [
        _verdict(entry, reviewer, session, emotion=entry.emotion)
        for entry in _waiting(store, event_ids)
    ]
    return store.append_many(events, label="accepted")


def reject(
    store: LabelStore,
    event_ids: Sequence[str],
    reviewer: str,
    *,
    session: str = "",
    reason: str = "",
) -> list[Saved]:
    """Turn suggestions down, all of them or none; arguments as for `accept`, and a reason."""
    events = [
        _verdict(entry, reviewer, session, reason=reason) for entry in _waiting(store, event_ids)
    ]
    return store.append_many(events, label="rejected")


def _waiting(store: LabelStore, event_ids: Sequence[str]) -> list[Entry]:
    waiting = {entry.event_id: entry for entry in suggestions(store.state())}
    gone = [event_id for event_id in event_ids if event_id not in waiting]
    if gone:
        raise StoreError(
            f"{len(gone)} of {len(event_ids)} suggestions no longer wait for a review "
            f"(first: {gone[0][:32]}). Nothing was saved; load the list again."
        )
    return [waiting[event_id] for event_id in dict.fromkeys(event_ids)]


def _verdict(
    entry: Entry, reviewer: str, session: str, *, emotion: str = "", reason: str = ""
) -> LabelEvent:
    return LabelEvent(
        action="review",
        annotator=reviewer,
        session=session,
        clip=entry.clip,
        file_name=entry.file_name,
        corpus=entry.corpus,
        start=float(entry.start) if entry.start else None,
        end=float(entry.end) if entry.end else None,
        emotion=emotion,
        reason=reason,
        target=entry.event_id,
    )
