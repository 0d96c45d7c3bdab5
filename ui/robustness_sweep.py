"""The robustness sweep: eleven effects at three strengths over one clip, judged together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ser_core import vad
from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS, Chain
from ser_core.errors import AugmentError
from ui.augment_bench import Samples, open_clip
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.recognizer import Recognizer

LONGEST = 10.0
"""Seconds of a clip that are swept: 33 copies of it are judged."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cell:
    """What the model made of the clip under one effect at one strength.

    Attributes:
        emotion: what it hears, or None where nothing is left to hear.
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
        emotion: what the model hears in the clip as it is.
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


def sweep(services: Services, path: str | Path, progress: Progress | None = None) -> Sweep:
    """Run a clip through every effect of the sweep and judge all copies in one go.

    Args:
        services: the model.
        path: the clip's file.
        progress: called with windows done and in all.

    Raises:
        SerError: the clip can't be used, or the model gives no answer even as it is.
    """
    bench = open_clip(services, path)
    rate = bench.clip.sample_rate
    if bench.judged["emotion"] is None:
        raise AugmentError(f"There is no answer that could flip. {bench.judged['unsure']}")
    whole = bench.clip.samples
    if services.serving.recognizer.specification.trim_silence:
        whole = vad.trimmed(whole, rate)  # as this model hears it
    samples = np.ascontiguousarray(whole[:, : round(LONGEST * rate)])
    steps = [EFFECTS[name].step(strength) for name in ROBUSTNESS for strength in STRENGTHS]
    copies = [samples, *(apply(step, samples, rate) for step in steps)]
    table = judged(services.serving.recognizer, copies, progress)
    names = services.serving.recognizer.emotions
    top = int(table[0].argmax())
    cells = [
        _cell(names, row, copy, step, top, float(table[0, top]))
        for row, copy, step in zip(table[1:], copies[1:], steps, strict=True)
    ]
    wide = len(STRENGTHS)
    rows = {
        name: tuple(cells[place * wide : (place + 1) * wide])
        for place, name in enumerate(ROBUSTNESS)
    }
    cut = bool(bench.cut) or samples.shape[1] < whole.shape[1]
    return Sweep(names[top], float(table[0, top]), rows, samples.shape[1] / rate, cut)


def apply(step: dict[str, float], samples: Samples, rate: int) -> Samples:
    """Return a clip under one step; the noise in it is the same every time."""
    drawn = Chain.from_json([step]).draw(np.random.default_rng(0), samples, rate)
    return drawn.apply(samples, rate)


def judged(
    recognizer: Recognizer, copies: list[Samples], progress: Progress | None = None
) -> npt.NDArray[np.float64]:
    """Return calibrated probabilities ``[copy, emotion]``; windows side by side, in one batch.

    The windows do not overlap here, which halves the work; every copy, the clip as it is among
    them, is judged in the same way.
    """
    from ser_core.recognizer import window_starts

    window = recognizer.specification.samples
    pieces, owner = [], []
    for place, samples in enumerate(copies):
        for start in window_starts(samples.shape[1], window, window):
            pieces.append(samples[:, start : start + window])
            owner.append(place)
    logits = recognizer.logits(pieces, progress)
    summed = np.zeros((len(copies), logits.shape[1]))
    np.add.at(summed, owner, logits)
    mean = summed / np.bincount(owner)[:, None]
    table: npt.NDArray[np.float64] = recognizer.calibration.probabilities(mean)
    return table


def _cell(
    names: tuple[str, ...],
    row: npt.NDArray[np.float64],
    copy: Samples,
    step: dict[str, float],
    top: int,
    before: float,
) -> Cell:
    settings = {key: value for key, value in step.items() if key != "name"}
    if not np.any(np.abs(copy) > 1e-5):
        return Cell(None, 0.0, -before, settings)
    now = int(row.argmax())
    return Cell(names[now], float(row[now]), float(row[top]) - before, settings)
