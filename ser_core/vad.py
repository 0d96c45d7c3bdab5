"""Where in a clip somebody speaks (silero-vad, whose model comes with its package).

Source: https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_core.audio import resample

_RATE = 16000
_QUIET, _WANTED = 0.1, 0.5
_lock = threading.Lock()
_model: Any = None


def speech_segments(
    samples: npt.NDArray[np.float32], rate: int, *, threshold: float = 0.5
) -> list[tuple[float, float]]:
    """Return the stretches of speech as (start, end) in seconds, in order.

    Quiet clips are brought up first: the detector was made for usual levels.

    Args:
        samples: one channel, `[time]` (or `[1, time]`), full scale is 1.0.
        rate: frames a second, in hertz.
        threshold: probability of speech above which a stretch begins, 0 to 1.

    Raises:
        ValueError: the samples have more than one channel.

    >>> speech_segments(np.zeros(16000, np.float32), 16000)
    []
    """
    sound = np.atleast_2d(samples)
    if sound.shape[0] != 1:
        raise ValueError(f"one channel is expected, not {sound.shape[0]}: mix it down first")
    sound = resample(sound, rate, _RATE)[0]
    peak = float(np.abs(sound).max(initial=0.0))
    if peak < 1e-4:  # the last bits of a 16-bit recording
        return []
    if peak < _QUIET:
        sound = sound * np.float32(_WANTED / peak)

    import torch

    with _lock, torch.inference_mode():  # the model keeps its state between chunks
        model, timestamps = _loaded()
        found = timestamps(
            torch.from_numpy(np.ascontiguousarray(sound)),
            model,
            threshold=threshold,
            sampling_rate=_RATE,
            min_speech_duration_ms=100,
            min_silence_duration_ms=150,
            speech_pad_ms=50,
        )
    return [(part["start"] / _RATE, part["end"] / _RATE) for part in found]


def speech_share(samples: npt.NDArray[np.float32], rate: int) -> float:
    """Return how much of the clip is speech, 0 to 1.

    Args:
        samples: one channel, `[time]` (or `[1, time]`).
        rate: frames a second, in hertz.
    """
    seconds = np.atleast_2d(samples).shape[1] / rate
    spoken = sum(end - start for start, end in speech_segments(samples, rate))
    return min(1.0, spoken / seconds) if seconds else 0.0


def _loaded() -> tuple[Any, Any]:
    """Return the model, loaded once, and the function that reads it; call it under the lock."""
    global _model
    import torch

    threads = torch.get_num_threads()
    from silero_vad import get_speech_timestamps, load_silero_vad

    if _model is None:
        _model = load_silero_vad()
        torch.set_num_threads(threads)  # the package sets one thread for the whole process
    return _model, get_speech_timestamps
