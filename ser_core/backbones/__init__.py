"""Backbones by name: feature map to logits."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ser_core.backbones.attention import Attention
from ser_core.backbones.base import Backbone
from ser_core.backbones.cnn import CNN
from ser_core.backbones.conv1d import AlexNet1d, ResNet1d
from ser_core.backbones.image import DenseNet161, ResNet50, ResNeXt50
from ser_core.backbones.pooling import Pooling
from ser_core.backbones.recurrent import BiGRU, BiLSTM
from ser_core.errors import SpecificationError

BACKBONES: dict[str, type[Backbone]] = {
    "resnet50": ResNet50,
    "densenet161": DenseNet161,
    "resnext50_32x4d": ResNeXt50,
    "cnn": CNN,
    "resnet1d": ResNet1d,
    "alexnet1d": AlexNet1d,
    "bigru": BiGRU,
    "bilstm": BiLSTM,
    "attention": Attention,
    "pooling": Pooling,
}

_WHY_NOT: dict[str, str] = {
    "sequence": (
        "reads a feature map as a picture, in which neighbouring bins are alike, but the rows of "
        "this front-end stand in no such order"
    ),
    "vector": (
        "follows frames over time, but this front-end gives one frame of statistics for a clip"
    ),
}


def build_backbone(
    name: str,
    parameters: Mapping[str, Any],
    *,
    channels: int,
    bins: int,
    classes: int,
    layout: str = "picture",
) -> Backbone:
    """Build a backbone for maps of ``channels`` x ``bins`` and ``classes`` emotions.

    Args:
        name: a key of ``BACKBONES``.
        parameters: its keyword arguments.
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions, 2 or more.
        layout: the front-end's ``layout``.

    Raises:
        SpecificationError: no such backbone, an unknown parameter, or a pairing that makes no
            sense; the message says which.
    """
    if name not in BACKBONES:
        raise SpecificationError(f"No backbone “{name}”. Known are: {', '.join(BACKBONES)}.")
    kind = BACKBONES[name]
    if layout not in kind.takes:
        fitting = [other for other, its in BACKBONES.items() if layout in its.takes]
        reason = _WHY_NOT.get(layout, f"can't read maps of layout “{layout}”")
        raise SpecificationError(f"{name} {reason}. Fitting are: {', '.join(fitting)}.")
    known = set(inspect.signature(kind).parameters) - {"channels", "bins", "classes"}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise SpecificationError(
            f"{name} has no parameter {', '.join(unknown)}. It takes: {', '.join(sorted(known))}."
        )
    return kind(channels=channels, bins=bins, classes=classes, **parameters)  # type: ignore[call-arg]


__all__ = ["BACKBONES", "Backbone", "build_backbone"]
