"""A power spectrum by convolution with cosines and sines: the form in which ONNX can hold it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ConvolvedSpectrum(nn.Module):
    """What ``torch.stft(..., center=False)`` gives, squared; some of its bins.

    Args:
        n_fft: samples of one Fourier transform.
        window: ``[width]``, at most ``n_fft`` long; it lies in the middle of the transform.
        hop: samples from one frame to the next.
        low, high: the first bin, and the one behind the last.

    Shape:
        ``[row, time]`` to ``[row, high - low, 1 + (time - width) // hop]``.

    >>> found = ConvolvedSpectrum(8, torch.hann_window(8), 4, 0, 5)(torch.zeros(2, 20))
    >>> found.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, n_fft: int, window: Tensor, hop: int, low: int, high: int) -> None:
        super().__init__()
        self.n_fft, self.hop, self.coefficients = n_fft, hop, high - low
        angle = torch.arange(n_fft).double() * (2 * math.pi / n_fft)
        tables = {
            "bins": torch.arange(low, high)[:, None],
            "time": (torch.arange(len(window)) + (n_fft - len(window)) // 2)[None, :],
            "cosine": angle.cos().float(),
            "sine": angle.sin().float(),
            "window": window.detach().float(),
        }
        for name, table in tables.items():
            # Persistent, or the exporter takes them for constants and spells the kernels out.
            self.register_buffer(name, table)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the power; see the class for shapes."""
        # Made from one turn of a circle: exact for high bins too, and small in the file.
        turns = (self.get_buffer("bins") * self.get_buffer("time")) % self.n_fft
        waves = torch.cat([self.get_buffer("cosine")[turns], self.get_buffer("sine")[turns]])
        kernels = (waves * self.get_buffer("window"))[:, None]
        both = nn.functional.conv1d(signal[:, None], kernels, stride=self.hop)
        real, imaginary = both[:, : self.coefficients], both[:, self.coefficients :]
        return real * real + imaginary * imaginary
