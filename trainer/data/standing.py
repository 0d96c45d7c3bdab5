"""Which labels will train and which will not, with the reason: said before any training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from label_store.consensus import ConsensusLabel, consensus
from label_store.store import LabelStore
from label_store.trust import who_counts
from ser_core.corpora.clip import Problem, Reading
from ser_core.corpora.committed_sides import Side
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.corpora.splits import split
from trainer.data.new_emotions import new_emotions
from trainer.data.labelled_clips import (
    FEWEST_ALONE,
    MISSING,
    OPEN_REASONS,
    SUPERSEDED,
    TEST_SPEAKER,
    Speakers,
    clip_of,
    renamed_rows,
    row_speakers,
    session_of,
    side_of_label,
    spoken_by,
    unknown_emotion,
    uncounted_labels,
)

TOO_FEW_ALONE = f"there is no corpus, and {FEWEST_ALONE} labels are needed to learn from them alone"


@dataclass(frozen=True)
class LabelStanding:
    """What becomes of the labels in the next run.

    Attributes:
        trains: labels that will train, those that tell when to stop among them.
        left_out: reason -> file names of the labels that will not.
    """

    trains: int = 0
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many labels there are."""
        return self.trains + sum(map(len, self.left_out.values()))

    def lines(self) -> list[str]:
        """Return the sentence, then one line for each reason with its count and one example.

        >>> LabelStanding(2, {"the file is missing": ("a.wav",)}).lines()
        ['2 of 3 labels will train.', '1 × the file is missing, for example a.wav']
        """
        ranked = sorted(self.left_out.items(), key=lambda one: -len(one[1]))
        return [
            f"{self.trains} of {self.total} labels will train.",
            *(f"{len(found)} × {why}, for example {found[0]}" for why, found in ranked),
        ]


@dataclass(frozen=True)
class CorpusSides:
    """The corpora as they were read: where each file is, and on which side it trains.

    Attributes:
        files: finds a file by its corpus and name.
        sides: file -> side of the split.
        people: speaker -> side of the split.
        problems: what the readers could not take.
        empty: whether no corpus has a clip to learn from.
    """

    files: FileLookup
    sides: Mapping[Path, Side]
    people: Mapping[str, Side]
    problems: tuple[Problem, ...]
    empty: bool

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> CorpusSides:
        """Divide what readers found; no sound is read.

        Args:
            readings: the corpora.
        """
        clips = [clip for reading in readings for clip in reading.clips]
        # Names part them as contents would, but for copies under other names.
        parts = split(clips, fingerprints={clip.path: str(clip.path) for clip in clips})
        named: tuple[Side, ...] = ("train", "validation", "test")
        sides = {clip.path: side for side in named for clip in parts.side(side)}
        people = {clip.person: side for side in named for clip in parts.side(side)}
        problems = tuple(problem for reading in readings for problem in reading.problems)
        return cls(FileLookup.of_readings(readings), sides, people, problems, not clips)


def standing(
    store: LabelStore,
    corpora: CorpusSides,
    emotions: Collection[str],
    *,
    trusted: Collection[str] | None = None,
    min_annotations: int = 1,
    keys: Collection[str] | None = None,
) -> LabelStanding:
    """Return which labels will train; no sound is read, so that it may be asked at any time.

    Args:
        store: the labels.
        corpora: the corpora as they were read.
        emotions: those that the model can learn.
        trusted: annotators that count; None = the store's own list says so.
        min_annotations: how many a label needs.
        keys: only the labels of these clips, by key; None = all.

    Raises:
        StoreError: the list of trusted annotators is damaged.
    """
    names = who_counts(store, trusted)
    found = consensus(store, names, min_annotations=min_annotations, keys=keys)
    renamed = renamed_rows(store, corpora.problems) if keys is None else []
    speakers = row_speakers(store, corpora.problems)

    def session(clip: str) -> str:
        return session_of(store, clip)

    if any(label.emotion not in emotions for label in found.labels):
        # Enough labels of an emotion that the model lacks give it an output for that emotion.
        every = found if keys is None else consensus(store, names, min_annotations=min_annotations)
        added = new_emotions(every.labels, emotions, session)
        emotions = {*emotions, *(one.emotion for one in added if one.enough)}
    left_out: dict[str, list[str]] = {}
    trains: list[str] = []
    done: set[tuple[Path, float | None, float | None]] = set()
    for label in (*found.labels, *found.without_file, *renamed):
        path = _corpus_file(store, label, corpora)
        reason = _reason(store, label, path, corpora, emotions, speakers)
        if not reason and path is not None:
            place = (path, label.start, label.end)
            if place in done and not label.annotators:
                continue  # a table's row that was renamed: nobody's label, and the clip has one
            reason = SUPERSEDED if place in done else ""
            done.add(place)
        (left_out.setdefault(reason, []) if reason else trains).append(label.file_name)
    if corpora.empty and keys is None and 0 < len(trains) < FEWEST_ALONE:
        left_out[TOO_FEW_ALONE], trains = trains, []
    for one in found.open:
        reason = OPEN_REASONS.get(one.reason, one.reason)
        left_out.setdefault(reason, []).append(one.file_name)
    left_out |= uncounted_labels(store, names, keys)
    return LabelStanding(len(trains), {reason: tuple(names) for reason, names in left_out.items()})


def _corpus_file(store: LabelStore, label: ConsensusLabel, corpora: CorpusSides) -> Path | None:
    if not label.corpus:
        return None
    events = store.state().of(label.clip_hash)
    first = events[0] if events else None
    # A clip that was renamed in the store has its old name in its corpus.
    for name in (label.file_name, (first.former_name or first.file_name) if first else ""):
        place = corpora.files.find(label.corpus, name) if name else None
        if isinstance(place, FoundFile):
            return place.path
    return None


def _reason(
    store: LabelStore,
    label: ConsensusLabel,
    path: Path | None,
    corpora: CorpusSides,
    emotions: Collection[str],
    speakers: Speakers,
) -> str:
    """Return why a label will not train, or ""."""
    if label.emotion not in emotions:
        return unknown_emotion(label.emotion)
    if path is not None and path in corpora.sides:
        return TEST_SPEAKER if corpora.sides[path] == "test" else ""
    if label.path is None and path is None:
        return MISSING

    def session(clip: str) -> str:
        return session_of(store, clip)

    clip = spoken_by(clip_of(label, session), path, label, speakers)
    known = corpora.people.get(clip.person) if clip.person else None
    side = known or side_of_label(clip, session(label.clip_hash))
    return TEST_SPEAKER if side == "test" else ""
