"""The effect of a room: reverberation."""

from __future__ import annotations

import numpy as np

from ser_core.augment.effect import Effect, Parameter, Samples, Values, generator

_LONGEST_TAIL = 6.0  # seconds


def impulse_response(decay: float, delay: float, rate: int, seed: int) -> Samples:
    """Return a room's answer to a click: noise that falls by 60 dB in ``decay`` seconds.

    Args:
        decay: reverberation time RT60 in seconds, above 0.
        delay: seconds before the first echo.
        rate: samples per second.
        seed: which room; the same seed gives the same bytes.

    Returns:
        float32 ``[1, time]`` with unit energy.

    Source: J. A. Moorer, "About this reverberation business", Computer Music Journal 3(2), 1979.
    """
    length = max(1, round(min(decay, _LONGEST_TAIL) * rate))
    wait = round(delay * rate)
    envelope = np.exp(np.arange(length, dtype=np.float32) * np.float32(-6.9078 / (decay * rate)))
    tail = generator(seed).standard_normal(length, dtype=np.float32) * envelope
    tail /= np.float32(max(np.sqrt(np.sum(np.square(tail, dtype=np.float64))), 1e-12))
    return np.concatenate([np.zeros(wait, np.float32), tail])[np.newaxis]


def _reverb(samples: Samples, rate: int, values: Values) -> Samples:
    from scipy.signal import oaconvolve

    room = impulse_response(values["decay"], values["delay"] / 1000.0, rate, values["seed"])
    wet = np.float32(values["wet"])
    echoes = oaconvolve(samples, room, axes=1)[:, : samples.shape[1]]
    mixed: Samples = (1 - wet) * samples + wet * echoes.astype(np.float32, copy=False)
    return mixed


EFFECTS = (
    Effect(
        "reverb",
        "Reverberation",
        "Adds the echoes of a room that die away, from a tiled bathroom to a cathedral.",
        (
            Parameter(
                "decay", "s", 0.05, 5.0, 0.5, 0.05, "The time in which the echoes fall by 60 dB."
            ),
            Parameter("wet", "", 0.0, 1.0, 0.3, 0.01, "The echoes' share; 1 is echoes alone."),
            Parameter("delay", "ms", 0, 100, 10, 1, "The wait before the first echo."),
        ),
        _reverb,
        {
            "mild": {"decay": 0.3, "wet": 0.2},
            "medium": {"decay": 0.8, "wet": 0.35},
            "strong": {"decay": 2.0, "wet": 0.6},
        },
        seeded=True,
    ),
)
"""The effects of this module, in the order of the table."""
