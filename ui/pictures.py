"""The mel spectrogram of a whole clip, made by the champion's own front-end and fit to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ui.figures import COLUMNS, Mel, squeeze, to_bytes

if TYPE_CHECKING:
    from ser_core.recognizer import Recognizer

BLOCK_SECONDS = 30


def mel_of(recognizer: Recognizer, samples: npt.NDArray[Any], rate: int) -> Mel:
    """Return the mel spectrogram of a clip of any length.

    It is computed with the mel parameters of the model that serves; a model that does not look
    at a mel spectrogram gets the studio's preset.

    Args:
        recognizer: the model that serves.
        samples: ``[channel, time]``.
        rate: hertz.
    """
    import torch

    from ser_core.audio import mono
    from ser_core.frontends import PRESETS, build_frontend

    specification = recognizer.specification
    own = specification.frontend == "mel"
    parameters = dict(specification.frontend_parameters if own else PRESETS["mel"]["seed"])
    # The picture keeps one range over the whole clip; the front-end's is per window.
    front = build_frontend("mel", parameters | {"top_db": None}, sample_rate=rate, input_channels=1)
    hop = int(front.parameters_json()["hop_length"])
    wave = torch.from_numpy(np.ascontiguousarray(mono(samples)))[None]
    seconds = samples.shape[1] / rate
    block = max(1, BLOCK_SECONDS * rate // hop) * hop
    share = max(8, round(COLUMNS * block / max(samples.shape[1], block)))
    parts = []
    with torch.inference_mode():
        for start in range(0, samples.shape[1], block):
            piece = wave[:, :, start : start + block]
            values = front(piece, torch.tensor([piece.shape[2]])).values[0, 0].numpy()
            last = start + block >= samples.shape[1]
            parts.append(squeeze(values if last else values[:, :-1], share))
    image = squeeze(to_bytes(np.concatenate(parts, axis=1)), COLUMNS)
    return Mel(image, mel_frequencies(front.parameters_json(), rate), seconds)


def mel_frequencies(parameters: dict[str, Any], rate: int) -> npt.NDArray[np.float64]:
    """Return the centre of each mel band in hertz.

    Args:
        parameters: of the ``mel`` front-end.
        rate: hertz.
    """
    import librosa

    points = librosa.mel_frequencies(
        int(parameters["n_mels"]) + 2,
        fmin=float(parameters["f_min"]),
        fmax=float(parameters["f_max"] or rate / 2),
        htk=parameters["mel_scale"] == "htk",
    )
    return np.asarray(points[1:-1], np.float64)
