"""Effects that add noise: at a signal-to-noise ratio, at an amplitude, coloured, or recorded."""

from __future__ import annotations

import numpy as np
import scipy.fft

from ser_core.augment.effect import Effect, Parameter, Samples, Values, generator, rms

_SNR = "How far the noise lies below the voice: 0 dB is as loud as it, 40 dB is hardly heard."


def _mix(samples: Samples, noise: Samples, snr: float) -> Samples:
    level = rms(noise)
    if level == 0.0:
        return samples.copy()
    # Silence has no ratio to noise: it stays silent.
    scale = np.float32(rms(samples) / level * 10.0 ** (-snr / 20.0))
    return samples + noise * scale


def _white(samples: Samples, seed: int) -> Samples:
    return generator(seed).standard_normal(samples.shape, dtype=np.float32)


def _gaussian(samples: Samples, rate: int, values: Values) -> Samples:
    return _mix(samples, _white(samples, values["seed"]), values["snr"])


def _amplitude(samples: Samples, rate: int, values: Values) -> Samples:
    noise = _white(samples, values["seed"])
    noise *= np.float32(values["amplitude"])
    noise += samples
    return noise


def _coloured(samples: Samples, rate: int, values: Values) -> Samples:
    white = _white(samples, values["seed"])
    length = samples.shape[1]
    size = scipy.fft.next_fast_len(length, real=True)
    spectrum = scipy.fft.rfft(white, size, axis=1)
    frequencies = np.fft.rfftfreq(size, 1.0 / rate)
    # Below 20 Hz nobody hears anything, and a steep slope would put all energy there.
    shape = np.maximum(frequencies, 20.0) ** (values["slope"] / (20.0 * np.log10(2.0)))
    shape[frequencies < 20.0] = 0.0
    shape /= max(float(shape.max()), 1e-30)
    shaped = scipy.fft.irfft(spectrum * shape.astype(np.float32), size, axis=1)[:, :length]
    return _mix(samples, shaped, values["snr"])


def _background(samples: Samples, rate: int, values: Values) -> Samples:
    recording: Samples = values["noise"]  # [1, time], never empty
    start = int(values["position"] * recording.shape[1])
    places = (start + np.arange(samples.shape[1])) % recording.shape[1]
    return _mix(samples, np.repeat(recording[:, places], samples.shape[0], axis=0), values["snr"])


EFFECTS = (
    Effect(
        "gaussian_noise",
        "Gaussian noise",
        "Adds white noise at a chosen distance below the voice, heard as a steady hiss.",
        (Parameter("snr", "dB", -5, 60, 20, 1, _SNR),),
        _gaussian,
        {"mild": {"snr": 30}, "medium": {"snr": 20}, "strong": {"snr": 10}},
        seeded=True,
    ),
    Effect(
        "amplitude_noise",
        "Gaussian noise at an amplitude",
        "Adds white noise of a fixed amplitude whatever the voice's level, so that a quiet voice "
        "drowns sooner.",
        (
            Parameter(
                "amplitude",
                "of full scale",
                0.0,
                0.2,
                0.005,
                0.0005,
                "The noise's standard deviation, where 1 is full scale.",
            ),
        ),
        _amplitude,
        {
            "mild": {"amplitude": 0.001},
            "medium": {"amplitude": 0.005},
            "strong": {"amplitude": 0.015},
        },
        seeded=True,
    ),
    Effect(
        "coloured_noise",
        "Coloured noise",
        "Adds noise that is stronger in the bass than in the treble, heard as wind, traffic or a "
        "distant engine.",
        (
            Parameter("snr", "dB", -5, 60, 15, 1, _SNR),
            Parameter(
                "slope",
                "dB per octave",
                -12,
                6,
                -3,
                0.5,
                "How the noise falls with frequency: 0 is white, -3 pink, -6 brown.",
            ),
        ),
        _coloured,
        {
            "mild": {"snr": 25},
            "medium": {"snr": 12},
            "strong": {"snr": 3},
        },
        seeded=True,
    ),
    Effect(
        "background_noise",
        "Background recording",
        "Mixes in a stretch of a recording from a folder of noises, such as a street or a café.",
        (Parameter("snr", "dB", -5, 60, 15, 1, _SNR),),
        _background,
        {"mild": {"snr": 25}, "medium": {"snr": 12}, "strong": {"snr": 3}},
        needs_noises=True,
    ),
)
"""The effects of this module, in the order of the table."""
