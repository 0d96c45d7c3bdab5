"""The practice round: gold clips with feedback before somebody's labels count.

An answer is the first label that somebody gives a gold clip without seeing the prediction. To undo
it and answer again after the feedback changes nothing; only once every other gold clip was
answered may a clip be answered anew. Who passes is noted by an event of its own, so that it stays
so whatever becomes of the gold clips.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from label_store.annotators import Practice
from label_store.event import LabelEvent
from label_store.fold import WHOLE
from label_store.gold import Gold
from label_store.store import LabelStore


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered on a gold clip: the clip, whether rightly, the event's number."""

    clip: str
    right: bool
    number: int


@dataclass(frozen=True, slots=True)
class PracticeProgress:
    """How far somebody is in the practice round.

    Attributes:
        answered: answers that are looked at: the latest, ``needed`` at most.
        right: how many of those are right.
        needed: how many gold clips have to be answered; 0 for those who marked all of them.
        share: of those answers, how many have to be right, 0..1.
        passed: number of the event with which they passed, None = not yet.
    """

    answered: int
    right: int
    needed: int
    share: float
    passed: int | None = None

    @property
    def accuracy(self) -> float:
        """Share of the answers that is right, 0..1."""
        return self.right / self.answered if self.answered else 0.0

    @property
    def enough(self) -> bool:
        """Whether the answers are as many, and as often right, as is asked."""
        return self.answered >= self.needed and self.right >= self.share * self.needed - 1e-9


def practice_clips(gold: Gold, annotator: str) -> frozenset[str]:
    """Return the gold clips that somebody may be asked about: all but those they marked."""
    return frozenset(clip for clip, one in gold.clips.items() if one.marked_by != annotator)


def answers(store: LabelStore, gold: Gold, annotator: str) -> list[Answer]:
    """Return somebody's answers that count as practice, in order; undone ones stay answers."""
    state, clips = store.state(), practice_clips(gold, annotator)
    entries = [
        entry
        for clip in clips
        for entry in state.of(clip)
        if entry.action == "label"
        and entry.annotator == annotator
        and (entry.start, entry.end) == WHOLE
    ]
    found: list[Answer] = []
    round_: set[str] = set()
    for event in sorted(store.whole(entries), key=lambda one: one.number):
        again = len(clips) > 1 and bool(found) and found[-1].clip == event.clip
        if event.prediction_visible is not False or event.clip in round_ or again:
            continue
        right = event.emotion == gold.clips[event.clip].emotion
        found.append(Answer(event.clip, right, event.number))
        round_.add(event.clip)
        if round_ == clips:
            round_.clear()
    return found


def progress(store: LabelStore, gold: Gold, practice: Practice, annotator: str) -> PracticeProgress:
    """Return how far somebody is; where there are fewer gold clips than asked for, those will do.

    Args:
        store: the labels.
        gold: the gold clips.
        practice: what is asked.
        annotator: of whom.
    """
    needed = min(practice.clips, len(practice_clips(gold, annotator)))
    latest = answers(store, gold, annotator)[-needed:] if needed else []
    return PracticeProgress(
        len(latest),
        sum(one.right for one in latest),
        needed,
        practice.share,
        store.state().passed.get(annotator),
    )


def note_pass(
    store: LabelStore, gold: Gold, practice: Practice, annotator: str, *, session: str = ""
) -> PracticeProgress:
    """Return how far somebody is, and note it in the journal where they have passed just now.

    Without any gold clip nobody passes.

    Raises:
        SaveError: the disk did not take it.
    """
    found = progress(store, gold, practice, annotator)
    if found.passed is not None or not found.enough or not gold.clips:
        return found
    with store.exclusive():
        if annotator not in store.state().passed:
            store.append(LabelEvent(action="pass", annotator=annotator, session=session))
    return progress(store, gold, practice, annotator)


def next_clips(
    given: Collection[Answer], clips: Collection[str], skipped: Mapping[str, int]
) -> list[str]:
    """Return gold clips in the order in which somebody is to be asked about them.

    Those never answered come first, skipped ones after them, then those answered longest ago; the
    one that was answered last only where there is no other.

    Args:
        given: the answers so far.
        clips: the gold clips that may be asked, in an order that breaks ties.
        skipped: clip -> number of the skip.
    """
    last = {one.clip: one.number for one in given}
    latest = max(last.values(), default=0)
    waiting = [clip for clip in clips if len(clips) == 1 or last.get(clip, -1) != latest]
    return sorted(waiting, key=lambda clip: (last.get(clip, 0), skipped.get(clip, 0)))
