"""Predictions of sets of clips under a condition, each made once and then remembered.

What is remembered belongs to the weights, the clips' contents and the condition, so that a report
that was stopped goes on with the ``PART`` clips it was at, a new calibration costs nothing, and
another checkpoint finds the speech already found.
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

from ser_core.audio import Audio, resample
from ser_core.checkpoints.checkpoint import SPECIFICATION, WEIGHTS
from ser_core.corpora.clip import Clip, Problem
from ser_core.files import load_arrays
from ser_core.inference.abstention import Abstention
from ser_core.inference.recognizer import Recognizer
from ser_core.inference.windows import SpeechActivity, detect_speech
from trainer.data.decoded import DecodedClips, segment_digest
from trainer.errors import DataError
from trainer.evaluation.corruptions import CLEAN, Corruption
from trainer.evaluation.inference import BATCH, ClipLogits, clip_logits
from trainer.evaluation.non_speech import RATE, Sound
from trainer.evaluation.predictions import LeftOut, Predictions, Samples, assemble, name_of

FORMAT = "2"
"""Part of every key: another way of predicting means another word."""

PART = 256
"""Clips whose predictions are written together: what a report that is stopped loses at most."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class CachedInference:
    """A model, and where its predictions are remembered.

    Attributes:
        model: what predicts.
        folder: of what is remembered; may be deleted at any time.
        decoded: clips as they are, silent ends included.
        precision: "auto", "fp32", "bf16" or "fp16", as in the settings of a training run.
        workers: threads that load.
        tick: called with clips done and clips in all of a set.
        log: takes a line at the beginning of each set that is not remembered.
    """

    model: Recognizer
    folder: Path
    decoded: DecodedClips
    precision: str = "auto"
    workers: int = 2
    tick: Callable[[int, int], None] | None = None
    log: Log = lambda line: None

    def clips(
        self,
        clips: Sequence[Clip],
        condition: Corruption = CLEAN,
        *,
        emotions: Sequence[str] | None = None,
    ) -> Predictions:
        """Return what the model answers for labelled clips under a condition.

        A clip whose emotion is not among ``emotions``, or that can't be decoded, is left out and
        counted.

        Args:
            clips: labelled clips.
            condition: what is done to them first.
            emotions: columns of the outcome, the model's own among them; None means just those.
                One that the model doesn't know gets the probability 0, so that models can be
                paired.

        Raises:
            DataError: no clip is left.
        """
        columns = tuple(emotions or self.model.emotions)
        known = [clip for clip in clips if clip.emotion in columns]
        strange = [clip for clip in clips if clip.emotion not in columns]
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
            digest = segment_digest(digests[clip.path], clip)
            return condition.change(clip, self.decoded.samples(digest), rate)

        names = [f"{name_of(clip)} {segment_digest(digests[clip.path], clip)}" for clip in usable]
        what = f"{condition.name} {condition.to_json()}"
        found = self._logits(what, names, load, condition.name)
        return assemble(
            self.model.emotions,
            self.model.calibration,
            usable,
            found.logits,
            columns,
            tuple(left),
            found.abstained,
        )

    def sounds(self, sounds: Sequence[Sound]) -> ClipLogits:
        """Return what the model makes of sounds that nobody speaks."""
        names = [
            f"{sound.kind} {hashlib.sha256(sound.samples.tobytes()).hexdigest()}"
            for sound in sounds
        ]
        rate = self.model.specification.sample_rate

        def load(index: int) -> Samples:
            return resample(sounds[index].samples, RATE, rate)

        return self._logits("sounds", names, load, "made sounds")

    def _logits(
        self, what: str, names: Sequence[str], load: Callable[[int], Samples], title: str
    ) -> ClipLogits:
        """Return the logits of a set, part by part, computing the parts that aren't kept."""
        parts = [
            range(first, min(first + PART, len(names))) for first in range(0, len(names), PART)
        ]
        keys = [_key(FORMAT, what, *(names[index] for index in part)) for part in parts]
        weights = self.folder / _checkpoint_key(self.model.folder)
        paths = [weights / f"{_key(key, self.precision)}.npz" for key in keys]
        missing = sum(
            len(part) for part, path in zip(parts, paths, strict=True) if not path.is_file()
        )
        if missing:
            self.log(f"predicting {missing} clips: {title}")
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            if self.tick is not None:
                self.tick(done, missing)

        found = []
        for part, key, path in zip(parts, keys, paths, strict=True):
            if not path.is_file():
                self._compute(part, key, path, load, progress)
            held = load_arrays(path)
            found.append((held["logits"], held["refusals"].tolist()))
        return ClipLogits(
            np.concatenate([logits for logits, _ in found]),
            tuple(reason for _, reasons in found for reason in reasons),
        )

    def _compute(
        self,
        part: range,
        key: str,
        path: Path,
        load: Callable[[int], Samples],
        progress: Callable[[int], None],
    ) -> None:
        speech = _SpeechFile(self.folder / "speech" / f"{key}.json")
        found = clip_logits(
            self.model.pipeline(self.model.runtime_in(self.precision), batch_size=BATCH),
            len(part),
            lambda index: load(part[index]),
            detect=speech,
            workers=self.workers,
            progress=progress,
        )
        speech.save(len(part))
        _write_npz(path, {"logits": found.logits, "refusals": np.array(found.abstained)})


class _SpeechFile:
    """Where somebody speaks in the clips of one set, found once for every model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: dict[int, SpeechActivity] = {}
        if path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))
            for index, (reason, segments) in enumerate(rows):
                abstention = Abstention(reason, reason) if reason else None
                self.held[index] = SpeechActivity(tuple((a, b) for a, b in segments), abstention)
        self.known = bool(self.held)

    def __call__(self, index: int, clip: Audio) -> SpeechActivity:
        if index not in self.held:
            self.held[index] = detect_speech(clip)
        return self.held[index]

    def save(self, count: int) -> None:
        """Write it down, unless it was read."""
        if self.known:
            return
        found = [self.held[index] for index in range(count)]
        rows = [[one.abstention.reason if one.abstention else "", one.segments] for one in found]
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
