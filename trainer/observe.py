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

UNLIKE, TORN = "unlike the training speech", "several emotions about equally likely"
"""The doubts that a model has itself: low energy and high entropy."""


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
    """What a model said, and which clips it could not be asked about.

    Attributes:
        outcomes: labels and probabilities.
        left_out: clips that were not asked about.
        doubts: why the page would say "unsure", "" where it would not, [clip]; empty where only
            the entropy is to be judged.
        sets: the emotions of each conformal set, bool [clip, emotion], or None.
        coverage: what the sets were calibrated for.
        logits: of the model's own emotions, [clip, emotion], or None.
    """

    outcomes: Outcomes
    left_out: tuple[LeftOut, ...]
    doubts: tuple[str, ...] = ()
    sets: npt.NDArray[np.bool_] | None = None
    coverage: float = 0.9
    logits: npt.NDArray[np.float64] | None = None


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
    if gone := sorted(set(model.emotions) - set(columns)):
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
    return assemble(
        model.emotions, model.calibration, kept, np.concatenate(rows), columns, tuple(left_out)
    )


def assemble(
    emotions: Sequence[str],
    calibrated: Calibration,
    clips: Sequence[Clip],
    logits: npt.NDArray[np.float64],
    columns: Sequence[str],
    left_out: tuple[LeftOut, ...] = (),
    refusals: Sequence[str] = (),
) -> Observed:
    """Turn logits into what is scored.

    Args:
        emotions: the model's, the order of the logits.
        calibrated: the model's calibration.
        clips: labelled clips, each with an emotion of ``columns``.
        logits: [clip, emotion].
        columns: emotions of the outcome, the model's among them.
        left_out: passed on.
        refusals: why no answer was given before the model was asked, "" where one was, [clip].
    """
    place = [columns.index(emotion) for emotion in emotions]
    raw, chances = np.zeros((2, len(clips), len(columns)))
    raw[:, place] = calibration.softmax(logits)
    own = calibrated.probabilities(logits)
    chances[:, place] = own
    sets = np.zeros((len(clips), len(columns)), dtype=np.bool_)
    for row, held in enumerate(own):
        sets[row, [place[i] for i in calibrated.conformal_set(held)]] = True
    outcomes = Outcomes(
        tuple(columns),
        np.array([columns.index(clip.emotion) for clip in clips], dtype=np.int64),
        chances,
        raw,
        tuple(clip.corpus for clip in clips),
        tuple(clip.sex for clip in clips),
        tuple(clip.person for clip in clips),
        tuple(name_of(clip) for clip in clips),
    )
    said = doubts(calibrated, logits, refusals)
    return Observed(outcomes, left_out, said, sets, calibrated.coverage, logits)


def doubts(
    calibrated: Calibration, logits: npt.NDArray[np.float64], refusals: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return why each clip would get "unsure" at the page, in a word or two; "" where it doesn't.

    Args:
        calibrated: whose limits count.
        logits: [clip, emotion].
        refusals: reasons known before the model was asked, [clip]; they come first.
    """
    entropy = calibration.entropy(calibrated.probabilities(logits))
    energy, limit = calibration.energy(logits), calibrated.energy_limit
    said = list(refusals) or [""] * len(logits)
    for row, (held, force) in enumerate(zip(entropy, energy, strict=True)):
        if not said[row] and limit is not None and force < limit:
            said[row] = UNLIKE
        elif not said[row] and held > calibrated.entropy_limit:
            said[row] = TORN
    return tuple(said)
