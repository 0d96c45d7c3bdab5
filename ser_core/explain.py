"""Where a model looked: Grad-CAM over the mel spectrogram."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser_core.errors import SerError
from ser_core.frontends import FeatureMap

if TYPE_CHECKING:
    from ser_core.audio import Audio
    from ser_core.recognizer import Recognizer

MOST_WINDOWS = 64
"""Most windows explained at once; of a longer clip the first of them."""

BATCH = 8
"""Windows that go through the model together; their gradients are held meanwhile."""

_LAYERS: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()
"""The layer to look at, by backbone, for finding it takes a pass."""


class Explanation(NamedTuple):
    """What a model saw and what of it spoke for an emotion.

    Attributes:
        mel: the normalised feature map, float32 ``[bin, frame]``.
        heat: how much each place spoke for the emotion, 0 to 1, ``[bin, frame]``.
        times: start of each frame in seconds, ``[frame]``.
        frequencies: centre of each bin in hertz (the bin's number where bins are no bands).
    """

    mel: NDArray[np.float32]
    heat: NDArray[np.float32]
    times: NDArray[np.float64]
    frequencies: NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What a model is shown of a clip, made once and asked about for any emotion.

    Attributes:
        values: normalised maps ``[window, channel, bin, frame]``.
        lengths: valid frames of each window, ``[window]``.
        seconds: how much of the clip the windows span.
    """

    values: Tensor
    lengths: Tensor
    seconds: float


def view(recognizer: Recognizer, audio: Audio) -> View:
    """Return what the model is shown of a clip, window by window, the first ``MOST_WINDOWS``.

    Args:
        recognizer: the model.
        audio: the clip at the model's rate.
    """
    window, length = recognizer.specification.samples, audio.samples.shape[1]
    starts = list(range(0, length, window))[:MOST_WINDOWS]
    if len(starts) > 1 and length - starts[-1] < window // 10:
        starts.pop()
    maps = [recognizer.features(audio.samples[:, start : start + window]) for start in starts]
    seconds = min(starts[-1] + window, length) / audio.sample_rate
    return View(torch.cat([m.values for m in maps]), torch.cat([m.lengths for m in maps]), seconds)


def gradcam(recognizer: Recognizer, audio: Audio | View, emotion: str | None = None) -> Explanation:
    """Return where in the clip the model found what speaks for an emotion.

    The maps of the last convolution are weighted by the mean gradient of the emotion's logit
    (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391). A clip longer than the model's
    window is explained window by window on one common scale.

    Args:
        recognizer: the model.
        audio: the clip at the model's rate, or its `view`, which spares making it for each
            emotion.
        emotion: one of ``recognizer.emotions``; None means the likeliest over the clip, which
            takes the clip itself.

    Raises:
        SerError: the model knows no such emotion, or has no picture to look at.
    """
    if emotion is not None:
        target = _index(recognizer, emotion)
    elif isinstance(audio, View):
        raise SerError("Name the emotion to look for; a view alone does not tell the likeliest.")
    else:
        target = int(np.argmax(recognizer.clip_logits([audio.samples])[0]))
    seen = audio if isinstance(audio, View) else view(recognizer, audio)
    spread = _heat(recognizer, seen, target)
    valid = [max(1, int(length)) for length in seen.lengths]
    maps = seen.values.mean(dim=1)
    mel = np.concatenate([m[:, :n].numpy() for m, n in zip(maps, valid, strict=True)], axis=1)
    heat = np.concatenate([h[:, :n].numpy() for h, n in zip(spread, valid, strict=True)], axis=1)
    peak = float(heat.max())
    shares = np.asarray(heat / peak if peak > 0 else heat, np.float32)
    times = np.arange(mel.shape[1]) * (seen.seconds / mel.shape[1])
    return Explanation(mel, shares, times, _frequencies(recognizer, mel))


def _index(recognizer: Recognizer, emotion: str) -> int:
    if emotion not in recognizer.emotions:
        known = ", ".join(recognizer.emotions)
        raise SerError(f"The model does not know “{emotion}”. It knows: {known}.")
    return recognizer.emotions.index(emotion)


def _heat(recognizer: Recognizer, seen: View, target: int) -> Tensor:
    """Return how much each place spoke for an emotion, ``[window, bin, frame]`` on the CPU."""
    from captum.attr import LayerGradCam

    backbone, parts = recognizer.model.backbone, []
    for first in range(0, len(seen.values), BATCH):
        values = seen.values[first : first + BATCH].clone().to(recognizer.device).requires_grad_()
        lengths = seen.lengths[first : first + BATCH].clone().to(recognizer.device)

        def answer(values: Tensor, lengths: Tensor = lengths) -> Tensor:
            logits: Tensor = backbone(FeatureMap(values, lengths))
            return logits

        # Captum hooks the layer while it works, so nobody else may run the model meanwhile.
        with recognizer._lock, torch.enable_grad():
            layer = _LAYERS.get(backbone)
            if layer is None:
                layer = _LAYERS[backbone] = _last_maps(backbone, answer, values)
            heat = LayerGradCam(answer, layer).attribute(
                values, target=target, relu_attributions=True
            )
        shape = values.shape[-2:]
        parts.append(
            nn.functional.interpolate(
                heat.detach().float(), shape, mode="bilinear", align_corners=False
            )[:, 0].cpu()
        )
    return torch.cat(parts)


def _last_maps(backbone: nn.Module, answer: Any, values: Tensor) -> nn.Module:
    """Return the module that makes the last two-dimensional maps, found by watching one pass."""
    calls: Counter[nn.Module] = Counter()
    order: list[nn.Module] = []

    def watch(module: nn.Module, _: Any, output: Any) -> None:
        calls[module] += 1
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[-2:]) > 1:
            order.append(module)

    hooks = [
        module.register_forward_hook(watch) for module in backbone.modules() if module != backbone
    ]
    try:
        with torch.no_grad():
            answer(values.detach())
    finally:
        for hook in hooks:
            hook.remove()
    once = [module for module in order if calls[module] == 1]
    if not once:
        raise SerError(
            "This model does not look at the spectrogram as a picture, so there is no place in it "
            "to point at. Choose a model with an image backbone, such as resnet50."
        )
    return once[-1]


def _frequencies(recognizer: Recognizer, mel: NDArray[np.float32]) -> NDArray[np.float64]:
    specification = recognizer.specification
    if specification.frontend != "mel":
        return np.arange(len(mel), dtype=np.float64)
    parameters = recognizer.model.frontend.parameters_json()
    return mel_frequencies(parameters, specification.sample_rate)


def mel_frequencies(parameters: dict[str, Any], sample_rate: int) -> NDArray[np.float64]:
    """Return the centre of each mel band in hertz.

    Args:
        parameters: of the ``mel`` front-end.
        sample_rate: hertz.

    >>> mel_frequencies({"n_mels": 3, "f_min": 0, "f_max": 8000, "mel_scale": "htk"}, 16000).round()
    array([ 614., 1768., 3934.])
    """
    top = parameters["f_max"] or sample_rate / 2
    count = int(parameters["n_mels"])
    edges = np.array([float(parameters["f_min"]), float(top)])
    if parameters["mel_scale"] == "htk":
        low, high = 2595.0 * np.log10(1.0 + edges / 700.0)
        points = np.linspace(low, high, count + 2)[1:-1]
        return np.asarray(700.0 * (10.0 ** (points / 2595.0) - 1.0))
    # Slaney: linear below 1 kHz, logarithmic above.
    step = np.log(6.4) / 27.0
    mels = np.where(
        edges < 1000.0, edges * 3.0 / 200.0, 15.0 + np.log(np.maximum(edges, 1e-9) / 1000.0) / step
    )
    points = np.linspace(mels[0], mels[1], count + 2)[1:-1]
    return np.where(points < 15.0, points * 200.0 / 3.0, 1000.0 * np.exp(step * (points - 15.0)))
