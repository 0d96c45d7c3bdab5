"""What an effect is: a name, words for the page, parameters with ranges, and a pure function."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ser_core.errors import AugmentError

Samples = npt.NDArray[np.float32]
"""Sound as float32 ``[channel, time]``, full scale at ±1."""

Values = Mapping[str, Any]
"""What one application of an effect uses: every parameter, and what else was drawn for it."""

STRENGTHS = ("mild", "medium", "strong")
"""The names of the three strengths that every effect offers."""


@dataclass(frozen=True)
class Parameter:
    """One number that an effect takes, with all that a slider needs.

    Args:
        name: its key in a recipe.
        unit: what it is counted in, such as ``dB``; empty for a plain number.
        low: the smallest value allowed.
        high: the largest value allowed.
        default: what a recipe that leaves it out gets.
        step: the slider's step.
        description: one sentence about what it does.
        whole: only whole numbers make sense (a count, or a switch between 0 and 1).
    """

    name: str
    unit: str
    low: float
    high: float
    default: float
    step: float
    description: str
    whole: bool = False

    @property
    def switch(self) -> bool:
        """Whether it is a choice between off (0) and on (1)."""
        return self.whole and self.low == 0 and self.high == 1

    def check(self, value: object, where: str) -> float:
        """Return ``value`` as a number within the range.

        Args:
            value: what a recipe says, of any type.
            where: the step it stands in, for the message.

        Raises:
            AugmentError: it is not a finite number, lies outside the range, or must be whole.
        """
        unit = f" {self.unit}" if self.unit else ""
        allowed = f"between {self.low:g} and {self.high:g}{unit}"
        if isinstance(value, bool) and self.switch:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AugmentError(
                f"{where}: “{self.name}” is {value!r:.60}; it must be a number {allowed}."
            )
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise AugmentError(f"{where}: “{self.name}” is {value:.6g}; it must be {allowed}.")
        if self.whole and value != int(value):
            raise AugmentError(
                f"{where}: “{self.name}” is {value:.6g}; it must be a whole number {allowed}."
            )
        return int(value) if self.whole else float(value)

    def draw(self, low: float, high: float, rng: np.random.Generator) -> float:
        """Draw uniformly between ``low`` and ``high``, to six digits, so that JSON stays readable.

        Args:
            low: the lower end; returned as it is where both ends are the same.
            high: the upper end.
            rng: where the randomness comes from; asked once in any case.
        """
        fraction = rng.random()
        if low == high:
            return low
        if self.whole:
            return min(int(low + fraction * (high - low + 1)), int(high))
        return min(max(float(f"{low + fraction * (high - low):.6g}"), low), high)


def switch(name: str, default: bool, description: str) -> Parameter:
    """Return a parameter that is either off (0) or on (1)."""
    return Parameter(name, "", 0, 1, int(default), 1, description, whole=True)


@dataclass(frozen=True)
class Effect:
    """One augmentation: what it is called, what it does, what it takes, and how it is done.

    Args:
        name: its name in a recipe.
        title: its name on the page.
        summary: one plain sentence: what it does and what one hears.
        parameters: its sliders, in order.
        run: ``(input, rate, values) -> output``, pure: the same arguments give the same bytes.
            The input is float32 ``[channel, time]`` for a waveform effect; for a feature effect
            a map ``[channel, bin, frame]``, with the number of valid frames as the rate.
        strengths: parameters by strength (mild, medium, strong); the others take their default.
        kind: what it works on.
        seeded: it uses random numbers, which come from a drawn ``seed`` among its values.
        changes_length: the output may be longer or shorter than the input.
        needs_noises: it takes a recording from a folder of noises.
    """

    name: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Any, int, Values], Any]
    strengths: Mapping[str, Mapping[str, float]]
    kind: Literal["waveform", "feature"] = "waveform"
    seeded: bool = False
    changes_length: bool = False
    needs_noises: bool = False

    def parameter(self, name: str, where: str) -> Parameter:
        """Return the parameter called ``name``.

        Raises:
            AugmentError: there is none; the message offers the nearest one and lists all.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = [parameter.name for parameter in self.parameters]
        raise AugmentError(f"{where}: “{self.name}” has no “{name:.40}”. {offer(name, known)}")

    def defaults(self) -> dict[str, float]:
        """Return every parameter at its default."""
        return {
            parameter.name: int(parameter.default) if parameter.whole else float(parameter.default)
            for parameter in self.parameters
        }

    def step(self, strength: str) -> dict[str, Any]:
        """Return the recipe step that applies this effect at ``strength``, with every parameter.

        Raises:
            AugmentError: no such strength.
        """
        if strength not in self.strengths:
            raise AugmentError(
                f"“{strength:.40}” is not a strength; use one of {', '.join(self.strengths)}."
            )
        return {"name": self.name, **self.defaults(), **self.strengths[strength]}


def offer(name: str, known: Collection[str]) -> str:
    """Return a sentence that offers the known name nearest to ``name``, else all of them.

    >>> offer("revreb", ["gain", "reverb"])
    'Did you mean “reverb”?'
    """
    folded = name.casefold().replace(" ", "_").replace("-", "_")
    near = difflib.get_close_matches(folded, [item.casefold() for item in known], n=1, cutoff=0.6)
    for item in known:
        if near and item.casefold() == near[0]:
            return f"Did you mean “{item}”?"
    return f"Known are: {', '.join(known)}."


def generator(seed: int) -> np.random.Generator:
    """Return the fast generator that effects make their noise with, from a drawn seed."""
    return np.random.Generator(np.random.SFC64(seed))


def rms(samples: Samples) -> float:
    """Return the root of the mean square over all channels; 0 for silence."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def fit_length(samples: Samples, length: int) -> Samples:
    """Cut the end, or add silence there, so that the time axis has ``length`` samples."""
    if samples.shape[1] >= length:
        return samples[:, :length]
    return np.pad(samples, ((0, 0), (0, length - samples.shape[1])))
