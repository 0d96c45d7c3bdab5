"""The log-mel spectrogram of ``Mel`` in numpy: for pictures, where importing torch would be a wait.

A network never sees it; what it is shown comes from ``Mel``, or from the graph that was made of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FLOOR: Final = 1e-10
"""The least power or magnitude whose logarithm is taken."""

_BLOCK = 512
"""Frames that are transformed at once, so that an hour takes no more memory than a minute."""


class NumpyMel:
    """Log-mel spectrogram of one channel; the arguments are those of ``Mel``.

    >>> mel = NumpyMel(sample_rate=16000, n_mels=80, n_fft=1024, hop_length=320)
    >>> mel(np.zeros(16000, np.float32)).shape
    (80, 51)
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 128,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int = 512,
        f_min: float = 0.0,
        f_max: float | None = None,
        power: float = 2.0,
        mel_scale: str = "htk",
        norm: str | None = None,
        top_db: float | None = 80.0,
        log: str = "db",
    ) -> None:
        self.n_fft, self.hop_length, self.power = n_fft, hop_length, power
        self.top_db, self.log = top_db, log
        width = n_fft if win_length is None else win_length
        before = (n_fft - width) // 2
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)  # periodic, as torch's
        self._window = np.zeros(n_fft, np.float32)
        self._window[before : before + width] = hann
        top = float(sample_rate // 2) if f_max is None else f_max
        low, high = (_to_mel(np.array(edge), mel_scale) for edge in (f_min, top))
        edges = _to_hertz(np.linspace(low, high, n_mels + 2), mel_scale)
        self.frequencies: NDArray[np.float64] = edges[1:-1]
        """Centre of each band in hertz."""
        bins = np.linspace(0, sample_rate // 2, n_fft // 2 + 1)
        rise = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
        fall = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
        bank = np.maximum(0.0, np.minimum(rise, fall))
        if norm == "slaney":
            bank *= 2.0 / (edges[2:] - edges[:-2])
        self._bank = bank.astype(np.float32)

    def __call__(self, samples: Floats) -> Floats:
        """Return the map ``[bin, frame]`` of samples ``[time]``."""
        half = self.n_fft // 2
        padded = np.pad(samples.astype(np.float32, copy=False), half)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        parts: list[Floats] = []
        for first in range(0, len(frames), _BLOCK):
            spectrum = np.fft.rfft(frames[first : first + _BLOCK] * self._window, axis=1)
            magnitude = np.abs(spectrum).astype(np.float32) ** np.float32(self.power)
            parts.append(np.asarray(magnitude @ self._bank, np.float32))
        return self._scaled(np.concatenate(parts).T)

    def _scaled(self, mel: Floats) -> Floats:
        if self.log == "none":
            return mel
        if self.log == "ln":
            return np.asarray(np.log(np.maximum(mel, FLOOR)), np.float32)
        multiplier = decibels_a_decade(self.power)
        floor = FLOOR
        if self.top_db is not None:
            floor = max(floor, float(mel.max()) * 10 ** (-self.top_db / multiplier))
        return np.asarray(multiplier * np.log10(np.maximum(mel, floor)), np.float32)


def decibels_a_decade(power: float) -> float:
    """Return what the decimal logarithm of a magnitude to this power is multiplied by.

    >>> decibels_a_decade(2), decibels_a_decade(1)
    (10.0, 20.0)
    """
    return 10.0 if power == 2.0 else 20.0


def _to_mel(hertz: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
    linear = hertz / (200.0 / 3)
    above = 15.0 + np.log(np.maximum(hertz, 1e-9) / 1000.0) * 27.0 / np.log(6.4)
    return np.where(hertz >= 1000.0, above, linear)


def _to_hertz(mel: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
    return np.where(mel >= 15.0, above, mel * (200.0 / 3))
