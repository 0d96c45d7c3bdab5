"""A chain of effects: read strictly from JSON, drawn once, applied as often as one likes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ser_core.augment.effect import Effect, Parameter, Samples
from ser_core.augment.noises import NoiseFolder
from ser_core.augment.recipes import RECIPES, find_recipe
from ser_core.augment.table import find
from ser_core.errors import AugmentError

MOST_STEPS = 32
"""How many steps a recipe may have."""

MOST_GROWTH = 8
"""How many times longer than the clip a chain may make it."""

Maps = TypeVar("Maps")
Range = tuple[float, float]
_SEEDS = 2**32


@dataclass(frozen=True)
class Step:
    """One step of a chain, before anything is drawn.

    Args:
        effect: what is done.
        ranges: lowest and highest value of every parameter; the same twice where it is fixed.
        probability: how often the step is taken, from 0 to 1.
        fixed: what an earlier draw decided besides the parameters (``seed`` or the recording).
    """

    effect: Effect
    ranges: Mapping[str, Range]
    probability: float
    fixed: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the step as a recipe writes it, with every parameter."""
        values = {
            name: low if low == high else [low, high] for name, (low, high) in self.ranges.items()
        }
        return {"name": self.effect.name, **values, **self.fixed, "p": self.probability}


@dataclass(frozen=True)
class DrawnStep:
    """One step with everything decided.

    Args:
        effect: what is done.
        values: every parameter, and ``seed`` or the recording where the effect takes one.
    """

    effect: Effect
    values: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the step as a recipe that draws exactly itself."""
        return {"name": self.effect.name, **self.values}


@dataclass(frozen=True)
class DrawnChain:
    """Steps with everything decided: the same sound in gives the same bytes out."""

    steps: tuple[DrawnStep, ...]
    noises: NoiseFolder | None = None

    @classmethod
    def from_json(
        cls, recipe: str | Iterable[Mapping[str, Any]], noises: NoiseFolder | None = None
    ) -> DrawnChain:
        """Return the chain that ``to_json`` wrote.

        Args:
            recipe: the list, or its JSON text.
            noises: the folder that background recordings were drawn from.

        Raises:
            AugmentError: the list is not a drawn chain, for instance because a range is left in it.
        """
        chain = Chain.from_json(recipe, noises)
        steps = []
        for number, step in enumerate(chain.steps, 1):
            where = f"Step {number} ({step.effect.name})"
            values = {name: low for name, (low, high) in step.ranges.items() if low == high}
            if len(values) < len(step.ranges) or step.probability != 1.0:
                raise AugmentError(f"{where}: a drawn chain takes neither ranges nor “p”.")
            if len(step.fixed) < len(_drawn_beside(step.effect)):
                beside = ", ".join(_drawn_beside(step.effect))
                raise AugmentError(f"{where}: a drawn chain has {beside} there.")
            steps.append(DrawnStep(step.effect, {**values, **step.fixed}))
        return cls(tuple(steps), noises)

    def to_json(self) -> list[dict[str, Any]]:
        """Return what was drawn as a list that JSON can hold; it is a valid recipe too."""
        return [step.to_json() for step in self.steps]

    def apply(self, samples: Samples, rate: int) -> Samples:
        """Apply the waveform effects; those on feature maps are left to ``apply_features``.

        Args:
            samples: float32 ``[channel, time]``; not changed.
            rate: samples per second.

        Returns:
            float32 ``[channel, time]``, a new array without NaN; longer or shorter where an
            effect with ``changes_length`` is among the steps.

        Raises:
            AugmentError: the samples are empty, of another shape or type, or not finite, or the
                result would be too long or beyond all numbers.
        """
        length = _checked(samples, rate)
        result = samples
        for step in self.steps:
            effect = step.effect
            if effect.kind != "waveform":
                continue
            values = step.values
            if effect.needs_noises:
                noises = _noises(self.noises, effect.name)
                sound = noises.samples(values["file"], values["sha256"], rate)
                values = {**values, "noise": sound}
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                result = effect.run(result, rate, values)
            if result.shape[1] > MOST_GROWTH * length + rate:
                raise AugmentError(
                    f"The recipe makes the clip more than {MOST_GROWTH} times as long at "
                    f"“{effect.name}”; use less slowing down."
                )
        if result is samples:
            return samples.copy()
        if not np.isfinite(result).all():
            raise AugmentError("The recipe makes the clip louder than numbers go; use less gain.")
        return np.ascontiguousarray(result, np.float32)

    def apply_features(self, values: Maps, frames: int | None = None) -> Maps:
        """Apply the effects on feature maps; those on waveforms are left to ``apply``.

        Args:
            values: a map of one clip ``[channel, bin, frame]``, numpy or torch; not changed.
            frames: how many frames are valid; all where None. Padding stays as it is.

        Returns:
            A map of the same shape and type.

        Raises:
            AugmentError: the map is not ``[channel, bin, frame]``.
        """
        result: Any = values
        if result.ndim != 3:
            raise AugmentError(
                f"A feature map must be [channel, bin, frame]; this one is {tuple(result.shape)}."
            )
        valid = result.shape[-1] if frames is None else min(int(frames), result.shape[-1])
        for step in self.steps:
            if step.effect.kind == "feature":
                result = step.effect.run(result, valid, step.values)
        out: Maps = result
        return out


@dataclass(frozen=True)
class Chain:
    """Steps with ranges and probabilities, from which chains are drawn."""

    steps: tuple[Step, ...]
    noises: NoiseFolder | None = None

    @classmethod
    def from_json(
        cls, recipe: str | Iterable[Mapping[str, Any]], noises: NoiseFolder | None = None
    ) -> Chain:
        """Read a recipe strictly.

        Args:
            recipe: a list of ``{"name", parameter: value or [low, high], "p": 0..1}``, its JSON
                text, or the name of one of ``RECIPES``. What is left out takes its default; a pair
                may also be written ``min_x`` and ``max_x``.
            noises: the folder that ``background_noise`` draws from.

        Raises:
            AugmentError: no list of steps, an unknown name (the nearest is offered), or a
                parameter out of its range (the range is said).

        >>> chain = Chain.from_json('[{"name": "speed", "factor": [0.9, 1.1], "p": 0.5}]')
        >>> chain.to_json()
        [{'name': 'speed', 'factor': [0.9, 1.1], 'p': 0.5}]
        """
        items = _parsed(recipe)
        if len(items) > MOST_STEPS:
            raise AugmentError(f"The recipe has {len(items)} steps; {MOST_STEPS} are allowed.")
        return cls(tuple(_step(item, number) for number, item in enumerate(items, 1)), noises)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the recipe as a list that JSON can hold, with every parameter."""
        return [step.to_json() for step in self.steps]

    def draw(
        self, rng: np.random.Generator, length: int | Samples = 1, rate: int = 16000
    ) -> DrawnChain:
        """Decide everything that is left open: which steps, which values, which noise.

        The same number of random numbers is used for a step whether it is taken or not.

        Args:
            rng: where the randomness comes from.
            length: samples in a channel, or the samples themselves.
            rate: samples per second.

        Raises:
            AugmentError: there is nothing to augment, or a recording is asked for without a folder.
        """
        if (length if isinstance(length, int) else length.shape[-1]) < 1:
            raise AugmentError("There is no sound to augment: the clip has no samples.")
        _checked_rate(rate)
        drawn = []
        for step in self.steps:
            taken = rng.random() < step.probability
            values: dict[str, Any] = {
                parameter.name: parameter.draw(*step.ranges[parameter.name], rng)
                for parameter in step.effect.parameters
            }
            if step.effect.seeded:
                values["seed"] = int(rng.integers(_SEEDS))
            if step.effect.needs_noises:
                noises = _noises(self.noises, step.effect.name)
                values["file"] = noises.names[int(rng.integers(len(noises.names)))]
                values["position"] = float(f"{rng.random():.6f}")
                if taken and not step.fixed:
                    values["sha256"] = noises.fingerprint(values["file"])
            if taken:
                drawn.append(DrawnStep(step.effect, {**values, **step.fixed}))
        return DrawnChain(tuple(drawn), self.noises)


def augment(
    samples: Samples,
    rate: int,
    recipe: str | Iterable[Mapping[str, Any]],
    seed: int,
    noises: NoiseFolder | None = None,
) -> tuple[Samples, list[dict[str, Any]]]:
    """Augment a clip by a recipe and a seed.

    Args:
        samples: float32 ``[channel, time]``; not changed.
        rate: samples per second.
        recipe: as ``Chain.from_json`` takes it.
        seed: a whole number, 0 or more; the same one draws the same.
        noises: the folder that ``background_noise`` draws from.

    Returns:
        The augmented samples, and what was drawn (replay it with ``DrawnChain.from_json``).

    Raises:
        AugmentError: the recipe, the seed or the samples are not usable.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise AugmentError(f"The seed is {seed!r:.60}; it must be a whole number, 0 or more.")
    drawn = Chain.from_json(recipe, noises).draw(np.random.default_rng(seed), samples, rate)
    return drawn.apply(samples, rate), drawn.to_json()


def _parsed(recipe: str | Iterable[Mapping[str, Any]]) -> Sequence[Any]:
    parsed: Any = recipe
    if isinstance(recipe, str):
        steps = find_recipe(recipe.strip())
        if steps is not None:
            return steps
        try:
            parsed = json.loads(recipe)
        except (ValueError, RecursionError) as error:
            raise AugmentError(
                f"The recipe is neither JSON ({error}) nor one of {', '.join(RECIPES)}."
            ) from error
    if isinstance(parsed, tuple):
        parsed = list(parsed)
    if not isinstance(parsed, list):
        raise AugmentError(
            "A recipe is a list of steps, such as "
            f'[{{"name": "gain", "gain": -6}}]; this is {type(parsed).__name__}.'
        )
    return parsed


def _step(item: Any, number: int) -> Step:
    where = f"Step {number}"
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise AugmentError(
            f'{where}: a step is an object with a “name”, such as {{"name": "gain"}}.'
        )
    effect = find(item["name"], where)
    where = f"{where} ({effect.name})"
    ranges = {name: (value, value) for name, value in effect.defaults().items()}
    beside = _drawn_beside(effect)
    fixed: dict[str, Any] = {}
    pairs: dict[str, dict[str, Any]] = {}
    for key, value in item.items():
        if key in ("name", "p", "acts_on"):  # the last is said of what was drawn, never asked
            continue
        if key in beside:
            fixed[key] = _fixed(key, value, where)
        elif key[:4] in ("min_", "max_"):
            pairs.setdefault(key[4:], {})[key[:3]] = value
        else:
            ranges[key] = _range(effect.parameter(key, where), value, where)
    for name, pair in pairs.items():
        parameter = effect.parameter(name, where)
        if len(pair) < 2 or name in item:
            raise AugmentError(
                f"{where}: write “{name}” as one value or range, or as both min_{name} and "
                f"max_{name}."
            )
        ranges[name] = _range(parameter, [pair["min"], pair["max"]], where)
    if effect.needs_noises and fixed and len(fixed) < len(beside):
        raise AugmentError(f"{where}: give all of {', '.join(beside)}, or none.")
    probability = Parameter("p", "", 0, 1, 1, 0.05, "").check(item.get("p", 1.0), where)
    return Step(effect, ranges, probability, fixed)


def _range(parameter: Parameter, value: Any, where: str) -> Range:
    if not isinstance(value, list | tuple):
        single = parameter.check(value, where)
        return single, single
    if len(value) != 2:
        raise AugmentError(
            f"{where}: “{parameter.name}” is a list of {len(value)}; "
            "write one value or [low, high]."
        )
    low, high = parameter.check(value[0], where), parameter.check(value[1], where)
    if low > high:
        raise AugmentError(
            f"{where}: “{parameter.name}” is [{low:g}, {high:g}]; the lower end comes first."
        )
    return low, high


def _drawn_beside(effect: Effect) -> tuple[str, ...]:
    if effect.needs_noises:
        return ("file", "position", "sha256")
    return ("seed",) if effect.seeded else ()


def _fixed(key: str, value: Any, where: str) -> Any:
    if key == "seed":
        return int(Parameter("seed", "", 0, _SEEDS - 1, 0, 1, "", whole=True).check(value, where))
    if key == "position":
        return Parameter("position", "", 0, 1, 0, 0.01, "").check(value, where)
    if not isinstance(value, str):
        raise AugmentError(f"{where}: “{key}” must be text, as a drawn chain says it.")
    return value


def _noises(noises: NoiseFolder | None, name: str) -> NoiseFolder:
    if noises is None:
        raise AugmentError(f"“{name}” needs a folder of recordings, and none was given.")
    return noises


def _checked_rate(rate: int) -> None:
    if rate < 1000:
        raise AugmentError(f"The sample rate is {rate}; at least 1000 samples a second are needed.")


def _checked(samples: Samples, rate: int) -> int:
    _checked_rate(rate)
    if not isinstance(samples, np.ndarray) or samples.ndim != 2 or samples.dtype != np.float32:
        found = f"{getattr(samples, 'dtype', type(samples).__name__)} {np.shape(samples)}"
        raise AugmentError(f"Samples must be float32 [channel, time]; these are {found}.")
    if samples.size == 0:
        raise AugmentError("There is no sound to augment: the clip has no samples.")
    if not np.isfinite(samples).all():
        raise AugmentError("The clip holds samples that are not numbers (NaN or infinity).")
    return int(samples.shape[1])
