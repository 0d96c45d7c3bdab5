"""From several annotators' votes to one label a clip, or to an open question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from label_store.errors import StoreError
from label_store.fold import ClipView, Span, State
from label_store.store import LabelStore, Until

Method = Literal["majority", "dawid-skene"]


@dataclass(frozen=True, slots=True)
class ConsensusLabel:
    """What the annotators, taken together, say of a clip.

    Attributes:
        clip_hash: SHA-256 of the clip's bytes ("" where its file is missing).
        file_name, corpus: its name now, and where it comes from.
        emotion: the label.
        distribution: emotion -> share of the votes (majority) or probability (Dawid-Skene);
            sums to 1.
        annotators: who voted, in alphabetical order.
        path: the clip's bytes in the store, or None where the store lacks them.
        revision: id of the latest event that changed the clip.
        reviewed: whether a review decided it.
        start, end: seconds of the labelled part; None = the whole clip.
    """

    clip_hash: str
    file_name: str
    corpus: str
    emotion: str
    distribution: Mapping[str, float]
    annotators: tuple[str, ...]
    path: Path | None
    revision: str
    reviewed: bool = False
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class OpenClip:
    """A clip without a consensus, and why.

    Attributes:
        key: the clip's key.
        file_name: its name now.
        votes: annotator -> emotion.
        reason: ``tie``, ``too-few-votes`` or ``unsure``.
        start, end: seconds of the labelled part; None = the whole clip.
    """

    key: str
    file_name: str
    votes: Mapping[str, str]
    reason: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Consensus:
    """All labels, and every clip that was left out with its reason.

    Attributes:
        labels: clips with one label, in order of file name, then hash.
        open: clips whose votes do not settle it.
        without_file: labels whose clip the store does not have (they can't train).
        revision: number of the store's latest event that was counted.
    """

    labels: tuple[ConsensusLabel, ...] = ()
    open: tuple[OpenClip, ...] = ()
    without_file: tuple[ConsensusLabel, ...] = ()
    revision: int = 0


@dataclass(slots=True)
class _Item:
    view: ClipView
    span: Span
    votes: dict[str, str] = field(default_factory=dict)
    review: str = ""
    reviewer: str = ""


def consensus(
    store: LabelStore,
    trusted: Collection[str] | None = None,
    *,
    min_votes: int = 1,
    method: Method = "majority",
    threshold: float = 0.5,
    until: Until = None,
) -> Consensus:
    """Decide each clip that can be decided; leave ties open.

    Suggestions never count; a review decides its clip alone.

    Args:
        store: where the votes are.
        trusted: annotators that count; None = all that may write.
        min_votes: fewer votes than this leave a clip open (a review stands alone), 1 or more.
        method: ``majority``, or ``dawid-skene`` which weighs annotators by their confusions.
        threshold: for Dawid-Skene, a best probability at or below it leaves the clip open; 0..1.
        until: as the store stood at a moment; see `LabelStore.state`.

    Raises:
        StoreError: ``min_votes`` is below 1 or the method is unknown.
    """
    if min_votes < 1:
        raise StoreError(f"min_votes is {min_votes}; 1 or more is wanted.")
    if method not in ("majority", "dawid-skene"):
        raise StoreError(f"“{method}” is no method. Known are: majority, dawid-skene.")
    state = store.state(until)
    items = _items(state, trusted)
    shares = _shares(items, method)
    paths = store.clips.paths()
    labels: list[ConsensusLabel] = []
    missing: list[ConsensusLabel] = []
    undecided: list[OpenClip] = []
    for place, item in enumerate(items):
        distribution = {item.review: 1.0} if item.review else shares[place]
        reason = (
            "" if item.review else _open_reason(item, distribution, min_votes, method, threshold)
        )
        if reason:
            undecided.append(_open(item, reason))
            continue
        label = _label(item, distribution, paths)
        (labels if label.path is not None else missing).append(label)
    return Consensus(
        tuple(sorted(labels, key=_order)),
        tuple(undecided),
        tuple(sorted(missing, key=_order)),
        state.entries[-1].number if state.entries else 0,
    )


def training_labels(
    store: LabelStore,
    trusted: Collection[str] | None = None,
    min_votes: int = 1,
    *,
    method: Method = "majority",
    threshold: float = 0.5,
    until: Until = None,
) -> list[ConsensusLabel]:
    """Return the labels that may train a model: decided, by trusted annotators, with their file.

    Args:
        store, trusted, min_votes, method, threshold, until: as for `consensus`, which also says
            what was left out and why.
    """
    found = consensus(
        store, trusted, min_votes=min_votes, method=method, threshold=threshold, until=until
    )
    return list(found.labels)


def _items(state: State, trusted: Collection[str] | None) -> list[_Item]:
    items = []
    for view in state.clips():
        for span in sorted({*view.votes, *view.reviews}):
            item = _Item(view, span)
            for name, entry in sorted(view.votes.get(span, {}).items()):
                if trusted is None or name in trusted:
                    item.votes[name] = entry.emotion
            review = view.reviews.get(span)
            if review is not None and (trusted is None or review.annotator in trusted):
                item.review, item.reviewer = review.emotion, review.annotator
            if item.votes or item.review:
                items.append(item)
    return items


def _shares(items: list[_Item], method: Method) -> list[dict[str, float]]:
    if method == "dawid-skene":
        from label_store.reliability import dawid_skene

        return dawid_skene([item.votes for item in items]).distributions
    shares = []
    for item in items:
        counts = Counter(item.votes.values())
        shares.append({name: counts[name] / counts.total() for name in sorted(counts)})
    return shares


def _open_reason(
    item: _Item, distribution: Mapping[str, float], min_votes: int, method: Method, threshold: float
) -> str:
    if len(item.votes) < min_votes:
        return "too-few-votes"
    best = sorted(distribution.values(), reverse=True)
    if len(best) > 1 and best[0] - best[1] < 1e-9:
        return "tie"
    if method == "dawid-skene" and best[0] <= threshold:
        return "unsure"
    return ""


def _label(
    item: _Item, distribution: Mapping[str, float], paths: Mapping[str, Path]
) -> ConsensusLabel:
    start, end = seconds(item.span)
    return ConsensusLabel(
        clip_hash=item.view.clip,
        file_name=item.view.file_name,
        corpus=item.view.corpus,
        emotion=max(distribution, key=lambda name: distribution[name]),
        distribution=dict(distribution),
        annotators=tuple(sorted({*item.votes, item.reviewer} - {""})),
        path=paths.get(item.view.clip),
        revision=item.view.head or "",
        reviewed=bool(item.review),
        start=start,
        end=end,
    )


def _open(item: _Item, reason: str) -> OpenClip:
    start, end = seconds(item.span)
    return OpenClip(item.view.key, item.view.file_name, dict(item.votes), reason, start, end)


def seconds(span: Span) -> tuple[float | None, float | None]:
    """Return a part's start and end in seconds; (None, None) is the whole clip.

    >>> seconds(("0.5", "")), seconds(("", ""))
    ((0.5, None), (None, None))
    """
    start, end = span
    return (float(start) if start else None, float(end) if end else None)


def _order(label: ConsensusLabel) -> tuple[str, str, str, float]:
    return (label.corpus, label.file_name, label.clip_hash, label.start or 0.0)
