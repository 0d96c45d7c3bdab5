"""One-dimensional convolutional networks along time; channel and bin are folded into one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_counts, check_share, fold
from ser_core.backbones.masking import hide, masked_mean, strided
from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap


class BasicBlock1d(nn.Module):
    """Two convolutions of three frames and a way past them.

    Args:
        inputs: rows that go in.
        outputs: rows that come out.
        stride: frames from one output frame to the next.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv1d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.past: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.past = nn.Sequential(
                nn.Conv1d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm1d(outputs)
            )

    def forward(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``[batch, outputs, frame / stride]`` and its valid frames."""
        after = strided(valid, self.stride)
        out = self.norm1(self.conv1(hide(values, valid))).relu()
        out = self.norm2(self.conv2(hide(out, after)))
        return (out + self.past(values)).relu(), after


class ResNet1d(Backbone):
    """A residual network along time.

    The basic blocks of He et al. 2016 (https://arxiv.org/abs/1512.03385) in one dimension, as
    Wang, Yan and Oates 2017 (https://arxiv.org/abs/1611.06455) do for time series.

    Args:
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions.
        base_width: rows of the first stage; each further stage has twice as many.
        blocks: blocks of each stage; every stage but the first halves the frames.
        dropout: share of the embedding dropped in training.

    Raises:
        SpecificationError: a parameter out of its range.
    """

    name: ClassVar[str] = "resnet1d"

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        base_width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_counts(self.name, base_width=base_width)
        check_share(self.name, dropout)
        if not blocks:
            raise SpecificationError(f"{self.name}: blocks must name one stage or more.")
        for count in blocks:
            check_counts(self.name, blocks=count)
        self.stem = nn.Conv1d(channels * bins, base_width, 7, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm1d(base_width)
        stages: list[nn.Module] = []
        inputs = base_width
        for stage, count in enumerate(blocks):
            for index in range(count):
                outputs = base_width * 2**stage
                stages.append(BasicBlock1d(inputs, outputs, 2 if stage and not index else 1))
                inputs = outputs
        self.blocks = nn.ModuleList(stages)
        self.drop = nn.Dropout(dropout)
        self.width = inputs
        self.classifier = nn.Linear(inputs, classes)
        self._json = {"base_width": base_width, "blocks": list(blocks), "dropout": dropout}

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the average of the last stage over valid frames, ``[batch, width]``."""
        valid = features.lengths
        out = self.stem_norm(self.stem(hide(fold(features), valid))).relu()
        for block in self.blocks:
            out, valid = block(out, valid)
        embedding: Tensor = self.drop(masked_mean(out, valid))
        return embedding


class AlexNet1d(Backbone):
    """AlexNet along time (Krizhevsky et al. 2012, https://doi.org/10.1145/3065386).

    Five convolutions and three max poolings, then two wide layers with dropout. In place of the
    fixed grid in front of those, the mean and the maximum over valid frames, so that clips may
    have any length.

    Args:
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions.
        base_width: rows of the first convolution (64 in the original; the others follow).
        hidden: units of each wide layer.
        dropout: share dropped in front of each wide layer.

    Raises:
        SpecificationError: a parameter out of its range.
    """

    name: ClassVar[str] = "alexnet1d"

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        base_width: int = 64,
        hidden: int = 1024,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_counts(self.name, base_width=base_width, hidden=hidden)
        check_share(self.name, dropout)
        rows = [channels * bins, *(base_width * n for n in (1, 3, 6, 4, 4))]
        shapes = ((11, 2), (5, 1), (3, 1), (3, 1), (3, 1))  # (frames, stride)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, size, stride, padding=size // 2)
            for a, b, (size, stride) in zip(rows[:-1], rows[1:], shapes, strict=True)
        )
        self.pool = nn.MaxPool1d(3, 2, padding=1)
        self.wide = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * rows[-1], hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.width = hidden
        self.classifier = nn.Linear(hidden, classes)
        self._json = {"base_width": base_width, "hidden": hidden, "dropout": dropout}

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the second wide layer, ``[batch, hidden]``."""
        out, valid = fold(features), features.lengths
        for index, convolution in enumerate(self.convolutions):
            out = convolution(hide(out, valid)).relu()
            valid = strided(valid, 2) if index == 0 else valid
            if index in (0, 1, 4):  # where the original pools
                out, valid = self.pool(hide(out, valid)), strided(valid, 2)
        # Behind a ReLU the hidden zeros are never more than the maximum.
        both = torch.cat([masked_mean(out, valid), hide(out, valid).amax(dim=-1)], dim=1)
        embedding: Tensor = self.wide(both)
        return embedding
