"""What waits for a reviewer among visitors' suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from label_store.errors import StoreError
from label_store.event import LabelEvent, Saved
from label_store.event_rows import JournalEntry
from label_store.fold import State
from label_store.store import LabelStore


def suggestions(state: State) -> list[JournalEntry]:
    """Return the suggestions that wait for a review, oldest first."""
    waiting = (entry for view in state.clips() for entry in view.suggestions)
    return sorted(waiting, key=lambda entry: entry.number)


def accept(
    store: LabelStore, event_ids: Sequence[str], reviewer: str, *, session: str = ""
) -> list[Saved]:
    """Take suggestions over, all of them or none.

    Args:
        store: where they wait.
        event_ids: the suggestions' ids.
        reviewer, session: who looked at them, in which session.

    Raises:
        StoreError: one of them does not wait (any more); nothing was saved.
    """
    events = [
        replace(
            _verdict(entry, reviewer, session, emotion=entry.emotion),
            second_emotion=entry.second_emotion,
            intensity=int(entry.intensity) if entry.intensity else None,
        )
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


def _waiting(store: LabelStore, event_ids: Sequence[str]) -> list[JournalEntry]:
    waiting = {entry.event_id: entry for entry in suggestions(store.state())}
    gone = [event_id for event_id in event_ids if event_id not in waiting]
    if gone:
        raise StoreError(
            f"{len(gone)} of {len(event_ids)} suggestions no longer wait for a review "
            f"(first: {gone[0][:32]}). Nothing was saved; load the list again."
        )
    return [waiting[event_id] for event_id in dict.fromkeys(event_ids)]


def _verdict(
    entry: JournalEntry, reviewer: str, session: str, *, emotion: str = "", reason: str = ""
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
