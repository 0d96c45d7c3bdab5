"""The clips of a run: read, decoded, divided by speaker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.corpora import read_all, summary
from ser_core.corpora.clip import Clip, Problem
from ser_core.corpora.committed_sides import SIDES
from ser_core.emotions import EMOTIONS
from ser_core.corpora.splits import Splits, split
from trainer.data import batches
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips, segment_digest
from trainer.errors import DataError
from trainer.settings import Settings

Ticker = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """Clips, decoded and divided.

    Attributes:
        emotions: the classes.
        sides: examples by side: train, validation, test.
        decoded: where the samples are.
        problems: what was left out, with reasons.
        notes: what the split has to say for itself.
        people: who speaks in the clips that could be read, those that the split left out too.
    """

    emotions: tuple[str, ...]
    sides: dict[str, list[Example]]
    decoded: DecodedClips
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


SPLIT_SETTINGS = ("corpora", "names", "emotions", "scheme", "fold", "folds", "held_out", "seed")
"""Settings that decide which clips a run is judged on: figures under others don't compare."""

CLIP_SETTINGS = (*SPLIT_SETTINGS, "soft_labels", "trim_silence", "max_clips")
"""Settings that decide what a run's clips are; runs that agree in them can share them."""


def clips_key(settings: Settings) -> str:
    """Return what is the same for runs whose clips are the same."""
    values = settings.to_json()
    return json.dumps([values[name] for name in CLIP_SETTINGS])


def read_corpora(
    settings: Settings, unpacked: Path | None = None
) -> tuple[list[Clip], list[Problem]]:
    """Read every corpus that the settings name.

    Args:
        settings: of the run.
        unpacked: folder into which zip archives are unpacked; without, they are problems.

    Raises:
        DataError: the folder is missing, a named corpus is not there, or no clip was found.
    """
    root = Path(settings.corpora)
    if not root.is_dir():
        raise DataError(
            f"there is no folder of corpora at {root}; give one with --corpora, or fetch a corpus "
            "with `python -m trainer download`"
        )
    missing = [
        name
        for name in settings.names
        if not (root / name).exists() and not (root / f"{name}.zip").exists()
    ]
    if missing:
        raise DataError(f"{root} has no corpus {', '.join(missing)}")
    readings = read_all(root, settings.names or None, cache=unpacked)
    clips = [clip for reading in readings for clip in reading.clips]
    problems = [problem for reading in readings for problem in reading.problems]
    if not clips:
        raise DataError(_nothing(root, problems))
    return clips, problems


def _nothing(root: Path, problems: Sequence[Problem]) -> str:
    """Say that no clip can be learned from, and what became of everything that was found."""
    reasons = summary(problem for problem in problems if problem.kind != "note")
    if not reasons:
        return (
            f"no labelled clip was found in {root}: it holds no corpus. Put a corpus into a folder "
            "of its own there, or fetch one with `python -m trainer download`"
        )
    return f"no labelled clip was found in {root}:\n" + "\n".join(f"  {one}" for one in reasons)


def prepare(
    settings: Settings,
    cache: Path,
    *,
    clips: Sequence[Clip] | None = None,
    emotions: Sequence[str] = (),
    tick: Ticker | None = None,
) -> Prepared:
    """Read, decode and divide the clips of a run.

    Args:
        settings: of the run.
        cache: folder of decoded clips.
        clips: use these instead of reading ``settings.corpora``.
        emotions: the model's classes where they are fixed already (a fine-tune).
        tick: called with clips decoded and clips in all.
    """
    problems: list[Problem] = []
    if clips is None:
        clips, problems = read_corpora(settings, cache / "unpacked")
    decoded = DecodedClips(cache, trim=settings.trim_silence)
    digests, broken = decoded.prepare(clips, tick)
    usable = [clip for clip in clips if clip.path in digests]
    parts = split(
        usable,
        settings.scheme,
        seed=settings.seed,
        fold=settings.fold,
        folds=settings.folds,
        held_out=settings.held_out,
        fingerprints=digests,
    )
    classes = tuple(emotions or settings.emotions or _present(parts))
    sides = examples_by_side(settings, parts, digests, classes)
    if settings.unlabelled:
        sides["unlabelled"] = unlabelled_examples(settings, decoded, len(classes), tick)
    notes = (*parts.notes, *dropped(usable, parts, classes))
    people = tuple(sorted({clip.person for clip in usable}))
    return Prepared(classes, sides, decoded, (*problems, *broken), notes, people)


def dropped(clips: Sequence[Clip], parts: Splits, classes: Sequence[str]) -> list[str]:
    """Name each emotion and each speaker of which no clip is used, with its clips.

    Args:
        clips: what was divided.
        parts: the sides.
        classes: the model's emotions.
    """
    notes = []
    emotions = Counter(clip.emotion for clip in clips if clip.emotion not in classes)
    for emotion, count in sorted(emotions.items()):
        taught = sum(clip.emotion == emotion for clip in parts.train)
        why = "the model doesn't have it" if taught else "none of them on the training side"
        notes.append(f"{emotion}: {count} clips left out, {why}.")
    used = {clip.path for side in SIDES for clip in parts.side(side)}
    speakers: Counter[str] = Counter(clip.person for clip in clips if clip.path not in used)
    kept = {clip.person for clip in clips if clip.path in used}
    for person, count in sorted(speakers.items()):
        if person not in kept:
            notes.append(f"speaker {person}: all {count} clips left out by the split.")
    return notes


def require_sides(prepared: Prepared, scheme: str) -> None:
    """Refuse clips that leave nothing to learn from or nothing to choose a model by.

    Args:
        prepared: the clips by side.
        scheme: how they were divided.

    Raises:
        DataError: a side is empty; it says how many speakers there are, how many are needed and
            which scheme helps.
    """
    empty = [side for side in ("train", "validation") if not prepared.sides[side]]
    if not empty:
        return
    items = [item for side in SIDES for item in prepared.sides[side]]
    known = prepared.people or sorted({item.clip.person for item in items})
    people = [person for person in known if person]
    some = ", ".join(people[:5]) + (", ..." if len(people) > 5 else "")
    who = f"of {len(people)} {'speaker' if len(people) == 1 else 'speakers'} ({some})"
    if not people:
        who = "of speakers who are not known (a table's column Speaker names them)"
    help_ = (
        f"--scheme kfold --folds {min(5, len(people))} gives each side some of them"
        if len(people) >= 3
        else "--scheme random divides the clips of the same voices, and its figures are too good"
    )
    raise DataError(
        f"the {' and the '.join(empty)} side of the split “{scheme}” is empty: {len(items)} "
        f"{'clip' if len(items) == 1 else 'clips'} {who}; 3 or more are needed, one for each side. Add "
        f"speakers, or choose another scheme: {help_}"
    )


def unlabelled_examples(
    settings: Settings, decoded: DecodedClips, classes: int, tick: Ticker | None = None
) -> list[Example]:
    """Return the clips of ``settings.unlabelled`` without their labels.

    Speakers who validate or test are left out also here: a model that learned how they sound
    would be judged on people it has met.

    Raises:
        DataError: a corpus that was named gives none.
    """
    readings = read_all(Path(settings.corpora), settings.unlabelled)
    found: list[Example] = []
    for reading in readings:
        labelled = () if reading.corpus in settings.names or not settings.names else reading.clips
        clips = [*reading.unlabelled, *labelled]
        train = split(clips, "fixed").train if clips else ()
        digests, _ = decoded.prepare(train, tick)
        part = [
            Example(clip, segment_digest(digests[clip.path], clip), (1 / classes,) * classes, labelled=False)
            for clip in train
            if clip.path in digests
        ]
        if not part:
            raise DataError(
                f"{reading.corpus} has no clip without a label for training: its labelled clips "
                "are learned from already, or its speakers validate and test"
            )
        found += part
    return found


def examples_by_side(
    settings: Settings, parts: Splits, digests: Mapping[Path, str], classes: Sequence[str]
) -> dict[str, list[Example]]:
    """Return what can be used of each side of a split.

    Args:
        settings: of the run.
        parts: the sides.
        digests: content hashes of the usable files.
        classes: the model's emotions.
    """
    sides = {
        side: batches.examples(
            parts.side(side),  # type: ignore[arg-type]
            digests,
            classes,
            soft_labels=settings.soft_labels if side == "train" else 0.0,
        )
        for side in ("train", "validation", "test")
    }
    if settings.max_clips:
        present = len({item.label for item in sides["train"]})
        if settings.max_clips < present:
            raise DataError(
                f"max_clips is {settings.max_clips}, and the training clips are of {present} "
                "emotions, of which each needs one at least; allow more"
            )
        rng = np.random.default_rng(settings.seed)
        for side, most in (
            ("train", settings.max_clips),
            ("validation", max(32, settings.max_clips // 4)),
        ):
            sides[side] = _thinned(sides[side], most, rng)
    return sides


def _thinned(items: list[Example], most: int, rng: np.random.Generator) -> list[Example]:
    """Keep at most ``most`` clips, by turns of each emotion, in the order in which they came."""
    waiting: dict[int, list[int]] = {}
    for index in rng.permutation(len(items)).tolist():
        waiting.setdefault(items[index].label, []).append(index)
    kept: list[int] = []
    while len(kept) < min(most, len(items)):
        for label in sorted(waiting):
            if waiting[label] and len(kept) < most:
                kept.append(waiting[label].pop())
    return [items[index] for index in sorted(kept)]


def _present(parts: Splits) -> tuple[str, ...]:
    found = {clip.emotion for clip in parts.train}
    return tuple(emotion for emotion in EMOTIONS if emotion in found)
