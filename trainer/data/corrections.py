"""Consensus labels join the training clips, each on the side that its speaker is on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from label_store.consensus import Consensus, ConsensusLabel, consensus
from label_store.store import LabelStore
from label_store.trust import Trust, who_counts
from ser_core.corpora.clip import Clip, Problem, segment_key
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.emotions import canonical
from ser_core.errors import UnknownEmotionError
from ser_core.corpora.grouping import person_of, rank
from ser_core.corpora.committed_sides import SIDES, TABLES, Side
from ser_core.corpora.splits import HELD_OUT_SHARE, side_of, split
from trainer.data.balance import sampling_weights
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips, segment_digest
from trainer.data.labelled_clips import (
    CORPUS,
    FEWEST_ALONE,
    MISSING,
    OPEN_REASONS,
    SUPERSEDED,
    TEST_SPEAKER,
    Speakers,
    clip_of,
    side_of_label,
    spoken_by,
    unknown_emotion,
    uncounted_labels,
)
from trainer.data.prepare import Prepared
from trainer.errors import DataError
from trainer.settings import Settings

@dataclass(frozen=True)
class Joined:
    """The clips of a run with the corrections among them, and what became of each label.

    Attributes:
        prepared: all sides, corrections included.
        replaced: corpus clips on the train or validation side whose label changed.
        added: side -> new clips.
        left_out: reason -> labels that could not be used.
        corrected: content hashes of all training clips that annotators labelled.
        waiting: corpus and file name of the labels whose file is not there yet.
    """

    prepared: Prepared
    replaced: int = 0
    added: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    corrected: frozenset[str] = frozenset()
    waiting: tuple[tuple[str, str], ...] = ()

    def with_left_out(self, more: Mapping[str, int]) -> Joined:
        """Return it with more labels that could not be used, by reason."""
        return dataclasses.replace(self, left_out=dict(Counter(self.left_out) + Counter(more)))

    def sentence(self) -> str:
        """Return one line for the log: how many train, and what doesn't by count and reason.

        >>> print(Joined(None, 1, {"train": 2}, {"a tie": 1}).sentence())
        corrections: 3 of 4 labels train: 1 replaces a corpus's, 2 new train clips; \
1 label does not train: 1 (a tie)
        """
        used = self.replaced + sum(self.added.values())
        unused = sum(self.left_out.values())
        verb = "replaces" if self.replaced == 1 else "replace"
        parts = [f"{self.replaced} {verb} a corpus's"] if self.replaced else []
        parts += [f"{n} new {side} {_plural('clip', n)}" for side, n in sorted(self.added.items())]
        text = f"corrections: {used} of {used + unused} labels train"
        text += f": {', '.join(parts)}" if parts else ""
        if not unused:
            return text
        reasons = ", ".join(f"{n} ({reason})" for reason, n in sorted(self.left_out.items()))
        verb = "does" if unused == 1 else "do"
        return f"{text}; {unused} {_plural('label', unused)} {verb} not train: {reasons}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def uncounted(store: LabelStore, trusted: Trust | Collection[str] | None) -> dict[str, int]:
    """Count the labels that don't count, by the reason that a summary shows.

    Args:
        store: the labels.
        trusted: whose annotations count, or the names of those annotators; None = everybody's.
    """
    return {reason: len(names) for reason, names in uncounted_labels(store, trusted).items()}


def new_labels(
    store: LabelStore,
    since: int,
    trusted: Collection[str] | None = None,
    min_annotations: int = 1,
    *,
    before: Counted | None = None,
) -> int:
    """Count the labels that would train otherwise than at an event number: new, other or gone.

    Without names the store's own list of trusted annotators says whose labels count, so that a
    change of that list counts by what it changes.

    Args:
        store: the labels.
        since: number of the event up to which the last run knew them.
        trusted, min_annotations: whose labels count now, and how many a clip needs.
        before: whose counted in the last run; None = the same as now.
    """
    now = Counted.of(store, trusted, min_annotations)
    old = (before or now).emotions(store, since)
    new = now.emotions(store)
    return sum(old.get(place) != new.get(place) for place in old.keys() | new.keys())


def arrived(
    waiting: Sequence[Sequence[str]], find: Callable[[str, str], Path | None]
) -> int:
    """Count the labels that could not train in the last run and whose file has come since.

    Args:
        waiting: corpus and file name of each, as `Joined.waiting`.
        find: corpus and file name to the file.
    """
    return sum(find(corpus, name) is not None for corpus, name in waiting)


@dataclass(frozen=True)
class Counted:
    """Whose labels counted in a run (None = everybody's), and the annotations a clip needed."""

    trusted: Trust | frozenset[str] | None = None
    min_annotations: int = 1

    @classmethod
    def of(cls, store: LabelStore, asked: Collection[str] | None, min_annotations: int) -> Counted:
        """Return whose labels count now; without ``asked`` the store's own settings say so."""
        return cls(who_counts(store, asked), min_annotations)

    @classmethod
    def from_json(cls, values: Any) -> Counted | None:
        """Read what `to_json` gave; None where a run did not write it down."""
        if not isinstance(values, dict):
            return None
        # Runs of older versions wrote min_votes.
        needed: Any = values.get("min_annotations", values.get("min_votes", 1))
        return cls(Trust.from_json(values), int(needed))

    def to_json(self) -> dict[str, Any]:
        """Return it for a run's record."""
        return Trust.of(self.trusted).to_json() | {"min_annotations": self.min_annotations}

    def emotions(
        self, store: LabelStore, until: int | None = None
    ) -> dict[tuple[str, float | None], tuple[str, str]]:
        """Return (clip or its name, start of the segment) -> the label that trains, mixed or not."""
        found = consensus(store, self.trusted, min_annotations=self.min_annotations, until=until)
        return {
            (label.clip_hash or f"{label.corpus}/{label.file_name}", label.start): (
                label.emotion,
                label.second_emotion,
            )
            for label in (*found.labels, *found.without_file)
        }


def join(
    prepared: Prepared,
    labels: Consensus,
    *,
    weight: float,
    session: Callable[[str], str],
    find: Callable[[str, str], Path | None] = lambda corpus, file_name: None,
    speakers: Speakers | None = None,
) -> Joined:
    """Let consensus labels join the clips of a run.

    A label of a clip that a corpus has (same content, or the name of a file there) replaces the
    corpus's label on the train and validation sides. On the test side the corpus's label stays:
    the ruler doesn't change by what is measured with it, and test speakers are never trained on,
    whoever labels them. Other clips come in as a corpus of their own, by `side_of_label`.

    Args:
        prepared: the corpora's clips by side.
        labels: of trusted annotators.
        weight: of each corrected training clip, beside 1 for any other.
        session: content hash to the session that a clip came in.
        find: corpus and file name to the file, for labels whose bytes the store doesn't have.
        speakers: who speaks in rows that are not clips yet, from `row_speakers`.
    """
    emotions = {emotion: index for index, emotion in enumerate(prepared.emotions)}
    sides = {side: list(items) for side, items in prepared.sides.items()}
    by_content: dict[str, list[tuple[str, int]]] = {}
    by_file: dict[tuple[Path, float | None, float | None], list[tuple[str, int]]] = {}
    for side, items in sides.items():
        for index, item in enumerate(items):
            by_content.setdefault(item.digest, []).append((side, index))
            at = (item.clip.path, item.clip.start, item.clip.end)
            by_file.setdefault(at, []).append((side, index))
    left_out = Counter(OPEN_REASONS.get(one.reason, one.reason) for one in labels.open)
    fresh: list[tuple[Clip, ConsensusLabel, tuple[float, ...]]] = []
    corrected: set[str] = set()
    waiting: list[tuple[str, str]] = []
    replaced = 0
    # A clip may have been labelled by name before its file came; what names its bytes goes first.
    done: set[tuple[str, int]] = set()
    for label in (*labels.labels, *labels.without_file):
        target = target_of(label.distribution, emotions)
        if label.emotion not in emotions or target is None:
            left_out[unknown_emotion(label.emotion)] += 1
            continue
        clip = clip_of(label, session)
        places = by_content.get(segment_digest(label.clip_hash, clip), [])
        path = label.path
        if not places and path is None:
            path = find(label.corpus, label.file_name)
            if path is not None:
                places = by_file.get((path, label.start, label.end), [])
        if path is None and not places:
            left_out[MISSING] += 1
            waiting.append((label.corpus, label.file_name))
        elif any(side == "test" for side, _ in places):
            left_out[TEST_SPEAKER] += 1
        elif places and done & set(places):
            _supersede(label, left_out)
        elif not places:
            clip = dataclasses.replace(clip, path=path or clip.path)
            file = find(label.corpus, label.file_name) if speakers and label.corpus else None
            fresh.append((spoken_by(clip, file, label, speakers or {}), label, target))
        else:
            replaced += 1
            for side, index in places:
                done.add((side, index))
                old = sides[side][index]
                sides[side][index] = Example(
                    dataclasses.replace(old.clip, emotion=label.emotion),
                    old.digest,
                    target,
                    weight if side == "train" else 1.0,
                )
                if side == "train":
                    corrected.add(old.digest)
    added = _add(prepared, sides, fresh, weight, session, left_out, corrected)
    return Joined(
        dataclasses.replace(prepared, sides=sides),
        replaced,
        dict(added),
        dict(left_out),
        frozenset(corrected),
        tuple(waiting),
    )


def alone(
    labels: Sequence[ConsensusLabel],
    emotions: Sequence[str],
    decoded: DecodedClips,
    settings: Settings,
    *,
    session: Callable[[str], str],
) -> Joined:
    """Divide consensus labels into sides where there is no corpus beside them.

    Speakers (or sessions, where names tell no speaker) are kept apart; with fewer than three of
    them that can't be done, and a note says that the same voices are on all sides.

    Args:
        labels: of trusted annotators.
        emotions: the model's.
        decoded: where the samples go.
        settings: of the run.
        session: content hash to the session that a clip came in.

    Raises:
        DataError: fewer than ``FEWEST_ALONE`` labels can train; it says how many there are.
    """
    known = {emotion: index for index, emotion in enumerate(emotions)}
    left_out: Counter[str] = Counter()
    targets: dict[str, tuple[float, ...]] = {}
    clips = []
    for label in labels:
        target = target_of(label.distribution, known)
        if label.emotion not in known or target is None:
            left_out[unknown_emotion(label.emotion)] += 1
        elif label.path is None:
            left_out[MISSING] += 1
        else:
            clips.append(clip_of(label, session))
            targets[clips[-1].key] = target
    digests, problems = decoded.prepare(clips)
    left_out.update(problem.kind for problem in problems)
    usable = [clip for clip in clips if clip.path in digests]
    if len(usable) < FEWEST_ALONE:
        raise DataError(
            f"there is no corpus in {settings.corpora}, and {len(usable)} of {len(labels)} labels "
            f"can train; {FEWEST_ALONE} are needed to learn from labels alone. Label more clips, "
            "or fetch a corpus with `python -m trainer download`"
        )
    parts = split(usable, "fixed", fingerprints=digests)
    people = {clip.person for clip in usable}
    notes: tuple[str, ...] = (f"no corpus: the model learns from {len(usable)} labels alone.",)
    if not all(parts.side(side) for side in SIDES):
        parts = split(usable, "random", seed=settings.seed)
        notes += (
            f"the labels are of {len(people)} speakers or sessions, too few to keep apart: the "
            "same voices are on all sides, and the figures are too good.",
        )
    sides: dict[str, list[Example]] = {
        side: [
            Example(
                clip,
                segment_digest(digests[clip.path], clip),
                targets[clip.key],
                settings.correction_weight if side == "train" else 1.0,
            )
            for clip in parts.side(side)
        ]
        for side in SIDES
    }
    return Joined(
        Prepared(tuple(emotions), sides, decoded, tuple(problems), notes),
        added={side: len(items) for side, items in sides.items()},
        left_out=dict(left_out),
        corrected=frozenset(item.digest for item in sides["train"]),
    )


def _add(
    prepared: Prepared,
    sides: dict[str, list[Example]],
    fresh: Sequence[tuple[Clip, ConsensusLabel, tuple[float, ...]]],
    weight: float,
    session: Callable[[str], str],
    left_out: Counter[str],
    corrected: set[str],
) -> Counter[str]:
    """Add clips that no corpus has to their sides; return how many each side got."""
    added: Counter[str] = Counter()
    people = {item.clip.person: side for side, items in sides.items() for item in items}
    digests, problems = prepared.decoded.prepare([clip for clip, _, _ in fresh])
    broken = {problem.name: problem for problem in problems}
    taken: set[str] = set()
    for clip, label, target in fresh:
        if clip.key in broken or clip.path not in digests:
            kind = broken[clip.key].kind if clip.key in broken else "broken-audio"
            left_out[kind.replace("-", " ")] += 1
            continue
        digest = segment_digest(digests[clip.path], clip)
        if digest in taken:
            _supersede(label, left_out)
            continue
        taken.add(digest)
        known = people.get(clip.person)
        side = known or side_of_label(clip, _group(clip, label, session))
        if side == "test":
            left_out[TEST_SPEAKER] += 1
            continue
        sides[side].append(Example(clip, digest, target, weight if side == "train" else 1.0))
        added[side] += 1
        if side == "train":
            corrected.add(digest)
    return added


def _supersede(label: ConsensusLabel, left_out: Counter[str]) -> None:
    """Count a label whose clip has another; a table's row that was renamed is nobody's label."""
    if label.annotators:
        left_out[SUPERSEDED] += 1


def _group(clip: Clip, label: ConsensusLabel, session: Callable[[str], str]) -> str:
    """Return what stays together on one side: a speaker that a table names, else a session."""
    return clip.person if clip.family != CORPUS else session(label.clip_hash or label.file_name)


def replay(
    joined: Joined, settings: Settings, rng: np.random.Generator
) -> tuple[Prepared, Settings]:
    """Let an epoch show ``settings.replay`` clips of the old corpora for each corrected one.

    With balanced sampling every epoch draws other old clips from all there are: a few hundred,
    shown again and again, would be learnt by heart and the rest forgotten. Corrected clips are
    drawn ``settings.correction_weight`` times as often as their number says, or with
    ``settings.correction_share`` make up that share of each batch, however few they are. With any
    other balance the old clips are drawn once, evenly over corpus and emotion.

    Returns:
        The clips and the settings of the fine-tune; as they were where nothing is corrected or
        ``replay`` is 0.
    """
    items = joined.prepared.sides["train"]
    corrected = [item for item in items if item.digest in joined.corrected]
    old = [item for item in items if item.digest not in joined.corrected]
    most = max(1, round(settings.replay * len(corrected)))
    if settings.replay <= 0 or not corrected or not old:
        return joined.prepared, settings
    if settings.balance == "sampling":
        if not settings.epoch_clips:
            settings = dataclasses.replace(settings, epoch_clips=len(corrected) + most)
        share = settings.correction_share
        ratio = share / (1 - share) if share else settings.correction_weight * len(corrected) / most
        return _with_sides(joined, _drawn_as(old, corrected, ratio, settings)), settings
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
    return _with_sides(joined, [*old, *corrected]), settings


def _with_sides(joined: Joined, train: list[Example]) -> Prepared:
    return dataclasses.replace(
        joined.prepared, sides=dict(joined.prepared.sides) | {"train": train}
    )


def _drawn_as(
    old: list[Example], corrected: list[Example], ratio: float, settings: Settings
) -> list[Example]:
    """Weight the corrected clips so that they are drawn ``ratio`` times as often as the old."""
    items = [*old, *corrected]
    _, labels = np.unique([item.label for item in items], return_inverse=True)
    names = [str(number) for number in range(int(labels.max()) + 1)]
    corpora = [item.clip.corpus for item in items]
    chance = sampling_weights(
        labels.astype(np.int64), names, corpora, corpus_power=settings.corpus_power
    )
    before, after = float(chance[: len(old)].sum()), float(chance[len(old) :].sum())
    factor = ratio * before / after
    return [*old, *(dataclasses.replace(item, weight=factor) for item in corrected)]


def target_of(
    distribution: Mapping[str, float], place: Mapping[str, int]
) -> tuple[float, ...] | None:
    """Return the annotations as a soft label, without emotions that the model lacks."""
    known = {emotion: share for emotion, share in distribution.items() if emotion in place}
    total = sum(known.values())
    if total <= 0:
        return None
    row = [0.0] * len(place)
    for emotion, share in known.items():
        row[place[emotion]] = share / total
    return tuple(row)
