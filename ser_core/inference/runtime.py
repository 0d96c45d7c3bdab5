"""What runs a network: waveforms to logits, whatever library does the arithmetic."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Lengths = NDArray[np.int64]
Logits = NDArray[np.float64]


class Runtime(Protocol):
    """A network that is ready to run. Safe to call from several threads."""

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        """Return logits ``[n, emotion]``.

        Args:
            waveform: float32 ``[n, channel, time]`` at the model's rate, zero behind each length.
            lengths: valid samples of each row, int64 ``[n]``, 1 to ``time``.
        """
        ...
