"""Statistics over time and a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_counts, check_share, fold
from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap

KINDS: dict[str, str] = {
    "statistics": "mean and standard deviation over valid frames",
    "attentive": "mean and standard deviation with learned weights over valid frames",
}

NORMS: dict[str, str] = {
    "none": "no batch norm",
    "hidden": "batch norm of each layer of the MLP",
    "all": "and of the statistics in front of it",
}


class AttentivePooling(nn.Module):
    """Weighted mean, and deviation, over frames (Okabe et al. 2018, https://arxiv.org/abs/1803.10963).

    Args:
        rows: rows of the input.
        hidden: units that score a frame.
        deviation: give the weighted standard deviation beside the mean.
    """

    def __init__(self, rows: int, hidden: int = 64, *, deviation: bool = True) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(rows, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, 1, 1))
        self.deviation = deviation

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return ``[batch, rows]``, or twice as many with the deviation.

        Args:
            values: ``[batch, rows, frame]``.
            mask: True where a frame is valid, ``[batch, frame]``.
        """
        scores = self.score(values).masked_fill(~mask[:, None, :], -torch.inf)
        return moments(values, scores.softmax(dim=-1), self.deviation)


class Pooling(Backbone):
    """Statistics over time, then an MLP; the way of x-vectors and of MFCC-statistics models.

    Statistics pooling after Snyder et al. 2018 (https://doi.org/10.1109/ICASSP.2018.8461375),
    with learned weights after Okabe et al. 2018 (https://arxiv.org/abs/1803.10963).

    Args:
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions.
        kind: a key of ``KINDS``.
        hidden: units of each layer of the MLP.
        layers: layers of the MLP in front of the classifier.
        sizes: units of each layer, where they differ; they go over ``hidden`` and ``layers``.
        norm: a key of ``NORMS``.
        dropout: share dropped behind each layer.

    Raises:
        SpecificationError: an unknown kind or norm, or a parameter out of its range.
    """

    name: ClassVar[str] = "pooling"
    takes: ClassVar[tuple[str, ...]] = ("picture", "sequence", "vector")
    head_names = ("perceptron", "classifier")

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        kind: str = "statistics",
        hidden: int = 256,
        layers: int = 2,
        sizes: Sequence[int] = (),
        norm: str = "none",
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_counts(self.name, hidden=hidden, layers=layers)
        check_counts(self.name, **{f"sizes[{i}]": size for i, size in enumerate(sizes)})
        check_share(self.name, dropout)
        for what, value, known in (("kind", kind, KINDS), ("norm", norm, NORMS)):
            if value not in known:
                raise SpecificationError(
                    f"{self.name}: no {what} “{value}”. Known are: {', '.join(known)}."
                )
        rows = channels * bins
        self.pool = AttentivePooling(rows) if kind == "attentive" else None
        widths = list(sizes) or [hidden] * layers
        self.perceptron = perceptron(2 * rows, widths, norm, dropout)
        self.width = widths[-1]
        self.classifier = nn.Linear(self.width, classes)
        self._json = {
            "kind": kind,
            "hidden": hidden,
            "layers": layers,
            "sizes": list(sizes),
            "norm": norm,
            "dropout": dropout,
        }

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the MLP's last layer, ``[batch, width]``."""
        embedding: Tensor = self.perceptron(self.pooled(features))
        return embedding

    def head(self, pooled: Tensor) -> Tensor:
        """Return logits of mean and deviation, ``[batch, 2 * channel * bin]``."""
        logits: Tensor = self.classifier(self.perceptron(pooled))
        return logits

    def pooled(self, features: FeatureMap) -> Tensor:
        """Return mean and deviation of each row over time, ``[batch, 2 * channel * bin]``."""
        rows, mask = fold(features), features.mask
        if self.pool is None:
            even = mask.to(rows.dtype) / features.lengths[:, None].to(rows.dtype)
            return moments(rows, even[:, None, :], deviation=True)
        weighted: Tensor = self.pool(rows, mask)
        return weighted


def perceptron(rows: int, widths: Sequence[int], norm: str, dropout: float) -> nn.Sequential:
    """Return the layers between statistics and classifier.

    Args:
        rows: size of the statistics.
        widths: units of each layer.
        norm: a key of ``NORMS``.
        dropout: share dropped behind each layer.
    """
    steps: list[nn.Module] = [nn.BatchNorm1d(rows)] if norm == "all" else []
    for before, width in zip([rows, *widths], widths, strict=False):
        steps += [nn.Linear(before, width)]
        steps += [nn.BatchNorm1d(width)] if norm != "none" else []
        steps += [nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*steps)


def moments(values: Tensor, weights: Tensor, deviation: bool) -> Tensor:
    """Return the mean and, beside it, the deviation under weights that sum to 1 over frames."""
    mean = (values * weights).sum(dim=-1)
    if not deviation:
        return mean
    variance = ((values - mean[..., None]).square() * weights).sum(dim=-1)
    # The root has no slope at 0, which a single frame or silence would reach.
    return torch.cat([mean, variance.clamp_min(1e-8).sqrt()], dim=1)
