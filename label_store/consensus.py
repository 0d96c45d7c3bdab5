"""From several annotators' annotations to one label a clip, or to an open question."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from label_store.errors import StoreError
from label_store.event_rows import JournalEntry
from label_store.fold import ClipView, Span
from label_store.store import LabelStore, Until
from label_store.trust import Trust

Method = Literal["majority", "dawid-skene"]

SECOND_SHARE: Final = 0.3
"""What an annotation's second emotion has of its soft label; the first has the rest, so that it
stays the label also where the two are about equally strong."""


@dataclass(frozen=True, slots=True)
class ConsensusLabel:
    """What the annotators, taken together, say of a clip.

    Attributes:
        clip_hash: SHA-256 of the clip's bytes ("" where its file is missing).
        file_name, corpus: its name now, and where it comes from.
        emotion: the label.
        distribution: emotion -> share of the annotations (majority) or probability (Dawid-Skene);
            sums to 1. An annotation with a second emotion gives `SECOND_SHARE` of its part to it.
        annotators: who annotated, in alphabetical order.
        path: the clip's bytes in the store, or None where the store lacks them.
        revision: id of the latest event that changed the clip.
        reviewed: whether a review or an adjudication decided it.
        start, end: seconds of the labelled part; None = the whole clip.
        second_emotion: the one most often named beside the label; "" where nobody named any.
        intensity: the median (the lower one of two) of those given, 1 to 3; None = none given.
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
    second_emotion: str = ""
    intensity: int | None = None


@dataclass(frozen=True, slots=True)
class OpenClip:
    """A clip without a consensus, and why.

    Attributes:
        key: the clip's key.
        file_name: its name now.
        annotations: annotator -> emotion.
        reason: ``tie``, ``too-few-annotations`` or ``unsure``.
        start, end: seconds of the labelled part; None = the whole clip.
    """

    key: str
    file_name: str
    annotations: Mapping[str, str]
    reason: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Consensus:
    """All labels, and every clip that was left out with its reason.

    Attributes:
        labels: clips with one label, in order of file name, then hash.
        open: clips whose annotations do not settle it.
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
    annotations: dict[str, str] = field(default_factory=dict)
    review: str = ""
    reviewer: str = ""
    second_emotions: list[str] = field(default_factory=list)
    intensities: list[int] = field(default_factory=list)

    def take(self, entry: JournalEntry) -> None:
        """Keep what an annotation says beside its emotion."""
        if entry.second_emotion:
            self.second_emotions.append(entry.second_emotion)
        if entry.intensity:
            self.intensities.append(int(entry.intensity))


def consensus(
    store: LabelStore,
    trusted: Trust | Collection[str] | None = None,
    *,
    min_annotations: int = 1,
    method: Method = "majority",
    threshold: float = 0.5,
    until: Until = None,
    keys: Collection[str] | None = None,
) -> Consensus:
    """Decide each clip that can be decided; leave ties open.

    Suggestions never count; a review or an adjudication decides its clip alone.

    Args:
        store: where the annotations are.
        trusted: whose annotations count, or the names of those annotators; None = everybody's.
        min_annotations: fewer annotations than this leave a clip open (a review stands alone);
            1 or more.
        method: ``majority``, or ``dawid-skene`` which weighs annotators by their confusions.
        threshold: for Dawid-Skene, a best probability at or below it leaves the clip open; 0..1.
        until: as the store stood at a moment; see `LabelStore.state`.
        keys: only these clips, by key; None = all.

    Raises:
        StoreError: ``min_annotations`` is below 1 or the method is unknown.
    """
    if min_annotations < 1:
        raise StoreError(f"min_annotations is {min_annotations}; expected 1 or more.")
    if method not in ("majority", "dawid-skene"):
        raise StoreError(f"“{method}” is not a method. Known are: majority, dawid-skene.")
    state = store.state(until)
    views = state.clips() if keys is None else map(state.clip, keys)
    items = _items(views, Trust.of(trusted))
    shares = _shares(items, method)
    paths = store.clips.paths() if keys is None else _paths(store, keys)
    labels: list[ConsensusLabel] = []
    missing: list[ConsensusLabel] = []
    undecided: list[OpenClip] = []
    for place, item in enumerate(items):
        distribution = {item.review: 1.0} if item.review else shares[place]
        reason = (
            ""
            if item.review
            else _open_reason(item, distribution, min_annotations, method, threshold)
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


def _paths(store: LabelStore, keys: Collection[str]) -> dict[str, Path]:
    found = ((key, store.clip_path(key)) for key in keys)
    return {key: path for key, path in found if path is not None}


def _items(views: Iterable[ClipView], trust: Trust) -> list[_Item]:
    items = []
    for view in views:
        for span in sorted({*view.annotations, *view.reviews}):
            item = _Item(view, span)
            for name, entry in sorted(view.annotations.get(span, {}).items()):
                if trust.counts(entry):
                    item.annotations[name] = entry.emotion
                    item.take(entry)
            review = view.reviews.get(span)
            if review is not None and trust.counts(review):
                item.review, item.reviewer = review.emotion, review.annotator
                # It decides alone, also about what stands beside the emotion.
                item.second_emotions, item.intensities = [], []
                item.take(review)
            if item.annotations or item.review:
                items.append(item)
    return items


def _shares(items: list[_Item], method: Method) -> list[dict[str, float]]:
    if method == "dawid-skene":
        from label_store.reliability import dawid_skene

        return dawid_skene([item.annotations for item in items]).distributions
    shares = []
    for item in items:
        counts = Counter(item.annotations.values())
        shares.append({name: counts[name] / counts.total() for name in sorted(counts)})
    return shares


def _open_reason(
    item: _Item,
    distribution: Mapping[str, float],
    min_annotations: int,
    method: Method,
    threshold: float,
) -> str:
    if len(item.annotations) < min_annotations:
        return "too-few-annotations"
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
    emotion = max(distribution, key=lambda name: distribution[name])
    beside = Counter(name for name in item.second_emotions if name != emotion).most_common(1)
    return ConsensusLabel(
        clip_hash=item.view.clip,
        file_name=item.view.file_name,
        corpus=item.view.corpus,
        emotion=emotion,
        distribution=_with_second_emotions(item, distribution),
        annotators=tuple(sorted({*item.annotations, item.reviewer} - {""})),
        path=paths.get(item.view.clip),
        revision=item.view.head or "",
        reviewed=bool(item.review),
        start=start,
        end=end,
        second_emotion=beside[0][0] if beside else "",
        intensity=statistics.median_low(item.intensities) if item.intensities else None,
    )


def _with_second_emotions(item: _Item, distribution: Mapping[str, float]) -> dict[str, float]:
    """Let each annotation give a part of its share to its second emotion, where it has one.

    What is decided before is not changed by that: the label, and whether there is one, come from
    the first emotions alone.
    """
    part = SECOND_SHARE / (1 if item.review else len(item.annotations))
    kept = 1 - part * len(item.second_emotions)
    found = {name: share * kept for name, share in distribution.items()}
    for name in item.second_emotions:
        found[name] = found.get(name, 0.0) + part
    return found


def _open(item: _Item, reason: str) -> OpenClip:
    start, end = seconds(item.span)
    return OpenClip(item.view.key, item.view.file_name, dict(item.annotations), reason, start, end)


def seconds(span: Span) -> tuple[float | None, float | None]:
    """Return a part's start and end in seconds; (None, None) is the whole clip.

    >>> seconds(("0.5", "")), seconds(("", ""))
    ((0.5, None), (None, None))
    """
    start, end = span
    return (float(start) if start else None, float(end) if end else None)


def _order(label: ConsensusLabel) -> tuple[str, str, str, float]:
    return (label.corpus, label.file_name, label.clip_hash, label.start or 0.0)
