"""The clips of a run: read, decoded, divided by speaker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.corpora import read_all
from ser_core.corpora.clip import Clip, Problem
from ser_core.emotions import EMOTIONS
from ser_core.splits import Splits, split
from trainer import data
from trainer.data import Example
from trainer.decoded import DecodedClips
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
    """

    emotions: tuple[str, ...]
    sides: dict[str, list[Example]]
    decoded: DecodedClips
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


JUDGED_ON = ("corpora", "names", "emotions", "scheme", "fold", "folds", "held_out", "seed")
"""Settings that decide which clips a run is judged on: figures under others don't compare."""

HEARD = (*JUDGED_ON, "votes", "trim_silence", "max_clips")
"""Settings that decide what a run's clips are; runs that agree in them can share them."""


def clips_key(settings: Settings) -> str:
    """Return what is the same for runs whose clips are the same."""
    values = settings.to_json()
    return json.dumps([values[name] for name in HEARD])


def read_corpora(settings: Settings) -> tuple[list[Clip], list[Problem]]:
    """Read every corpus that the settings name.

    Raises:
        DataError: the folder is missing, a named corpus is not there, or no clip was found.
    """
    root = Path(settings.corpora)
    if not root.is_dir():
        raise DataError(
            f"there is no folder of corpora at {root}; give one with --corpora, or fetch a corpus "
            "with `python -m trainer download`"
        )
    missing = [name for name in settings.names if not (root / name).exists()]
    if missing:
        raise DataError(f"{root} has no corpus {', '.join(missing)}")
    readings = read_all(root, settings.names or None)
    clips = [clip for reading in readings for clip in reading.clips]
    problems = [problem for reading in readings for problem in reading.problems]
    if not clips:
        raise DataError(f"no labelled clip was found in {root}")
    return clips, problems


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
        clips, problems = read_corpora(settings)
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
    return Prepared(classes, sides, decoded, (*problems, *broken), parts.notes)


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
        side: data.examples(
            parts.side(side),  # type: ignore[arg-type]
            digests,
            classes,
            votes=settings.votes if side == "train" else 0.0,
        )
        for side in ("train", "validation", "test")
    }
    if settings.max_clips:
        rng = np.random.default_rng(settings.seed)
        for side, most in (
            ("train", settings.max_clips),
            ("validation", max(32, settings.max_clips // 4)),
        ):
            keep = np.sort(rng.permutation(len(sides[side]))[:most])
            sides[side] = [sides[side][i] for i in keep]
    return sides


def _present(parts: Splits) -> tuple[str, ...]:
    found = {clip.emotion for clip in parts.train}
    return tuple(emotion for emotion in EMOTIONS if emotion in found)
