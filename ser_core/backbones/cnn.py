"""A plain two-dimensional convolutional network."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_counts, check_share
from ser_core.backbones.masking import hide, masked_mean, pooled
from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap


class CNN(Backbone):
    """Blocks of convolution, batch norm, ReLU, 2 x 2 max pooling and dropout.

    After LeCun et al. 1998 (https://doi.org/10.1109/5.726791), with batch norm (Ioffe and
    Szegedy 2015, https://arxiv.org/abs/1502.03167) and dropout (Srivastava et al. 2014,
    https://jmlr.org/papers/v15/srivastava14a.html).

    Args:
        channels: channels of the feature map.
        bins: its bins, at least ``2 ** depth``.
        classes: emotions.
        base_width: channels of the first block; each further block has twice as many.
        depth: blocks, each of which halves bins and frames.
        hidden: units between the last maps and the classifier.
        dropout: share dropped behind each block and in front of the classifier.

    Raises:
        SpecificationError: a parameter out of its range, or too few bins to halve.
    """

    name: ClassVar[str] = "cnn"
    takes: ClassVar[tuple[str, ...]] = ("picture",)

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        base_width: int = 32,
        depth: int = 4,
        hidden: int = 256,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_counts(self.name, base_width=base_width, depth=depth, hidden=hidden)
        check_share(self.name, dropout)
        self.least = 2**depth
        if bins < self.least:
            raise SpecificationError(
                f"{self.name}: {depth} blocks halve the bins to nothing; {bins} bins are given, "
                f"{self.least} needed. Take a smaller depth or more bins."
            )
        blocks: list[nn.Module] = []
        inputs, outputs = channels, base_width
        for _ in range(depth):
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                )
            )
            inputs, outputs = outputs, outputs * 2
        self.blocks = nn.ModuleList(blocks)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(dropout)
        self.hidden = nn.Linear(inputs, hidden)
        self.width = hidden
        self.classifier = nn.Linear(hidden, classes)
        self._json = {
            "base_width": base_width,
            "depth": depth,
            "hidden": hidden,
            "dropout": dropout,
        }

    def maps(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last maps ``[batch, channel, bin, frame]`` and their valid frames."""
        for block in self.blocks:
            values = block(hide(values, valid))
            values = self.drop(self.pool(hide(values, valid)))
            valid = pooled(valid, 2)
        return values, valid

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the hidden layer over the average of the last maps, ``[batch, hidden]``."""
        short = self.least - features.values.shape[-1]
        maps, valid = self.maps(F.pad(features.values, (0, max(short, 0))), features.lengths)
        embedding: Tensor = self.drop(self.hidden(masked_mean(maps, valid)).relu())
        return embedding
