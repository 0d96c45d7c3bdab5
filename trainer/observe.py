"""Let a model listen to labelled clips: the one way from clips to `Outcomes`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ser_core import audio, calibration
from ser_core.calibration import Calibration
from ser_core.corpora.clip import Clip
from ser_core.errors import AudioError
from trainer.errors import DataError
from trainer.metrics import Outcomes

Samples = npt.NDArray[np.float32]
Loader = Callable[[Clip], Samples]
Change = Callable[[Clip, Samples], Samples]
BATCH = 16


class Listener(Protocol):
    """What is asked of a model here; `ser_core.recognizer.Recognizer` is one."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions in the order of the logits."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The checkpoint's version."""

    calibration: Calibration

    def clip_logits(self, waveforms: Sequence[Samples]) -> npt.NDArray[np.float64]:
        """Return logits ``[n, emotion]`` of waveforms ``[channel, time]``."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that could not be evaluated, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Observed:
    """What a model said, and which clips it could not be asked about."""

    outcomes: Outcomes
    left_out: tuple[LeftOut, ...]


def name_of(clip: Clip) -> str:
    """Return a clip's name across corpora, ``corpus/key``."""
    return f"{clip.corpus}/{clip.key}"


def clip_rng(clip: Clip, *words: object) -> np.random.Generator:
    """Return a generator that depends on the clip and the words alone.

    So every model hears a clip with the same noise, whatever else is in the list.
    """
    text = "\0".join([name_of(clip), *map(str, words)])
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()[:16]))


def load_clip(clip: Clip) -> Samples:
    """Decode a clip at 16 kHz, ``[channel, time]``."""
    return audio.load(clip.path).samples


def observe(
    model: Listener,
    clips: Iterable[Clip],
    *,
    emotions: Sequence[str] | None = None,
    load: Loader = load_clip,
    change: Change | None = None,
    progress: Callable[[int], None] | None = None,
) -> Observed:
    """Run a model over clips.

    Args:
        model: what listens.
        clips: labelled clips.
        emotions: columns of the outcome; by default the model's own. An emotion that the model
            doesn't know gets the probability 0, so that two models can be paired. A clip whose
            emotion is not among them is left out and counted.
        load: clip to waveform; give one that remembers when clips are heard more than once.
        change: applied to each waveform before the model hears it.
        progress: called with the number of clips done since the last call.

    Raises:
        DataError: no clip is left.
    """
    columns = tuple(emotions or model.emotions)
    place = [columns.index(e) for e in model.emotions if e in columns]
    if len(place) < len(model.emotions):
        gone = sorted(set(model.emotions) - set(columns))
        raise DataError(f"the columns lack {', '.join(gone)}, which {model.name} can answer")
    kept: list[Clip] = []
    rows: list[npt.NDArray[np.float64]] = []
    left_out: list[LeftOut] = []
    batch: list[tuple[Clip, Samples]] = []

    def run() -> None:
        if batch:
            rows.append(model.clip_logits([samples for _, samples in batch]))
            kept.extend(clip for clip, _ in batch)
            batch.clear()

    for clip in clips:
        if clip.emotion not in columns:
            left_out.append(LeftOut(name_of(clip), f"the model doesn't know {clip.emotion}"))
        else:
            try:
                samples = load(clip)
            except AudioError as error:
                left_out.append(LeftOut(name_of(clip), str(error)))
            else:
                batch.append((clip, change(clip, samples) if change else samples))
        if len(batch) == BATCH:
            run()
        if progress is not None:
            progress(1)
    run()
    if not kept:
        raise DataError(
            "no clip is left to evaluate"
            + (f"; the first was left out because {left_out[0].reason}" if left_out else "")
        )
    logits = np.concatenate(rows)
    raw, calibrated = np.zeros((2, len(kept), len(columns)))
    raw[:, place] = calibration.softmax(logits)
    calibrated[:, place] = model.calibration.probabilities(logits)
    return Observed(
        Outcomes(
            columns,
            np.array([columns.index(clip.emotion) for clip in kept], dtype=np.int64),
            calibrated,
            raw,
            tuple(clip.corpus for clip in kept),
            tuple(clip.sex for clip in kept),
            tuple(clip.person for clip in kept),
            tuple(name_of(clip) for clip in kept),
        ),
        tuple(left_out),
    )
