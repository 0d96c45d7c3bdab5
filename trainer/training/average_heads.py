"""Several heads on the same states, put side by side: their mean is one wider head."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import torch

from ser_core.backbones.layer_pooling import LayerPooling
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from trainer.errors import SettingsError


def another_head(model: Model, seed: int) -> Model:
    """Return the model with a fresh head that weighs the layers as the first one learned to.

    Args:
        model: trained, with ``layer_pooling`` of one hidden layer.
        seed: of the fresh weights.

    Raises:
        SettingsError: heads of this backbone can't be put side by side.
    """
    backbone = _single(model)
    torch.manual_seed(seed)
    fresh = LayerPooling(
        channels=backbone.channels,
        bins=backbone.bins,
        classes=backbone.classifier.out_features,
        **backbone.parameters_json(),
    )
    for name, value in (
        *backbone.named_buffers(recurse=False),
        ("layer_weights", backbone.layer_weights),
    ):
        getattr(fresh, name).data.copy_(value)
    other = copy.deepcopy(model)
    other.backbone = fresh.to(next(model.parameters()).device)
    # With weights of its own it could not share a layer with the others.
    fresh.layer_weights.requires_grad_(False)
    return other


def average_heads(
    models: Sequence[Model], specification: Specification
) -> tuple[Model, Specification]:
    """Return a model whose logits are the mean of the models' logits.

    Args:
        models: from ``another_head``, and what that was given, in evaluation mode.
        specification: of each of them.
    """
    heads = [_single(model) for model in models]
    first = heads[0]
    width = sum(head.width for head in heads)
    parameters = first.parameters_json() | {"sizes": [width]}
    wide = LayerPooling(
        channels=first.channels,
        bins=first.bins,
        classes=first.classifier.out_features,
        **parameters,
    )
    state = dict(first.state_dict())
    for name in state:
        if name.startswith("perceptron") and state[name].ndim:
            state[name] = torch.cat([head.state_dict()[name] for head in heads])
    weights = [head.classifier.weight / len(heads) for head in heads]
    state["classifier.weight"] = torch.cat(weights, dim=1)
    state["classifier.bias"] = torch.stack([head.classifier.bias for head in heads]).mean(0)
    wide.load_state_dict(state)
    model = copy.deepcopy(models[0]).eval()
    model.backbone = wide.to(next(model.parameters()).device).eval()
    return model, dataclasses.replace(specification, backbone_parameters=parameters)


def _single(model: Model) -> LayerPooling:
    backbone = model.backbone
    if not isinstance(backbone, LayerPooling) or len(backbone.parameters_json()["sizes"]) != 1:
        raise SettingsError(
            "heads are averaged with the backbone “layer_pooling” of one hidden layer; leave heads "
            "at 1"
        )
    return backbone
