"""A transformer encoder over frames, pooled by attention."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_counts, check_share, fold
from ser_core.backbones.pooling import AttentivePooling
from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap


class Attention(Backbone):
    """Self-attention over frames (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

    Layers are normalised in front (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), padding
    is masked as a key, and the outputs are averaged with learned weights (Safari, India and
    Hernando 2020, https://arxiv.org/abs/2008.01077).

    Args:
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions.
        size: units a frame, an even multiple of ``heads``.
        layers: encoder layers.
        heads: attention heads.
        dropout: share dropped inside the layers and of the embedding.

    Raises:
        SpecificationError: a parameter out of its range.
    """

    name: ClassVar[str] = "attention"

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        size: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_counts(self.name, size=size, layers=layers, heads=heads)
        check_share(self.name, dropout)
        if size % heads or size % 2:
            raise SpecificationError(
                f"{self.name}: size {size} must be even and a multiple of the {heads} heads."
            )
        self.inward = nn.Linear(channels * bins, size)
        layer = nn.TransformerEncoderLayer(
            size, heads, 4 * size, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(size), enable_nested_tensor=False
        )
        self.pool = AttentivePooling(size, deviation=False)
        self.drop = nn.Dropout(dropout)
        self.width = size
        self.classifier = nn.Linear(size, classes)
        self._json = {"size": size, "layers": layers, "heads": heads, "dropout": dropout}

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the weighted average of the encoder's outputs, ``[batch, size]``."""
        rows = self.inward(fold(features).transpose(1, 2))  # (batch, frame, size)
        rows = rows + positions(rows.shape[1], rows.shape[2]).to(rows)
        out = self.encoder(rows, src_key_padding_mask=~features.mask)
        embedding: Tensor = self.drop(self.pool(out.transpose(1, 2), features.mask))
        return embedding


def positions(frames: int, size: int) -> Tensor:
    """Return the sines and cosines that tell a transformer where a frame is.

    Args:
        frames: how many frames.
        size: units a frame, even.

    Returns:
        ``[frames, size]``.

    >>> positions(2, 4)[0]
    tensor([0., 1., 0., 1.])
    """
    rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))
    angles = torch.arange(frames)[:, None] * rates[None, :]
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
