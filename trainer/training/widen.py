"""A model with one more emotion: an output that says nothing until labels of it are learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

import torch

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.model import build
from ser_core.emotions import EMOTIONS
from ser_core.errors import SpecificationError

UNHEARD = -15.0
"""Logit of an output that has learned nothing; its probability is nothing too."""


def widen(source: str | Path, emotions: Collection[str], folder: str | Path) -> Path:
    """Write a checkpoint that knows more emotions and otherwise answers as before.

    Args:
        source: the checkpoint.
        emotions: to add; those that it knows are passed over.
        folder: where the new one goes.

    Raises:
        SpecificationError: an emotion is none of the canonical ones.
        CheckpointError: the source can't be read, or the folder can't be written.
    """
    unknown = sorted(set(emotions) - set(EMOTIONS))
    if unknown:
        raise SpecificationError(f"{unknown[0]} is none of {', '.join(EMOTIONS)}.")
    held = checkpoint.load(source)
    before = held.specification.emotions
    known = tuple(one for one in EMOTIONS if one in {*before, *emotions})
    specification = dataclasses.replace(held.specification, emotions=known)
    model = build(specification).eval()
    weights = held.model.state_dict()
    rows = [known.index(emotion) for emotion in before]
    for name, fill in (("weight", 0.0), ("bias", UNHEARD)):
        old = weights[f"backbone.classifier.{name}"]
        wide = torch.full((len(known), *old.shape[1:]), fill, dtype=old.dtype)
        wide[rows] = old
        weights[f"backbone.classifier.{name}"] = wide
    model.load_state_dict(weights)
    return checkpoint.save(folder, model, specification, held.calibration, held.metrics, held.card)
