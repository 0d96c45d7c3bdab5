"""Where a model looked: Grad-CAM over its windows, or, where it has no maps, when it listened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser_core.errors import SerError
from ser_core.frontends.base import FeatureMap

if TYPE_CHECKING:
    from ser_core.audio import Audio
    from ser_core.inference.recognizer import Recognizer

MOST_WINDOWS = 120
"""Most windows explained at once, three minutes of 3 s each; of a longer clip the first of them."""

SMOOTH = 9
"""Frames over which moments are averaged, an odd number."""

BATCH = 8
"""Windows that go through the model together; their gradients are held meanwhile."""

_LAYERS: WeakKeyDictionary[nn.Module, nn.Module | None] = WeakKeyDictionary()
"""The layer to look at, by backbone, for finding it takes a pass; None where there is none."""


class Explanation(NamedTuple):
    """What in a clip spoke for an emotion.

    Attributes:
        heat: how much each place spoke for the emotion, 0 to 1, ``[bin, frame]``.
        start, end: the stretch of the clip that the frames span, in seconds.
    """

    heat: NDArray[np.float32]
    start: float
    end: float


@dataclass(frozen=True)
class View:
    """What a model is shown of a clip, made once and asked about for any emotion.

    Attributes:
        values: normalised maps ``[window, channel, bin, frame]``.
        lengths: valid frames of each window, ``[window]``.
        bounds: start and end of each window in seconds.
    """

    values: Tensor
    lengths: Tensor
    bounds: tuple[tuple[float, float], ...]


def view(recognizer: Recognizer, clip: Audio) -> View:
    """Return what the model is shown of a clip: the windows of its prediction.

    Args:
        recognizer: the model.
        clip: at the model's rate.
    """
    found = recognizer.windows(clip)
    places = found.asked(always=True)[:MOST_WINDOWS]
    values, lengths = [], []
    for first in range(0, len(places), BATCH):
        pieces = [found.piece(place) for place in places[first : first + BATCH]]
        waveform, valid = map(torch.from_numpy, recognizer.pipeline().batch(pieces))
        device = recognizer.device
        with torch.inference_mode():
            shown = recognizer.model.features(waveform.to(device), valid.to(device))
        values.append(shown.values.cpu())
        lengths.append(shown.lengths.cpu())
    rate = clip.sample_rate
    bounds = tuple((a / rate, b / rate) for a, b in (found.plan.bounds[place] for place in places))
    return View(torch.cat(values), torch.cat(lengths), bounds)


def gradcam(recognizer: Recognizer, shown: View, emotion: str) -> Explanation:
    """Return where in a clip the model found what speaks for an emotion.

    The maps of the last convolution are weighted by the mean gradient of the emotion's logit
    (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391). A model without such maps, such as
    one over a speech encoder, is asked how the emotion's logit depends on its feature map at each
    moment: gradient times what differs from the clip's mean (Shrikumar et al. 2016,
    https://arxiv.org/abs/1605.01713); that tells moments and not pitches.
    Windows are explained one by one on a common scale; where they overlap the mean counts, as in
    the prediction.

    Args:
        recognizer: the model.
        shown: the clip's `view`.
        emotion: one of ``recognizer.emotions``.

    Raises:
        SerError: the model knows no such emotion.
    """
    if emotion not in recognizer.emotions:
        known = ", ".join(recognizer.emotions)
        raise SerError(f"The model does not know “{emotion}”. It knows: {known}.")
    heat = _heat(recognizer, shown, recognizer.emotions.index(emotion)).numpy()
    start, end = shown.bounds[0][0], shown.bounds[-1][1]
    valid = np.maximum(shown.lengths.numpy(), 1)
    pace = float(valid.sum()) / sum(b - a for a, b in shown.bounds)  # frames a second
    frames = max(int(valid[0]), round((end - start) * pace))
    total, count = np.zeros((heat.shape[1], frames)), np.zeros(frames)
    for one, number, (begin, _) in zip(heat, valid.tolist(), shown.bounds, strict=True):
        first = min(round((begin - start) * pace), frames - 1)
        last = min(first + number, frames)
        total[:, first:last] += one[:, : last - first]
        count[first:last] += 1
    mean = total / np.maximum(count, 1)
    peak = float(mean.max())
    return Explanation(np.asarray(mean / peak if peak > 0 else mean, np.float32), start, end)


def _heat(recognizer: Recognizer, shown: View, target: int) -> Tensor:
    """Return how much each place spoke for an emotion, ``[window, bin, frame]`` on the CPU."""
    backbone, parts = recognizer.model.backbone, []
    for first in range(0, len(shown.values), BATCH):
        values = shown.values[first : first + BATCH].clone().to(recognizer.device).requires_grad_()
        lengths = shown.lengths[first : first + BATCH].clone().to(recognizer.device)

        def answer(values: Tensor, lengths: Tensor = lengths) -> Tensor:
            shown = FeatureMap(values, lengths)
            if recognizer.speaker is not None:
                return backbone.head(backbone.pooled(shown) - recognizer.speaker.offset)
            logits: Tensor = backbone(shown)
            return logits

        # Captum hooks the layer while it works, so nobody else may run the model meanwhile.
        with recognizer.lock, torch.enable_grad():
            if backbone not in _LAYERS:
                _LAYERS[backbone] = _last_maps(backbone, answer, values)
            layer = _LAYERS[backbone]
            if layer is None:
                heat = _moments(answer, values, lengths, target)
            else:
                heat = _gradcam(answer, layer, values, target)
        rows = values.shape[-2] if heat.shape[-2] > 1 else 2
        shape = (rows, values.shape[-1])
        parts.append(
            nn.functional.interpolate(
                heat.detach().float(), shape, mode="bilinear", align_corners=False
            )[:, 0].cpu()
        )
    return torch.cat(parts)


def _gradcam(
    answer: Callable[[Tensor], Tensor], layer: nn.Module, values: Tensor, target: int
) -> Tensor:
    from captum.attr import LayerGradCam

    heat: Tensor = LayerGradCam(answer, layer).attribute(
        values, target=target, relu_attributions=True
    )
    return heat


def _moments(
    answer: Callable[[Tensor], Tensor], values: Tensor, lengths: Tensor, target: int
) -> Tensor:
    """Return how much each frame speaks for an emotion, ``[window, 1, 1, frame]``."""
    (slope,) = torch.autograd.grad(answer(values)[:, target].sum(), values)
    inside = FeatureMap(values, lengths).mask[:, None, None, :].to(values.dtype)
    mean = (values * inside).sum(-1, keepdim=True) / lengths[:, None, None, None]
    shares = (slope * (values - mean) * inside).detach().sum((1, 2), keepdim=True)
    # A syllable is longer than a frame.
    smooth: Tensor = nn.functional.avg_pool1d(
        shares[:, 0], SMOOTH, stride=1, padding=SMOOTH // 2, count_include_pad=False
    )
    return smooth[:, None].relu()


def _last_maps(
    backbone: nn.Module, answer: Callable[[Tensor], Tensor], values: Tensor
) -> nn.Module | None:
    """Return the module that makes the last two-dimensional maps, or None; one pass is watched."""
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
    return once[-1] if once else None
