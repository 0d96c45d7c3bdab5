"""Where a model looked: Grad-CAM over the mel spectrogram."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

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


def gradcam(recognizer: Recognizer, audio: Audio, emotion: str | None = None) -> Explanation:
    """Return where in the clip the model found what speaks for an emotion.

    The maps of the last convolution are weighted by the mean gradient of the emotion's logit
    (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391). A clip longer than the model's
    window is explained window by window on one common scale.

    Args:
        recognizer: the model.
        audio: the clip at the model's rate.
        emotion: one of ``recognizer.emotions``; None means the likeliest over the clip.

    Raises:
        SerError: the model knows no such emotion, or has no picture to look at.
    """
    logits = recognizer.clip_logits([audio.samples])[0]
    target = int(np.argmax(logits)) if emotion is None else _index(recognizer, emotion)
    window = recognizer.specification.samples
    starts = list(range(0, audio.samples.shape[1], window))[:MOST_WINDOWS]
    if len(starts) > 1 and audio.samples.shape[1] - starts[-1] < window // 10:
        starts.pop()
    mels, heats = [], []
    for start in starts:
        mel, heat = _window(recognizer, audio.samples[:, start : start + window], target)
        mels.append(mel)
        heats.append(heat)
    heat = np.concatenate(heats, axis=1)
    peak = float(heat.max())
    mel = np.concatenate(mels, axis=1)
    seconds = min(starts[-1] + window, audio.samples.shape[1]) / audio.sample_rate
    times = np.arange(mel.shape[1]) * (seconds / mel.shape[1])
    return Explanation(mel, heat / peak if peak > 0 else heat, times, _frequencies(recognizer, mel))


def _index(recognizer: Recognizer, emotion: str) -> int:
    if emotion not in recognizer.emotions:
        known = ", ".join(recognizer.emotions)
        raise SerError(f"The model does not know “{emotion}”. It knows: {known}.")
    return recognizer.emotions.index(emotion)


def _window(
    recognizer: Recognizer, samples: NDArray[np.float32], target: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    from captum.attr import LayerGradCam

    found = recognizer.features(samples)
    lengths = found.lengths.clone().to(recognizer.device)
    values = found.values.clone().to(recognizer.device).requires_grad_()
    backbone = recognizer.model.backbone

    def answer(values: Tensor) -> Tensor:
        logits: Tensor = backbone(FeatureMap(values, lengths))
        return logits

    # Captum hooks the layer while it works, so nobody else may run the model meanwhile.
    with recognizer._lock, torch.enable_grad():
        layer = _last_maps(backbone, answer, values)
        heat = LayerGradCam(answer, layer).attribute(values, target=target, relu_attributions=True)
    valid = max(1, int(lengths[0]))
    shape = values.shape[-2:]
    spread = nn.functional.interpolate(heat.detach(), shape, mode="bilinear", align_corners=False)
    mel = values.detach()[0].mean(dim=0)[:, :valid].cpu().numpy()
    return mel, spread[0, 0, :, :valid].cpu().numpy().astype(np.float32)


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
