"""The parts of a report: sets of clips under a condition, each heard once and then remembered.

What is remembered belongs to the weights, the clips' contents and the condition, so that a report
that was stopped goes on with the part it was at, a new calibration costs nothing, and another
checkpoint finds the speech already found.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser_core.audio import resample
from ser_core.checkpoint import SPECIFICATION, WEIGHTS
from ser_core.corpora.clip import Clip, Problem
from ser_core.recognizer import Recognizer
from trainer.conditions import CLEAN, Hearing
from trainer.decoded import DecodedClips
from trainer.errors import DataError
from trainer.hearing import Heard, Speech, find_speech, hear
from trainer.non_speech import RATE, Sound
from trainer.observe import LeftOut, Observed, Samples, assemble, name_of

FORMAT = "1"
"""Part of every key: another way of hearing means another word."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Listening:
    """A model, and where what it heard is remembered.

    Attributes:
        model: what hears.
        folder: of what is remembered; may be deleted at any time.
        decoded: clips as they are, silent ends included.
        precision: see `trainer.hearing.hear`.
        workers: threads that load.
        tick: called with clips heard and clips in all of a part.
        log: takes a line at the beginning of each part that is not remembered.
    """

    model: Recognizer
    folder: Path
    decoded: DecodedClips
    precision: str = "auto"
    workers: int = 2
    tick: Callable[[int, int], None] | None = None
    log: Log = lambda line: None

    def clips(self, clips: Sequence[Clip], condition: Hearing = CLEAN) -> Observed:
        """Return what the model says of labelled clips under a condition.

        A clip whose emotion the model doesn't know, or that can't be decoded, is left out and
        counted.

        Raises:
            DataError: no clip is left.
        """
        known = [clip for clip in clips if clip.emotion in self.model.emotions]
        strange = [clip for clip in clips if clip.emotion not in self.model.emotions]
        left = [LeftOut(name_of(c), f"the model doesn't know {c.emotion}") for c in strange]
        digests, problems = self.decoded.prepare(known)
        left += [LeftOut(problem.name, _reason(problem)) for problem in problems]
        usable = [clip for clip in known if clip.path in digests]
        if not usable:
            first = f"; the first was left out because {left[0].reason}" if left else ""
            raise DataError(f"no clip is left to evaluate{first}")
        rate = self.decoded.sample_rate

        def load(index: int) -> Samples:
            clip = usable[index]
            return condition.change(clip, self.decoded.samples(digests[clip.path]), rate)

        names = [f"{name_of(clip)} {digests[clip.path]}" for clip in usable]
        heard = self._heard(f"{condition.name} {condition.to_json()}", names, load, condition.name)
        return assemble(
            self.model.emotions,
            self.model.calibration,
            usable,
            heard.logits,
            self.model.emotions,
            tuple(left),
            heard.refusals,
        )

    def sounds(self, sounds: Sequence[Sound]) -> Heard:
        """Return what the model makes of sounds that nobody speaks."""
        names = [
            f"{sound.kind} {hashlib.sha256(sound.samples.tobytes()).hexdigest()}"
            for sound in sounds
        ]
        rate = self.model.specification.sample_rate

        def load(index: int) -> Samples:
            return resample(sounds[index].samples, RATE, rate)

        return self._heard("sounds", names, load, "made sounds")

    def _heard(
        self, what: str, names: Sequence[str], load: Callable[[int], Samples], title: str
    ) -> Heard:
        key = _key(FORMAT, what, *names)
        weights = _checkpoint_key(self.model.folder)
        path = self.folder / weights / f"{_key(key, self.precision)}.npz"
        if path.is_file():
            with np.load(path) as held:
                return Heard(held["logits"], tuple(held["refusals"].tolist()))
        self.log(f"hearing {len(names)} clips: {title}")
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            if self.tick is not None:
                self.tick(done, len(names))

        rate = self.model.specification.sample_rate
        speech = _SpeechFile(self.folder / "speech" / f"{key}.json", rate)
        heard = hear(
            self.model,
            len(names),
            load,
            speech=speech,
            precision=self.precision,
            workers=self.workers,
            progress=progress,
        )
        speech.save(len(names))
        _write_npz(path, {"logits": heard.logits, "refusals": np.array(heard.refusals)})
        return heard


class _SpeechFile:
    """Where somebody speaks in the clips of one part, found once for every model."""

    def __init__(self, path: Path, rate: int) -> None:
        self.path, self.rate = path, rate
        self.held: dict[int, Speech] = {}
        if path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))
            for index, (refusal, segments) in enumerate(rows):
                self.held[index] = Speech(refusal, tuple((a, b) for a, b in segments))
        self.known = bool(self.held)

    def __call__(self, index: int, samples: Samples) -> Speech:
        if index not in self.held:
            self.held[index] = find_speech(samples, self.rate)
        return self.held[index]

    def save(self, count: int) -> None:
        """Write it down, unless it was read."""
        if self.known:
            return
        rows = [[self.held[i].refusal, self.held[i].segments] for i in range(count)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps(rows), encoding="utf-8")
        partial.replace(self.path)


def _reason(problem: Problem) -> str:
    return {"silent": "it holds no sound"}.get(problem.kind, problem.reason)


def _key(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:20]


def _checkpoint_key(folder: Path) -> str:
    """Return a hash of what the logits depend on; calibration, figures and card don't count."""
    held = hashlib.sha256((folder / WEIGHTS).read_bytes())
    specification = json.loads((folder / SPECIFICATION).read_text(encoding="utf-8"))
    for free in ("name", "version", "created", "parent"):
        specification.pop(free, None)
    held.update(json.dumps(specification, sort_keys=True).encode())
    return held.hexdigest()[:20]


def _write_npz(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
