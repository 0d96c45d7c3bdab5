"""Sounds that nobody speaks, made by a script: what "unsure" is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]
RATE = 16_000
SECONDS = (1.0, 6.0)
LEVELS = (-40.0, -3.0)
"""Peak in decibels below full scale, drawn evenly; silence has none."""


@dataclass(frozen=True)
class Sound:
    """A sound: what kind, its number among them, and float32 ``[1, time]`` at 16 kHz."""

    kind: str
    number: int
    samples: npt.NDArray[np.float32]


def _noise(time: Signal, rng: np.random.Generator, slope: float) -> Signal:
    """Noise whose power goes with frequency to the ``slope``: 0 white, -1 pink, -2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(len(time)))
    frequency = np.maximum(np.fft.rfftfreq(len(time), 1 / RATE), 20.0)
    return np.asarray(np.fft.irfft(spectrum * frequency ** (slope / 2), len(time)))


def _silence(time: Signal, rng: np.random.Generator) -> Signal:
    return np.zeros_like(time)


def _last_bits(time: Signal, rng: np.random.Generator) -> Signal:
    return rng.integers(-1, 2, len(time)) / 32768


def _white(time: Signal, rng: np.random.Generator) -> Signal:
    return _noise(time, rng, 0.0)


def _pink(time: Signal, rng: np.random.Generator) -> Signal:
    return _noise(time, rng, -1.0)


def _brown(time: Signal, rng: np.random.Generator) -> Signal:
    return _noise(time, rng, -2.0)


def _tone(time: Signal, rng: np.random.Generator) -> Signal:
    return np.asarray(np.sin(2 * np.pi * np.exp(rng.uniform(np.log(80), np.log(6000))) * time))


def _harmonics(phase: Signal, count: int, fall: float) -> Signal:
    return np.asarray(sum(np.sin(k * phase) / k**fall for k in range(1, count + 1)))


def _chord(time: Signal, rng: np.random.Generator) -> Signal:
    root = rng.uniform(110, 440)
    third = 4 if rng.random() < 0.5 else 3
    notes = [root * 2 ** (step / 12) for step in (0, third, 7)]
    return np.asarray(sum(_harmonics(2 * np.pi * note * time, 5, 1.5) for note in notes))


def _sweep(time: Signal, rng: np.random.Generator) -> Signal:
    low, high = np.sort(np.exp(rng.uniform(np.log(60), np.log(7000), 2)))
    if rng.random() < 0.5:
        low, high = high, low
    pitch = low * (high / low) ** (time / time[-1])
    return np.asarray(np.sin(2 * np.pi * np.cumsum(pitch) / RATE))


def _clicks(time: Signal, rng: np.random.Generator) -> Signal:
    out = np.zeros_like(time)
    step = RATE / rng.uniform(1, 20)
    at = np.arange(rng.uniform(0, step), len(time), step).astype(int)
    out[at] = rng.choice([-1.0, 1.0], len(at))
    ring = np.exp(-np.arange(200) / rng.uniform(5, 60))
    return np.asarray(np.convolve(out, ring)[: len(time)])


def _hum(time: Signal, rng: np.random.Generator) -> Signal:
    mains = 50.0 if rng.random() < 0.5 else 60.0
    hum = _harmonics(2 * np.pi * mains * time, 8, rng.uniform(0.5, 2))
    return np.asarray(hum + 0.02 * rng.standard_normal(len(time)))


def _melody(time: Signal, rng: np.random.Generator) -> Signal:
    """Harmonic notes of a scale with vibrato and a bow's swell: the nearest to a voice."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    root, length = rng.uniform(150, 400), rng.uniform(0.2, 0.6)
    notes = scale[rng.integers(0, len(scale), int(time[-1] / length) + 1)]
    place = (time / length).astype(int)
    vibrato = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(4, 7) * time)
    pitch = root * 2.0 ** (notes[place] / 12) * vibrato
    swell = np.sin(np.pi * np.clip((time / length) % 1.0, 0.02, 0.98)) ** 0.5
    return np.asarray(_harmonics(2 * np.pi * np.cumsum(pitch) / RATE, 8, 1.2) * swell)


def _am_noise(time: Signal, rng: np.random.Generator) -> Signal:
    """Noise that swells at the pace of syllables."""
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(2, 8) * time + rng.uniform(0, 6))
    return _pink(time, rng) * swell


KINDS: dict[str, Callable[[Signal, np.random.Generator], Signal]] = {
    "digital silence": _silence,
    "last bits": _last_bits,
    "white noise": _white,
    "pink noise": _pink,
    "brown noise": _brown,
    "pure tone": _tone,
    "chord": _chord,
    "sweep": _sweep,
    "clicks": _clicks,
    "mains hum": _hum,
    "melody": _melody,
    "swelling noise": _am_noise,
}
"""Kind -> what makes it from the time in seconds and a generator."""

AS_IT_IS = ("digital silence", "last bits")
"""Kinds that aren't brought to a level."""


def sounds(each: int, seed: int = 0) -> Iterator[Sound]:
    """Yield ``each`` sounds of every kind, the same ones whenever the seed is the same.

    Args:
        each: sounds of a kind, of drawn lengths (1 to 6 s) and levels (-40 to -3 dBFS peak).
        seed: of everything that is drawn.
    """
    for place, (kind, make) in enumerate(KINDS.items()):
        for number in range(each):
            rng = np.random.default_rng([seed, place, number])
            time = np.arange(round(rng.uniform(*SECONDS) * RATE)) / RATE
            signal = make(time, rng)
            if kind not in AS_IT_IS:
                peak = 10 ** (rng.uniform(*LEVELS) / 20)
                signal = signal * peak / np.abs(signal).max()
            yield Sound(kind, number, signal.astype(np.float32)[None])
