"""Effects on tone: single-pole filters, the telephone's band, a lower sample rate."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from ser_core.augment.effect import Effect, Parameter, Samples, Values, switch
from ser_core.augment.timing import resample

_CUTOFF = "The frequency at which a pole takes 3 dB."
_POLES = "How many times the filter is applied; each takes 6 dB more in an octave."


def _filter(samples: Samples, numerator: list[float], pole: float, poles: int) -> Samples:
    from scipy.signal import lfilter

    b, a = np.array(numerator, np.float32), np.array([1.0, -pole], np.float32)
    for _ in range(poles):
        samples = lfilter(b, a, samples, axis=1)
    return samples


def _lowpass(samples: Samples, rate: int, values: Values) -> Samples:
    pole = math.exp(-2.0 * math.pi * values["cutoff"] / rate)
    return _filter(samples, [1.0 - pole], pole, values["poles"])


def _highpass(samples: Samples, rate: int, values: Values) -> Samples:
    pole = math.exp(-2.0 * math.pi * values["cutoff"] / rate)
    half = (1.0 + pole) / 2.0
    return _filter(samples, [half, -half], pole, values["poles"])


@functools.lru_cache(maxsize=256)
def _band(low: float, high: float, rate: int) -> npt.NDArray[np.float32]:
    from scipy.signal import butter

    edges = [low, min(high, 0.49 * rate)]
    sections: npt.NDArray[np.float64] = butter(4, edges, "bandpass", fs=rate, output="sos")
    return sections.astype(np.float32)


def _telephone(samples: Samples, rate: int, values: Values) -> Samples:
    from scipy.signal import sosfilt

    length, line = samples.shape[1], min(rate, 8000)
    if line < rate:
        samples = resample(samples, rate, line, max(1, round(length * line / rate)))
    samples = sosfilt(_band(values["low"], values["high"], line), samples, axis=1)
    if values["companding"]:
        # The µ-law of ITU-T G.711 as a formula, with 8 bits and full scale at ±1.
        clipped = np.clip(samples, -1.0, 1.0)
        bent = np.sign(clipped) * np.log1p(255.0 * np.abs(clipped)) / np.log(256.0)
        coarse = np.round(bent * 127.0) / 127.0
        samples = np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256.0)) / 255.0
        samples = samples.astype(np.float32)
    return resample(samples, line, rate, length) if line < rate else samples


def _rate(samples: Samples, rate: int, values: Values) -> Samples:
    lower = values["rate"]
    if lower >= rate:
        return samples.copy()
    length = samples.shape[1]
    fewer = resample(samples, rate, lower, max(1, round(length * lower / rate)))
    return resample(fewer, lower, rate, length)


EFFECTS = (
    Effect(
        "lowpass",
        "Low-pass",
        "Takes away the treble gently, as a wall or a scarf does, so that the voice sounds dull.",
        (
            Parameter("cutoff", "Hz", 50, 8000, 2000, 50, _CUTOFF),
            Parameter("poles", "", 1, 8, 1, 1, _POLES, whole=True),
        ),
        _lowpass,
        {"mild": {"cutoff": 3000}, "medium": {"cutoff": 1000}, "strong": {"cutoff": 300}},
    ),
    Effect(
        "highpass",
        "High-pass",
        "Takes away the bass gently, as a very small loudspeaker does, so that the voice sounds "
        "thin.",
        (
            Parameter("cutoff", "Hz", 20, 4000, 300, 10, _CUTOFF),
            Parameter("poles", "", 1, 8, 1, 1, _POLES, whole=True),
        ),
        _highpass,
        {"mild": {"cutoff": 150}, "medium": {"cutoff": 400}, "strong": {"cutoff": 1000}},
    ),
    Effect(
        "telephone",
        "Telephone",
        "Keeps only the band of a telephone line at 8 kHz, so that the voice sounds narrow.",
        (
            Parameter("low", "Hz", 50, 800, 300, 10, "Where the band begins."),
            Parameter("high", "Hz", 1500, 3900, 3400, 50, "Where the band ends."),
            switch("companding", False, "Round to the line's 8 bits (µ-law), heard as grit."),
        ),
        _telephone,
        {
            "mild": {"low": 200, "high": 3600},
            "medium": {"low": 300, "high": 3400},
            "strong": {"low": 500, "high": 2500, "companding": 1},
        },
    ),
    Effect(
        "rate",
        "Sample rate",
        "Takes the clip to a lower sample rate and back, so that all above half that rate is gone.",
        (
            Parameter(
                "rate", "Hz", 1000, 16000, 8000, 100, "The lower rate; the clip's own leaves it."
            ),
        ),
        _rate,
        {"mild": {"rate": 12000}, "medium": {"rate": 8000}, "strong": {"rate": 4000}},
    ),
)
"""The effects of this module, in the order of the table."""
