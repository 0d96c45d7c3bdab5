"""Adjudication: a reviewer settles the clips that annotators labelled differently."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from label_store.agreement import krippendorff_alpha
from label_store.consensus import seconds
from label_store.errors import StoreError
from label_store.event import LabelEvent, Saved
from label_store.fold import WHOLE, ClipView, Span, State, span_of
from label_store.store import ANY, LabelStore, _Any
from label_store.trust import Trust


@dataclass(frozen=True, slots=True)
class Dispute:
    """A clip or a segment that annotators labelled differently.

    Attributes:
        key: the clip's key.
        clip: SHA-256 of its bytes, "" where its file is missing.
        file_name, corpus: its name now, and where it comes from.
        annotations: (annotator, emotion) in order of annotator.
        beside: (second emotion or "", intensity or None) of each annotation, in the same order.
        head: id of the clip's latest change, for ``expect``.
        share: annotations for the most frequent emotion, 0..1.
        start, end: seconds of the labelled part; None = the whole clip.
        decision, adjudicator: how it was settled and by whom; "" while it is open.
    """

    key: str
    clip: str
    file_name: str
    corpus: str
    annotations: tuple[tuple[str, str], ...]
    head: str | None
    share: float
    start: float | None = None
    end: float | None = None
    decision: str = ""
    adjudicator: str = ""
    beside: tuple[tuple[str, int | None], ...] = ()

    @property
    def tied(self) -> bool:
        """Whether no emotion has more annotations than every other, so that nothing trains."""
        counts = sorted(self._counts(), reverse=True)
        return counts[0] == counts[1]

    def _counts(self) -> list[int]:
        emotions = [emotion for _, emotion in self.annotations]
        return [emotions.count(emotion) for emotion in set(emotions)]


def disputes(
    state: State, trusted: Trust | Collection[str] | None = None, *, settled: bool = False
) -> list[Dispute]:
    """Return what annotators differ on, ties and the least agreed first.

    Args:
        state: the store's state.
        trusted: whose annotations and decisions count, or their names; None = everybody's.
        settled: those that a review or an adjudication has decided, instead of the open ones.
    """
    trust = Trust.of(trusted)
    found = [
        one
        for view in state.clips()
        for span in view.annotations
        if (one := _dispute(view, span, trust)) is not None and bool(one.decision) == settled
    ]
    return sorted(
        found,
        key=lambda one: (one.share, -len(one.annotations), one.file_name, one.key, one.start or 0),
    )


def _dispute(view: ClipView, span: Span, trust: Trust) -> Dispute | None:
    annotations = sorted(
        (name, entry)
        for name, entry in view.annotations.get(span, {}).items()
        if trust.counts(entry)
    )
    emotions = [entry.emotion for _, entry in annotations]
    if len(set(emotions)) < 2:
        return None
    review = view.reviews.get(span)
    counts = review is not None and trust.counts(review)
    start, end = seconds(span)
    return Dispute(
        view.key,
        view.clip,
        view.file_name,
        view.corpus,
        tuple((name, entry.emotion) for name, entry in annotations),
        view.head,
        max(emotions.count(emotion) for emotion in emotions) / len(emotions),
        start,
        end,
        review.emotion if review is not None and counts else "",
        review.annotator if review is not None and counts else "",
        tuple(
            (entry.second_emotion, int(entry.intensity) if entry.intensity else None)
            for _, entry in annotations
        ),
    )


def find_dispute(
    state: State, key: str, start: float | None = None, end: float | None = None
) -> Dispute | None:
    """Return what annotators differ on in a clip or a segment of it, decided or not; None = no."""
    return _dispute(state.clip(key), span_of(start, end), Trust())


def adjudicate(
    store: LabelStore,
    dispute: Dispute,
    emotion: str,
    reviewer: str,
    *,
    second_emotion: str = "",
    intensity: int | None = None,
    session: str = "",
    note: str = "",
    expect: str | _Any | None = ANY,
) -> Saved:
    """Settle what annotators differ on: the decision is the consensus, whatever they said.

    Args:
        store: where to.
        dispute: from `disputes`.
        emotion: the canonical emotion that it gets.
        second_emotion: the canonical emotion heard beside it, or "".
        intensity: how strongly it is expressed, 1 to 3; None = not said.
        reviewer, session, note: who decides, in which session, and why.
        expect: as for `LabelStore.append`.

    Raises:
        StoreError: annotators don't differ on it (any more), it was changed meanwhile, or the
            event can't be saved.
    """
    if find_dispute(store.state(), dispute.key, dispute.start, dispute.end) is None:
        raise StoreError(
            f"The annotators of {dispute.file_name or dispute.key[:12]} don't differ any more, so "
            "there is nothing to decide. Nothing was saved; load the list again."
        )
    return store.append(
        LabelEvent(
            action="adjudicate",
            annotator=reviewer,
            session=session,
            clip=dispute.clip,
            file_name=dispute.file_name
            if dispute.clip
            else dispute.key.removeprefix(f"name:{dispute.corpus}/"),
            corpus=dispute.corpus,
            start=dispute.start,
            end=dispute.end,
            emotion=emotion,
            second_emotion=second_emotion,
            intensity=intensity,
            note=note,
        ),
        expect=expect,
    )


@dataclass(frozen=True, slots=True)
class AlphaBeforeAfter:
    """Krippendorff's alpha (nominal) over whole clips; None where it is undefined.

    Attributes:
        before: of the annotations as they were made.
        after: with every decided clip as it was decided, the others as they were annotated.
    """

    before: float | None
    after: float | None


def alpha_before_after(
    state: State, trusted: Trust | Collection[str] | None = None
) -> AlphaBeforeAfter:
    """Return how far annotators agree, before and after adjudication.

    Args:
        state: the store's state.
        trusted: whose annotations and decisions count, or their names; None = everybody's.
    """
    before: list[list[str]] = []
    after: list[list[str]] = []
    trust = Trust.of(trusted)
    for view in state.clips():
        annotations = view.annotations.get(WHOLE, {}).values()
        given = [entry.emotion for entry in annotations if trust.counts(entry)]
        review = view.reviews.get(WHOLE)
        counts = review is not None and trust.counts(review)
        before.append(given)
        after.append([review.emotion] * len(given) if review is not None and counts else given)
    return AlphaBeforeAfter(krippendorff_alpha(before), krippendorff_alpha(after))
