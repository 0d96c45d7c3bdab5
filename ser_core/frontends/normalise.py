"""Scaling of feature maps, over valid frames only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap
from ser_core.frontends.normalisations import NORMALISATIONS


class Normaliser(nn.Module):
    """Scale a feature map; padding frames are 0 afterwards.

    Args:
        kind: a key of ``NORMALISATIONS``.
        mean: for ``corpus``, the mean of each bin.
        std: for ``corpus``, the standard deviation of each bin.
    """

    def __init__(
        self,
        kind: str = "zscore",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if kind not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise SpecificationError(f"No normalisation “{kind}”. Known are: {known}.")
        if (kind == "corpus") != (mean is not None and std is not None):
            raise SpecificationError("Normalisation by corpus, and only it, needs mean and std.")
        self.kind = kind
        self.register_buffer("mean", torch.tensor(mean or [0.0]), persistent=False)
        self.register_buffer("std", torch.tensor(std or [1.0]), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def to_json(self) -> dict[str, Any]:
        """Return the arguments that build this normaliser again."""
        if self.kind != "corpus":
            return {"kind": self.kind}
        return {"kind": self.kind, "mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Normaliser:
        """Build from ``to_json``'s result."""
        return cls(**values)

    def forward(self, features: FeatureMap) -> FeatureMap:
        """Return the scaled map, same shape.

        A constant clip or bin (digital silence) becomes 0, not NaN.
        """
        values, lengths = features
        mask = features.mask[:, None, None, :]
        if self.kind == "corpus":
            if self.mean.numel() != values.shape[2]:
                raise SpecificationError(
                    f"The statistics hold {self.mean.numel()} bins, the map {values.shape[2]}."
                )
            scaled = (values - self.mean[None, None, :, None]) / self.std[
                None, None, :, None
            ].clamp_min(1e-5)
        elif self.kind == "minmax":
            low = values.masked_fill(~mask, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
            high = values.masked_fill(~mask, -torch.inf).amax(dim=(1, 2, 3), keepdim=True)
            scaled = (values - low) / (high - low).clamp_min(1e-5)
        elif self.kind in ("zscore", "zscore_bin"):
            axes = (1, 2, 3) if self.kind == "zscore" else (1, 3)
            held = values * mask
            each = values.shape[1] * (values.shape[2] if self.kind == "zscore" else 1)
            count = (lengths.clamp_min(1) * each).view(-1, 1, 1, 1)
            mean = held.sum(dim=axes, keepdim=True) / count
            variance = ((values - mean) * mask).square().sum(dim=axes, keepdim=True) / count
            scaled = (values - mean) / variance.sqrt().clamp_min(1e-3)
        else:
            scaled = values
        return FeatureMap(scaled.masked_fill(~mask, 0.0), lengths)


def fit_corpus(maps: Iterable[FeatureMap]) -> Normaliser:
    """Return a ``corpus`` normaliser fitted on the valid frames of training maps.

    Args:
        maps: feature maps of training clips alone, one batch at a time; each is let go before
            the next is asked for.

    Returns:
        A normaliser with the mean and standard deviation of each bin; a bin that never changes
        keeps its scale.

    Raises:
        SpecificationError: there is no valid frame, or the statistics are not finite.
    """
    total: Tensor | None = None
    squares: Tensor | None = None
    count = 0
    for features in maps:
        held = (features.values * features.mask[:, None, None, :]).double()
        part, square = held.sum(dim=(0, 1, 3)), held.square().sum(dim=(0, 1, 3))
        total = part if total is None else total + part
        squares = square if squares is None else squares + square
        count += int(features.lengths.sum()) * features.values.shape[1]
    if total is None or squares is None or count == 0:
        raise SpecificationError("There are no frames to take statistics from.")
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt()
    if not bool(torch.isfinite(mean).all() and torch.isfinite(std).all()):
        raise SpecificationError("The training features hold values that are not numbers.")
    std = torch.where(std < 1e-5, torch.ones_like(std), std)
    return Normaliser("corpus", mean.float().tolist(), std.float().tolist())
