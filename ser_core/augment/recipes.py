"""Recipes with a name: the baseline's training chain, the default model's, places."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, list[dict[str, Any]]] = {
    "baseline": [
        {"name": "amplitude_noise", "amplitude": [0.001, 0.015], "p": 0.5},
        {"name": "time_stretch", "rate": [0.8, 1.25], "keep_length": 1, "p": 0.5},
        {"name": "pitch_shift", "semitones": [-4, 4], "p": 0.5},
        {"name": "shift", "shift": [-0.5, 0.5], "rollover": 1, "p": 0.5},
    ],
    "train": [
        {"name": "speed", "factor": [0.9, 1.1], "p": 0.7},
        {"name": "reverb", "decay": [0.1, 0.6], "wet": [0.05, 0.3], "p": 0.2},
        {"name": "telephone", "low": [200, 400], "high": [2800, 3700], "p": 0.1},
        {"name": "gaussian_noise", "snr": [15, 40], "p": 0.4},
        {"name": "gain", "gain": [-12, 6], "p": 0.8},
    ],
    "phone line": [
        {"name": "telephone", "low": 300, "high": 3400, "companding": 1},
        {"name": "clipping", "depth": 4},
        {"name": "gaussian_noise", "snr": 28},
    ],
    "hall": [
        {"name": "reverb", "decay": 2.2, "wet": 0.5, "delay": 25},
        {"name": "lowpass", "cutoff": 5000},
    ],
    "noisy street": [
        {"name": "coloured_noise", "snr": [3, 8], "slope": -6},
        {"name": "coloured_noise", "snr": [12, 18], "slope": -2},
        {"name": "reverb", "decay": 0.3, "wet": 0.1},
    ],
    "far microphone": [
        {"name": "reverb", "decay": 0.7, "wet": 0.65, "delay": 5},
        {"name": "lowpass", "cutoff": 3500},
        {"name": "gain", "gain": -20},
        {"name": "gaussian_noise", "snr": 18},
    ],
}
"""Recipes by name; the first two train the baseline and the default model."""

_ALIASES = {"seed": "baseline"}


def find_recipe(name: str) -> list[dict[str, Any]] | None:
    """Return the steps of a recipe by its name, or by a former one; None where there is none.

    >>> find_recipe("seed") == RECIPES["baseline"], find_recipe("street")
    (True, None)
    """
    return RECIPES.get(_ALIASES.get(name, name))
