"""Segments of a clip on any tab where they are labelled: what is saved, and what the page shows.

Dragging, keys and drawing are segments.js's; a tab's own segments.js says where it finds its parts.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

from label_store.errors import NothingToUndoError
from label_store.event import LabelEvent, Saved
from label_store.event_rows import JournalEntry
from label_store.store import LabelStore
from ui.errors import PageError
from ui.language import say

Span = tuple[float, float]
"""Start and end in seconds."""

MOVED = "moved"
"""Reason of an undo that takes a label back because another one took its place."""

REMOVED = "removed"
"""Reason of an undo that takes a segment away, and that may be taken back itself."""

SAVED_SEGMENT = "Saved #{number}: {emotion}, {start}–{end} s."


@dataclass(frozen=True)
class Segment:
    """A stretch of a clip that the annotator labelled, in seconds."""

    start: float
    end: float
    emotion: str

    @property
    def span(self) -> Span:
        """Its start and end."""
        return self.start, self.end


def spans(parts: Sequence[str]) -> tuple[Span | None, Span | None]:
    """Return the chosen segment and the one that it replaces, as segments.js writes them.

    Args:
        parts: start and end of each, in seconds; what is missing or no number means none.

    >>> spans(["0.500", "1.250"]), spans(["", ""])
    (((0.5, 1.25), None), (None, None))
    """
    return _span(parts[:2]), _span(parts[2:4])


def _span(given: Sequence[str]) -> Span | None:
    try:
        start, end = (float(text) for text in given)
    except ValueError:  # none is chosen: the decision is for the whole clip
        return None
    return start, end


def check_segment(segment: Span, seconds: float) -> None:
    """Refuse a segment that is empty or outside its clip.

    Args:
        segment: start and end in seconds.
        seconds: the clip's length; 0 = unknown.

    Raises:
        PageError: it lies outside the clip or has no length.
    """
    start, end = segment
    if not 0 <= start < end or (seconds and end > seconds + 0.1):
        raise PageError(
            f"The segment from {start:.2f} to {end:.2f} s is not inside the clip, which is "
            f"{seconds:.2f} s long. Nothing was saved."
        )


def labelled(
    annotations: Mapping[tuple[str, str], Mapping[str, JournalEntry]], annotator: str
) -> tuple[Segment, ...]:
    """Return what an annotator labelled of a clip but the whole of it, in order of time.

    Args:
        annotations: of the clip, as `ClipView` holds them.
        annotator: whose.
    """
    found = [
        Segment(float(start), float(end), by[annotator].emotion)
        for (start, end), by in annotations.items()
        if start and end and annotator in by
    ]
    return _in_order(found)


def suggested(store: LabelStore, clip: str, session: str) -> tuple[Segment, ...]:
    """Return the segments of a clip that a page suggested, in order of time.

    Visitors whom nobody knows share one name, so theirs are told apart by the page.

    Args:
        store: where suggestions are kept.
        clip: the clip's hash.
        session: the page's session.
    """
    found = {
        (entry.start, entry.end): Segment(float(entry.start), float(entry.end), entry.emotion)
        for entry in store.state().of(clip)
        if entry.action == "suggest" and entry.session == session and entry.start and entry.end
    }
    return _in_order(found.values())


def _in_order(found: Iterable[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(found, key=lambda one: one.span))


def sentence(saved: Saved, emotion: str, segment: Span) -> str:
    """Return what was saved of a segment, in the reader's language.

    Args:
        saved: as the store gave it.
        emotion: in the reader's language, or what else was done with the segment.
        segment: start and end in seconds.
    """
    start, end = (f"{seconds:.2f}" for seconds in segment)
    return say(SAVED_SEGMENT, number=saved.number, emotion=emotion, start=start, end=end)


@dataclass(frozen=True)
class TakenBack:
    """What came of taking back the latest act.

    Attributes:
        undone: the event that took a label back; None = a removed segment was put back instead.
        restored: the event that put a segment back; None = none was.
    """

    undone: Saved | None
    restored: Saved | None


def take_back(store: LabelStore, annotator: str, clip: str, session: str) -> TakenBack:
    """Take back the latest act of a session on a clip.

    A label goes; one that took the place of another gives it back; a removed segment comes back.

    Args:
        store: the store.
        annotator: whose act.
        clip: the clip's hash.
        session: in which it happened.

    Raises:
        NothingToUndoError: there is none.
        SaveError: the disk did not take it.
    """
    with store.exclusive():
        history = store.history(clip)
        last = _last_act(history, annotator, session, store.state().undone)
        if last is None:
            raise NothingToUndoError(f"{annotator} has nothing left to undo here.")
        if last.action == "undo":
            return TakenBack(None, _put_back(store, _removed_with(history, last), session))
        undone = store.undo(annotator, session, clip=clip, actions={"label"})
        before = _replaced_by(history, last)
        return TakenBack(undone, before and _put_back(store, before, session))


def can_take_back(store: LabelStore, annotator: str, clip: str, session: str) -> bool:
    """Return whether `take_back` finds something to take back."""
    history = store.history(clip)
    return _last_act(history, annotator, session, store.state().undone) is not None


def _last_act(
    history: Sequence[LabelEvent], annotator: str, session: str, undone: Collection[str]
) -> LabelEvent | None:
    """Return the latest label that stands, or the removal that came after it."""
    by_id = {event.event_id: event for event in history}
    since: set[tuple[float | None, float | None]] = set()
    for event in reversed(history):
        if (event.annotator, event.session) != (annotator, session):
            continue
        if event.action == "label":
            if event.event_id not in undone:
                return event
            since.add((event.start, event.end))
        elif event.action == "undo" and event.reason == REMOVED:
            target = by_id[event.target]
            # What was labelled again since is not removed any more.
            if (target.start, target.end) not in since:
                return event
    return None


def _removed_with(history: Sequence[LabelEvent], act: LabelEvent) -> LabelEvent:
    """Return the latest of the labels that one removal took back, all of the same segment."""
    by_id = {event.event_id: event for event in history}
    target = by_id[act.target]
    gone = [
        by_id[event.target]
        for event in history
        if event.action == "undo" and event.reason == REMOVED and event.session == act.session
    ]
    same = [one for one in gone if (one.start, one.end) == (target.start, target.end)]
    return max(same, key=lambda one: one.number)


def _replaced_by(history: Sequence[LabelEvent], label: LabelEvent) -> LabelEvent | None:
    """Return the label whose place another took, None where it took none's."""
    by_id = {event.event_id: event for event in history}
    after = itertools.dropwhile(lambda event: event.number <= label.number, history)
    moved = itertools.takewhile(lambda e: e.action == "undo" and e.reason == MOVED, after)
    return max((by_id[e.target] for e in moved), key=lambda one: one.number, default=None)


def _put_back(store: LabelStore, label: LabelEvent, session: str) -> Saved:
    again = replace(
        label, session=session, previous="", event_id="", time="", number=0, writer=""
    )  # fmt: skip
    return store.append(again)


def wave_html(tab: str, *, ready: bool = False) -> str:
    """Return where segments are drawn; filled by segments.js for each clip.

    Args:
        tab: begins the elements' ids.
        ready: the tools stand there from the start, so that nothing moves when the wave comes.
    """
    return (
        f'<div id="{tab}-wave" class="segments-wave" role="group" '
        'aria-label="Segments: drag on the waveform"></div>'
        f'<div class="wave-tools"{"" if ready else " hidden"}>'
        '<span>Speed <button type="button" data-wave="slower" aria-label="Slower">−</button>'
        f'<output id="{tab}-rate">1×</output>'
        '<button type="button" data-wave="faster" aria-label="Faster">+</button></span>'
        '<span>Zoom <button type="button" data-wave="out" aria-label="Zoom out">−</button>'
        f'<output id="{tab}-zoom">1×</output>'
        '<button type="button" data-wave="in" aria-label="Zoom in">+</button></span>'
        "<span>Segment "
        '<button type="button" data-wave="start" aria-label="Segment starts here">[</button>'
        '<button type="button" data-wave="end" aria-label="Segment ends here">]</button>'
        '<button type="button" data-wave="earlier" disabled aria-label="Edge 50 ms earlier">'
        "‹</button>"
        '<button type="button" data-wave="later" aria-label="Edge 50 ms later" disabled>›</button>'
        '<button type="button" data-wave="remove" aria-label="Remove segment" disabled>×</button>'
        "</span></div>"
        f'<p id="{tab}-segment" class="hint segment-note" role="status"></p>'
    )


def as_attribute(segments: Iterable[Segment]) -> str:
    """Return segments as segments.js reads them, ready to stand in an attribute."""
    return escape(json.dumps([[one.start, one.end, one.emotion] for one in segments]))
