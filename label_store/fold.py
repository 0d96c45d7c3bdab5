"""From events to what stands now: annotations, names, reviews, suggestions, skips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from label_store.event import OF_A_PERSON
from label_store.event_rows import JournalEntry

Span = tuple[str, str]
"""Start and end of the labelled part as written; ("", "") is the whole clip."""

WHOLE: Span = ("", "")
_ID, _ACTION, _CLIP = itemgetter(1), itemgetter(3), itemgetter(6)
_APART = OF_A_PERSON | {"undo"}
_CHANGES = frozenset({"label", "undo", "rename", "review", "adjudicate"})


def span_of(start: float | None, end: float | None) -> Span:
    """Return a part's start and end, in seconds, as they are written; None = the clip's own.

    >>> span_of(0.5, None), span_of(None, None)
    (('0.5', ''), ('', ''))
    """
    return ("" if start is None else repr(float(start)), "" if end is None else repr(float(end)))


@dataclass(slots=True)
class ClipView:
    """A clip as its events leave it.

    Attributes:
        key: the clip's hash, or ``name:corpus/file`` where its file is missing.
        clip: the clip's hash, or "".
        file_name, corpus: its name now, and where it comes from.
        annotations: part -> annotator -> the label event that stands.
        reviews: part -> the review or the adjudication that decided it.
        suggestions: suggestions that no review has decided, oldest first.
        skips: annotator -> the skip that stands (a later label of theirs lifts it).
        head: id of the latest event that changed the clip, or None.
        revision: number of the clip's latest event.
    """

    key: str
    clip: str = ""
    file_name: str = ""
    corpus: str = ""
    annotations: dict[Span, dict[str, JournalEntry]] = field(default_factory=dict)
    reviews: dict[Span, JournalEntry] = field(default_factory=dict)
    suggestions: list[JournalEntry] = field(default_factory=list)
    skips: dict[str, JournalEntry] = field(default_factory=dict)
    head: str | None = None
    revision: int = 0

    def whole(self) -> dict[str, str]:
        """Return annotator -> emotion over the whole clip, reviews aside."""
        return {name: entry.emotion for name, entry in self.annotations.get(WHOLE, {}).items()}


def view(key: str, entries: Iterable[JournalEntry], undone: set[str]) -> ClipView:
    """Fold one clip's events, in order, into what stands.

    Args:
        key: the clip's key.
        entries: its events by ascending number.
        undone: ids of events that were taken back.
    """
    clip = ClipView(key)
    decided: set[str] = set()
    named = False
    for entry in entries:
        clip.revision = entry.number
        if entry.action in _CHANGES:
            clip.head = entry.event_id
        if entry.event_id in undone:
            if entry.action == "rename" and not clip.file_name:
                clip.file_name = entry.former_name
            continue
        clip.clip = clip.clip or entry.clip
        clip.corpus = clip.corpus or entry.corpus
        if entry.action == "rename":
            clip.file_name, named = entry.file_name, True
        elif entry.file_name and not named and not clip.file_name:
            clip.file_name = entry.file_name
        _apply(clip, entry, decided)
    clip.suggestions = [entry for entry in clip.suggestions if entry.event_id not in decided]
    return clip


def _apply(clip: ClipView, entry: JournalEntry, decided: set[str]) -> None:
    span = (entry.start, entry.end)
    if entry.action == "label":
        clip.annotations.setdefault(span, {})[entry.annotator] = entry
        clip.skips.pop(entry.annotator, None)
        review = clip.reviews.get(span)
        # The reviewer's own later label is their word now; one that repeats an adjudication leaves
        # it standing.
        if review is not None and review.annotator == entry.annotator:
            repeated = review.action == "adjudicate" and review.emotion == entry.emotion
            if not repeated:
                del clip.reviews[span]
    elif entry.action == "adjudicate":
        clip.reviews[span] = entry
    elif entry.action == "review":
        decided.add(entry.target)
        if entry.emotion:
            clip.reviews[span] = entry
    elif entry.action == "suggest":
        clip.suggestions.append(entry)
    elif entry.action == "skip":
        clip.skips[entry.annotator] = entry


class State:
    """What stands after a run of events; grows by one event in constant time.

    Attributes:
        entries: the events in order.
        by_id: id -> event.
        undone: ids of events that were taken back.
        passed: annotator -> number of the event with which they passed the practice round.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.entries: list[JournalEntry] = []
        self.by_id: dict[str, JournalEntry] = {}
        self.undone: set[str] = set()
        self.passed: dict[str, int] = {}
        self._clips: defaultdict[str, list[JournalEntry]] = defaultdict(list)
        self._views: dict[str, ClipView] = {}
        self._renamed_names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entries: list[JournalEntry]) -> None:
        """Fold more events in; they may come in any order and twice.

        Events are ordered by number, then id: numbers grow under the lock whatever the clock
        says, and shards from two machines merge to the same order everywhere.
        """
        if not entries:
            return
        unique = dict(zip(map(_ID, entries), entries, strict=True))
        for known in self.by_id.keys() & unique.keys() if self.by_id else ():
            del unique[known]
        fresh = sorted(unique.values())
        if self.entries and fresh and fresh[0][:2] < self.entries[-1][:2]:
            fresh = sorted(self.entries + fresh)
            unique = self.by_id | unique
            self._clear()
        self.entries += fresh
        if self.by_id:
            self.by_id.update(zip(map(_ID, fresh), fresh, strict=True))
        else:
            self.by_id = unique
        clips, views = self._clips, self._views
        # A million events pass here when a store is opened: what few of them need comes last.
        for key, action, entry in zip(map(_CLIP, fresh), map(_ACTION, fresh), fresh, strict=True):
            about = key or self.key_of(entry)
            if action in _APART:
                if action == "pass":
                    self.passed.setdefault(entry.annotator, entry.number)
                if action in OF_A_PERSON:  # not about what a clip expresses
                    continue
                self.undone.add(entry.target)
            clips[about].append(entry)
            if views:
                views.pop(about, None)

    def key_of(self, entry: JournalEntry) -> str:
        """Return the key of the clip that an event is about."""
        if entry.clip:
            return entry.clip
        # A row without a file keeps its history when it is renamed.
        key = self._renamed_names.get(entry.key, entry.key)
        if entry.action == "rename":
            self._renamed_names[f"name:{entry.corpus}/{entry.file_name}"] = key
        return key

    def keys(self) -> Iterator[str]:
        """Yield the key of every clip that an event names, in order of its first event."""
        return iter(self._clips)

    def __contains__(self, key: str) -> bool:
        return key in self._clips

    def clip(self, key: str) -> ClipView:
        """Return a clip as it stands; one without events is empty."""
        found = self._views.get(key)
        if found is None:
            found = view(key, self._clips.get(key, ()), self.undone)
            if key in self._clips:
                self._views[key] = found
        return found

    def clips(self) -> Iterator[ClipView]:
        """Yield every clip as it stands, in order of its first event."""
        return (self.clip(key) for key in list(self._clips))

    def of(self, key: str) -> tuple[JournalEntry, ...]:
        """Return a clip's events in order."""
        return tuple(self._clips.get(key, ()))

    def changed_since(self, key: str, event_id: str | None) -> JournalEntry | None:
        """Return the latest event that changed a clip after ``event_id``, or None.

        Args:
            key: the clip's key.
            event_id: an event of the clip that the caller has seen; None = it saw none.
        """
        for entry in reversed(self._clips.get(key, ())):
            if entry.event_id == event_id:
                return None
            if entry.action in _CHANGES:
                return entry
        return None

    def last(self, matches: Callable[[JournalEntry], bool]) -> JournalEntry | None:
        """Return the latest matching event that was not undone and undoes none, or None."""
        for entry in reversed(self.entries):
            lasts = entry.action == "undo" or entry.action in OF_A_PERSON
            if not lasts and entry.event_id not in self.undone and matches(entry):
                return entry
        return None
