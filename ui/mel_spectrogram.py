"""The mel spectrogram of a whole clip, with the champion's own parameters and fit to be drawn."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_core.frontends.mel_numpy import NumpyMel
from ui.figures import COLUMNS, MelImage, to_bytes

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

Floats = npt.NDArray[np.float32]
BLOCK_SECONDS = 30


def mel_of(recognizer: Recognizer, samples: npt.NDArray[Any], rate: int) -> MelImage:
    """Return the mel spectrogram of a clip of any length.

    It is computed with the mel parameters of the model that serves; a model that does not look
    at a mel spectrogram gets the studio's preset.

    Args:
        recognizer: the model that serves.
        samples: ``[channel, time]``.
        rate: hertz.
    """
    from ser_core.audio import mono

    # The picture keeps one range over the whole clip; the front-end's is per window.
    front = _front(_parameters(recognizer, top_db=None), rate)
    hop = front.hop_length
    wave = mono(samples)[0]
    # Every column stands for the same number of frames, so that the picture keeps the clip's time.
    step = -(-(len(wave) // hop + 1) // COLUMNS)
    block = max(1, BLOCK_SECONDS * rate // (hop * step)) * step * hop
    parts = []
    for start in range(0, len(wave), block):
        values = front(wave[start : start + block])
        last = start + block >= len(wave)
        values = values if last else values[:, : block // hop]
        parts.append(np.maximum.reduceat(values, np.arange(0, values.shape[1], step), axis=1))
    image = to_bytes(np.concatenate(parts, axis=1))
    seconds = image.shape[1] * step * hop / rate
    return MelImage(image, front.frequencies, seconds)


def mel_decibels(
    recognizer: Recognizer, samples: npt.NDArray[Any], rate: int
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return the mel spectrogram as the model computes it, on the absolute decibel scale.

    Args:
        recognizer: the model; one that looks at no mel spectrogram gets the studio's preset.
        samples: ``[channel, time]``, short.
        rate: hertz.

    Returns:
        Decibels ``[bin, frame]`` and the centre of each bin in hertz.
    """
    from ser_core.audio import mono

    front = _front(_parameters(recognizer, top_db=None, log="db"), rate)
    return front(mono(samples)[0]), front.frequencies


def _parameters(recognizer: Recognizer, **changed: Any) -> str:
    """Return a model's parameters of the mel spectrogram as JSON."""
    from ser_core.frontends import PRESETS

    specification = recognizer.specification
    own = specification.frontend == "mel"
    parameters = dict(specification.frontend_parameters if own else PRESETS["mel"]["baseline"])
    return json.dumps(parameters | changed)


@functools.lru_cache(maxsize=4)
def _front(parameters: str, rate: int) -> NumpyMel:
    """Return the transform; its tables are made once, not at each move."""
    return NumpyMel(sample_rate=rate, **json.loads(parameters))
