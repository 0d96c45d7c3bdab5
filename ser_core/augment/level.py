"""Effects on level: gain and clipping."""

from __future__ import annotations

import numpy as np

from ser_core.augment.effect import Effect, Parameter, Samples, Values


def _gain(samples: Samples, rate: int, values: Values) -> Samples:
    return samples * np.float32(10.0 ** (values["gain"] / 20.0))


def _clipping(samples: Samples, rate: int, values: Values) -> Samples:
    ceiling = np.float32(np.max(np.abs(samples)) * 10.0 ** (-values["depth"] / 20.0))
    return np.clip(samples, -ceiling, ceiling)


EFFECTS = (
    Effect(
        "gain",
        "Gain",
        "Makes the clip louder or quieter; beyond full scale it is turned down to be played.",
        (Parameter("gain", "dB", -40, 20, 0, 1, "Above 0 is louder; 6 dB is twice as much."),),
        _gain,
        {"mild": {"gain": -6}, "medium": {"gain": -14}, "strong": {"gain": -26}},
    ),
    Effect(
        "clipping",
        "Clipping",
        "Cuts off the peaks as an overdriven microphone does, heard as crackle and rasp.",
        (
            Parameter(
                "depth", "dB", 0, 40, 10, 1, "How far below the clip's peak everything is cut off."
            ),
        ),
        _clipping,
        {"mild": {"depth": 4}, "medium": {"depth": 10}, "strong": {"depth": 20}},
    ),
)
"""The effects of this module, in the order of the table."""
