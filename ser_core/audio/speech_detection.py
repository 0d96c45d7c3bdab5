"""Where in a clip somebody speaks (silero-vad, whose model comes with its package).

The model's form for whole sequences runs on ONNX Runtime: a minute of sound takes less than a
tenth of a second on one core, a fourteenth of what the frame-by-frame form takes.

Source: https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_core.audio.decoding import resample
from ser_core.errors import AudioError

_RATE = 16000
_QUIET, _WANTED = 0.1, 0.5
_FRAME, _CONTEXT, _BLOCK = 512, 64, 512
_SHORTEST, _PAUSE, _MARGIN = 1600, 2400, 800
"""Samples: 100, 150 and 50 ms."""

_lock = threading.Lock()


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

    found = _stretches(_probabilities(sound), len(sound), threshold)
    return [(start / _RATE, end / _RATE) for start, end in found]


def spoken_span(
    segments: Sequence[tuple[float, float]], samples: int, rate: int, *, margin: float = 0.1
) -> tuple[int, int]:
    """Return the first and the end sample between which somebody speaks, pauses included.

    Args:
        segments: stretches of speech as (start, end) in seconds, in order.
        samples: length of the clip.
        rate: frames a second, in hertz.
        margin: seconds kept before the first and behind the last stretch.

    >>> spoken_span([(0.5, 0.8), (1.0, 1.5)], 32000, 16000)
    (6400, 25600)
    >>> spoken_span([], 32000, 16000)
    (0, 32000)
    """
    if not segments:
        return 0, samples
    first = round((segments[0][0] - margin) * rate)
    end = round((segments[-1][1] + margin) * rate)
    return max(0, first), min(samples, end)


def trimmed(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Return the clip without the silence before and behind what is spoken, or whole without any.

    Args:
        samples: `[channel, time]`, full scale is 1.0.
        rate: frames a second, in hertz.
    """
    segments = speech_segments(samples.mean(axis=0), rate)
    first, end = spoken_span(segments, samples.shape[1], rate)
    return samples[:, first:end]


def _probabilities(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the probability of speech in each frame of 512 samples, ``[frame]``.

    The network sees each frame with the last 64 samples before it, and remembers what it heard.
    """
    count = -(-len(sound) // _FRAME)
    frames = np.pad(sound, (_CONTEXT, count * _FRAME - len(sound)))
    places = np.arange(count)[:, None] * _FRAME + np.arange(_CONTEXT + _FRAME)
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    found = []
    for first in range(0, count, _BLOCK):
        feeds = {"input": frames[places[first : first + _BLOCK]], "h": hidden, "c": cell}
        values, hidden, cell = _session().run(["speech_probs", "hn", "cn"], feeds)
        found.append(values.reshape(-1))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _stretches(
    probabilities: npt.NDArray[np.float32], samples: int, threshold: float
) -> list[tuple[int, int]]:
    """Return the stretches of speech in samples, as the package's own reading has them.

    Speech begins at the threshold and ends where 150 ms stay 0.15 below it; what is shorter than
    100 ms is dropped, and 50 ms are added on both sides, or half the pause where it is shorter.
    """
    found: list[tuple[int, int]] = []
    start = quiet = -1
    for place, probability in enumerate(probabilities.tolist()):
        now = place * _FRAME
        if probability >= threshold:
            quiet = -1
            start = now if start < 0 else start
        elif probability < max(threshold - 0.15, 0.01) and start >= 0:
            quiet = now if quiet < 0 else quiet
            if now - quiet >= _PAUSE:
                if quiet - start > _SHORTEST:
                    found.append((start, quiet))
                start = quiet = -1
    if start >= 0 and samples - start > _SHORTEST:
        found.append((start, samples))
    # What is added before a stretch, and behind the last one.
    gaps = [
        2 * first[0] if index == 0 else first[0] - found[index - 1][1]
        for index, first in enumerate(found)
    ]
    before = [min(gap // 2, _MARGIN) for gap in gaps]
    behind = [*before, _MARGIN][1:]
    return [
        (start - less, min(samples, end + more))
        for (start, end), less, more in zip(found, before, behind, strict=True)
    ]


@functools.cache
def _load() -> Any:
    import onnxruntime

    # The package itself is not imported: it would bring torch along.
    package = importlib.util.find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise AudioError("The package silero-vad is missing: pip install -r requirements.txt")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(package.submodule_search_locations[0]) / "data" / "silero_vad_16k_sequence.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _session() -> Any:
    """Return the network, loaded once whoever asks first."""
    with _lock:
        return _load()
