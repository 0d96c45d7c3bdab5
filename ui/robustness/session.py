"""The robustness sweep: every effect at three strengths over one clip, predicted together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_core.audio import Audio, speech_detection
from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS, Chain
from ser_core.errors import AugmentError, SerError
from ui.services import Services
from ui.working_clip import Samples, open_clip

if TYPE_CHECKING:
    from ser_core.inference.pipeline import Progress
    from ser_core.inference.prediction import Prediction
    from ser_core.inference.recognizer import Recognizer

LONGEST = 10.0
"""Seconds of a clip that are swept: one copy an effect and strength is predicted."""


@dataclass(frozen=True)
class Cell:
    """What the model made of the clip under one effect at one strength.

    Attributes:
        emotion: the prediction, or None where no speech is left.
        confidence: probability of that emotion.
        change: by how much the probability of the clip's own emotion changed, -1 to 1.
        settings: the parameters that were used.
    """

    emotion: str | None
    confidence: float
    change: float
    settings: dict[str, float]


@dataclass(frozen=True)
class Sweep:
    """A clip under every effect.

    Attributes:
        emotion: the prediction for the clip as it is.
        confidence: probability of that emotion.
        rows: the cells of each effect, from mild to strong.
        seconds: how much of the clip was swept.
        cut: whether the clip is longer than that.
    """

    emotion: str
    confidence: float
    rows: dict[str, tuple[Cell, ...]]
    seconds: float
    cut: bool

    def stable(self, name: str) -> bool:
        """Return whether the answer stays the same under every strength of an effect."""
        return all(cell.emotion == self.emotion for cell in self.rows[name])

    @property
    def held(self) -> int:
        """How many effects leave the answer as it is at every strength."""
        return sum(self.stable(name) for name in self.rows)

    def held_at(self, place: int) -> int:
        """Return how many effects leave the answer as it is at one strength."""
        return sum(cells[place].emotion == self.emotion for cells in self.rows.values())


def sweep(
    services: Services,
    path: str | Path,
    progress: Progress | None = None,
    recognizer: Recognizer | None = None,
) -> Sweep:
    """Run a clip through every effect of the sweep and judge all copies in one go.

    Args:
        services: the model.
        path: the clip's file.
        progress: called with copies done and in all.
        recognizer: the model; the one that serves by default.

    Raises:
        SerError: the clip can't be used, or the model gives no answer even as it is.
    """
    recognizer = recognizer or services.serving.recognizer
    working = open_clip(services, path, recognizer)
    rate = working.clip.sample_rate
    if working.prediction["emotion"] is None:
        raise AugmentError(f"There is no answer that could flip: {working.prediction['unsure']}")
    whole = working.clip.samples
    most = round(LONGEST * rate)
    if whole.shape[1] > most:
        whole = speech_detection.trimmed(whole, rate)  # those seconds in which somebody speaks
    samples = np.ascontiguousarray(whole[:, :most])
    steps = [EFFECTS[name].step(strength) for name in ROBUSTNESS for strength in STRENGTHS]
    copies = [samples, *(apply(step, samples, rate) for step in steps)]
    original, *changed = predictions_of(recognizer, copies, rate, progress)
    if original.emotion is None:
        raise AugmentError(f"There is no answer that could flip: {original.abstained}")
    cells = [_cell(original, found, step) for found, step in zip(changed, steps, strict=True)]
    wide = len(STRENGTHS)
    rows = {
        name: tuple(cells[place * wide : (place + 1) * wide])
        for place, name in enumerate(ROBUSTNESS)
    }
    cut = bool(working.cut) or samples.shape[1] < whole.shape[1]
    return Sweep(original.emotion, original.confidence, rows, samples.shape[1] / rate, cut)


def apply(step: dict[str, float], samples: Samples, rate: int) -> Samples:
    """Return a clip under one step; the noise in it is the same every time."""
    drawn = Chain.from_json([step]).draw(np.random.default_rng(0), samples, rate)
    return drawn.apply(samples, rate)


def predictions_of(
    recognizer: Recognizer, copies: list[Samples], rate: int, progress: Progress | None = None
) -> list[Prediction]:
    """Return the prediction of each copy of a clip; their windows share batches.

    Args:
        recognizer: the model.
        copies: waveforms ``[channel, time]``.
        rate: hertz.
        progress: called with copies done and in all.

    Raises:
        SerError: a copy can't be used.
    """
    clips = [Audio(samples, rate, rate) for samples in copies]
    predictions = []
    for found in recognizer.predict_many(clips, batch_size=32):
        if isinstance(found, SerError):
            raise found
        predictions.append(found)
        if progress is not None:
            progress(len(predictions), len(copies))
    return predictions


def _cell(original: Prediction, found: Prediction, step: dict[str, float]) -> Cell:
    settings = {key: value for key, value in step.items() if key != "name"}
    before = original.confidence
    if found.emotion is None or original.emotion is None:
        return Cell(None, 0.0, -before, settings)
    change = found.probabilities[original.emotion] - before
    return Cell(found.emotion, found.confidence, change, settings)
