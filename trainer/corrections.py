"""Consensus labels join the training clips, each on the side that its speaker is on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from label_store.consensus import ConsensusLabel, consensus
from label_store.people import who_counts
from label_store.store import LabelStore
from ser_core.corpora.clip import Clip
from ser_core.grouping import person_of, rank
from ser_core.splits import HELD_OUT_SHARE, TABLES, Side, side_of
from trainer.balance import sampling_weights
from trainer.data import Example
from trainer.prepare import Prepared
from trainer.settings import Settings

CORPUS = "corrections"
"""What the annotators' own clips are called where a corpus is named."""


@dataclass(frozen=True)
class Joined:
    """The clips of a run with the corrections among them, and what became of each label.

    Attributes:
        prepared: all sides, corrections included.
        replaced: corpus clips on the train or validation side whose label changed.
        added: side -> new clips.
        left_out: reason -> labels that could not be used.
        corrected: content hashes of all training clips that annotators labelled.
    """

    prepared: Prepared
    replaced: int = 0
    added: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    corrected: frozenset[str] = frozenset()

    def sentence(self) -> str:
        """Return one line for the log."""
        parts = [f"{self.replaced} corpus labels replaced"]
        parts += [f"{count} new {side} clips" for side, count in sorted(self.added.items())]
        parts += [f"{count} left out ({reason})" for reason, count in sorted(self.left_out.items())]
        return "corrections: " + ", ".join(parts)


def session_of(store: LabelStore, clip_hash: str) -> str:
    """Return the session in which a clip first came to the store, or its hash without one."""
    events = store.events(clip_hash)
    return next((event.session for event in events if event.session), clip_hash)


def side_of_label(clip: Clip, session: str) -> Side:
    """Return the side of a clip that is in none of the corpora.

    A speaker that the name gives away (an uploaded ``03-01-05-01-02-01-12.wav`` is RAVDESS's
    actor 12) decides by the committed tables; else all clips of a session go together, by a
    hash of the session that no later clip can change.
    """
    if person_of(clip).rpartition("/")[0] in TABLES:
        return side_of(clip)
    place = rank(f"{CORPUS}/{session}")
    if place < HELD_OUT_SHARE:
        return "test"
    return "validation" if place < 2 * HELD_OUT_SHARE else "train"


def new_labels(
    store: LabelStore,
    since: int,
    trusted: Collection[str] | None = None,
    min_votes: int = 1,
    *,
    before: Counted | None = None,
) -> int:
    """Count the labels that would train otherwise than at an event number: new, other or gone.

    Without names the store's own list of trusted annotators says whose labels count, so that a
    change of that list counts by what it changes.

    Args:
        store: the labels.
        since: number of the event up to which the last run knew them.
        trusted, min_votes: whose labels count now, and how many a clip needs.
        before: whose counted in the last run; None = the same as now.
    """
    now = Counted.of(store, trusted, min_votes)
    old = (before or now).emotions(store, since)
    new = now.emotions(store)
    return sum(old.get(place) != new.get(place) for place in old.keys() | new.keys())


@dataclass(frozen=True)
class Counted:
    """Whose labels counted in a run: names (None = everybody's), and the votes a clip needed."""

    trusted: frozenset[str] | None = None
    min_votes: int = 1

    @classmethod
    def of(cls, store: LabelStore, asked: Collection[str] | None, min_votes: int) -> Counted:
        """Return whose labels count now; without ``asked`` the store's own list says so."""
        names = who_counts(store.folder, asked)
        return cls(None if names is None else frozenset(names), min_votes)

    @classmethod
    def from_json(cls, values: Any) -> Counted | None:
        """Read what `to_json` gave; None where a run did not write it down."""
        if not isinstance(values, dict):
            return None
        names = values.get("trusted")
        return cls(None if names is None else frozenset(names), int(values.get("min_votes", 1)))

    def to_json(self) -> dict[str, Any]:
        """Return it for a run's record."""
        names = None if self.trusted is None else sorted(self.trusted)
        return {"trusted": names, "min_votes": self.min_votes}

    def emotions(
        self, store: LabelStore, until: int | None = None
    ) -> dict[tuple[str, float | None], str]:
        """Return (clip, start of the labelled part) -> the label that trains."""
        found = consensus(store, self.trusted, min_votes=self.min_votes, until=until)
        return {(label.clip_hash, label.start): label.emotion for label in found.labels}


def join(
    prepared: Prepared,
    labels: Sequence[ConsensusLabel],
    *,
    weight: float,
    session: Callable[[str], str],
) -> Joined:
    """Let consensus labels join the clips of a run.

    A label of a clip that a corpus has (same content) replaces the corpus' label on the train
    and validation sides. On the test side the corpus' label stays: the ruler doesn't change by
    what is measured with it, and test speakers are never trained on, whoever labels them. Other
    clips come in as a corpus of their own, by `side_of_label`.

    Args:
        prepared: the corpora's clips by side.
        labels: of trusted annotators.
        weight: of each corrected training clip, beside 1 for any other.
        session: content hash to the session that a clip came in.
    """
    place = {emotion: index for index, emotion in enumerate(prepared.emotions)}
    sides = {side: list(items) for side, items in prepared.sides.items()}
    where: dict[str, list[tuple[str, int]]] = {}
    for side, items in sides.items():
        for index, item in enumerate(items):
            where.setdefault(item.digest, []).append((side, index))
    left_out: Counter[str] = Counter()
    added: Counter[str] = Counter()
    fresh: list[tuple[ConsensusLabel, tuple[float, ...]]] = []
    corrected: set[str] = set()
    replaced = 0
    for label in labels:
        target = target_of(label.distribution, place)
        if label.start is not None:
            left_out["label of a part of a clip"] += 1
        elif label.emotion not in place or target is None:
            left_out[f"the model doesn't know {label.emotion}"] += 1
        elif label.clip_hash not in where:
            fresh.append((label, target))
        elif any(side == "test" for side, _ in where[label.clip_hash]):
            left_out["a test speaker's corpus clip"] += 1
        else:
            replaced += 1
            for side, index in where[label.clip_hash]:
                old = sides[side][index]
                sides[side][index] = Example(
                    dataclasses.replace(old.clip, emotion=label.emotion),
                    old.digest,
                    target,
                    weight if side == "train" else 1.0,
                )
                if side == "train":
                    corrected.add(old.digest)
    clips = [clip_of(label, session) for label, _ in fresh]
    digests, problems = prepared.decoded.prepare(clips)
    for problem in problems:
        left_out[problem.kind] += 1
    for clip, (label, target) in zip(clips, fresh, strict=True):
        if clip.path not in digests:
            continue
        side = side_of_label(clip, session(label.clip_hash))
        sides[side].append(
            Example(clip, digests[clip.path], target, weight if side == "train" else 1.0)
        )
        added[side] += 1
        if side == "train":
            corrected.add(digests[clip.path])
    return Joined(
        dataclasses.replace(prepared, sides=sides),
        replaced,
        dict(added),
        dict(left_out),
        frozenset(corrected),
    )


def replay(
    joined: Joined, settings: Settings, rng: np.random.Generator
) -> tuple[Prepared, Settings]:
    """Let an epoch show ``settings.replay`` clips of the old corpora for each corrected one.

    With balanced sampling every epoch draws other old clips from all there are: a few hundred,
    shown again and again, would be learnt by heart and the rest forgotten. Corrected clips are
    drawn ``settings.correction_weight`` times as often as their number says. With any other
    balance the old clips are drawn once, evenly over corpus and emotion.

    Returns:
        The clips and the settings of the fine-tune; as they were where nothing is corrected or
        ``replay`` is 0.
    """
    items = joined.prepared.sides["train"]
    fresh = [item for item in items if item.digest in joined.corrected]
    old = [item for item in items if item.digest not in joined.corrected]
    most = max(1, round(settings.replay * len(fresh)))
    if settings.replay <= 0 or not fresh or not old:
        return joined.prepared, settings
    if settings.balance == "sampling":
        if not settings.epoch_clips:
            settings = dataclasses.replace(settings, epoch_clips=len(fresh) + most)
        wanted = settings.correction_weight * len(fresh) / most
        return _with_sides(joined, _drawn_as(old, fresh, wanted, settings)), settings
    if most < len(old):
        groups: dict[tuple[str, int], list[Example]] = {}
        for index in rng.permutation(len(old)).tolist():
            groups.setdefault((old[index].clip.corpus, old[index].label), []).append(old[index])
        chosen: list[Example] = []
        while len(chosen) < most:
            for name in sorted(groups):
                if groups[name] and len(chosen) < most:
                    chosen.append(groups[name].pop())
        old = chosen
    return _with_sides(joined, [*old, *fresh]), settings


def _with_sides(joined: Joined, train: list[Example]) -> Prepared:
    return dataclasses.replace(
        joined.prepared, sides=dict(joined.prepared.sides) | {"train": train}
    )


def _drawn_as(
    old: list[Example], fresh: list[Example], wanted: float, settings: Settings
) -> list[Example]:
    """Weight the corrected clips so that they are drawn ``wanted`` times as often as the old."""
    items = [*old, *fresh]
    _, labels = np.unique([item.label for item in items], return_inverse=True)
    names = [str(number) for number in range(int(labels.max()) + 1)]
    corpora = [item.clip.corpus for item in items]
    chance = sampling_weights(
        labels.astype(np.int64), names, corpora, corpus_power=settings.corpus_power
    )
    before, after = float(chance[: len(old)].sum()), float(chance[len(old) :].sum())
    factor = wanted * before / after
    return [*old, *(dataclasses.replace(item, weight=factor) for item in fresh)]


def target_of(
    distribution: Mapping[str, float], place: Mapping[str, int]
) -> tuple[float, ...] | None:
    """Return the votes as a soft label; votes for emotions that the model lacks are dropped."""
    known = {emotion: share for emotion, share in distribution.items() if emotion in place}
    total = sum(known.values())
    if total <= 0:
        return None
    row = [0.0] * len(place)
    for emotion, share in known.items():
        row[place[emotion]] = share / total
    return tuple(row)


def clip_of(label: ConsensusLabel, session: Callable[[str], str]) -> Clip:
    """Return a labelled clip that no corpus has; its speaker is named by the file or the session.

    Args:
        label: what was labelled.
        session: content hash to the session that the clip came in.
    """
    named = Path(label.file_name)
    clip = Clip(
        path=label.path or Path(label.clip_hash),
        corpus=CORPUS,
        key=f"{label.clip_hash[:16]}/{named.stem}",
        emotion=label.emotion,
        family=CORPUS,
    )
    family, _, speaker = person_of(clip).rpartition("/")
    if family in TABLES:
        return dataclasses.replace(clip, speaker=speaker, family=family)
    return dataclasses.replace(clip, speaker=session(label.clip_hash))
