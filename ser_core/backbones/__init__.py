"""Backbones by name: feature map to logits. Naming them imports no torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ser_core.errors import SpecificationError
from ser_core.lazy import LazyTable

if TYPE_CHECKING:
    from ser_core.backbones.base import Backbone

BACKBONES: Mapping[str, type[Backbone]] = LazyTable(
    {
        "resnet50": "ser_core.backbones.image:ResNet50",
        "densenet161": "ser_core.backbones.image:DenseNet161",
        "resnext50_32x4d": "ser_core.backbones.image:ResNeXt50",
        "cnn": "ser_core.backbones.cnn:CNN",
        "resnet1d": "ser_core.backbones.conv1d:ResNet1d",
        "alexnet1d": "ser_core.backbones.conv1d:AlexNet1d",
        "bigru": "ser_core.backbones.recurrent:BiGRU",
        "bilstm": "ser_core.backbones.recurrent:BiLSTM",
        "attention": "ser_core.backbones.attention:Attention",
        "pooling": "ser_core.backbones.pooling:Pooling",
        "layer_pooling": "ser_core.backbones.layer_pooling:LayerPooling",
    }
)
"""Every backbone. A new one is one file and one line here."""

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


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for (PEP 562)."""
    if name != "Backbone":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.base").Backbone


__all__ = ["BACKBONES", "Backbone", "build_backbone"]
