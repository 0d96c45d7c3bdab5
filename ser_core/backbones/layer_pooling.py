"""Statistics of each layer of an encoder, weighed against each other, and an MLP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_counts, check_share
from ser_core.backbones.pooling import moments, perceptron
from ser_core.frontends.base import FeatureMap

VOICE_SHARE = 0.25
"""How much of a voice's offset is taken away."""
FEWEST_NEUTRAL = 3
"""Neutral clips that tell something about a training speaker's voice."""


class LayerPooling(Backbone):
    """Mean and deviation of each channel over time, standardised, summed with learned weights.

    For the stacked layers of a speech encoder: what they hold differs in scale by a factor of a
    hundred, so that statistics are brought to one scale first and weighed then. The weights are
    those of SUPERB (Yang et al. 2021, https://arxiv.org/abs/2105.01051). As nothing in front of
    the statistics is learned here, a clip's statistics can be kept and a new head fitted to them
    in seconds.

    Args:
        channels: channels of the feature map, the layers.
        bins: its bins.
        classes: emotions.
        sizes: units of each layer of the MLP in front of the classifier.
        dropout: share dropped behind each layer, and half as much in front of the first.

    Raises:
        SpecificationError: a parameter out of its range.
    """

    name: ClassVar[str] = "layer_pooling"
    takes: ClassVar[tuple[str, ...]] = ("picture", "sequence", "vector")
    head_names = (
        *("mean", "deviation", "neutral", "between_voices", "within_voices"),
        *("layer_weights", "perceptron", "classifier"),
    )

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        sizes: Sequence[int] = (256,),
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        check_counts(self.name, sizes=len(sizes))
        check_counts(self.name, **{f"sizes[{i}]": size for i, size in enumerate(sizes)})
        check_share(self.name, dropout)
        self.channels, self.bins = channels, bins
        # (layer, mean | deviation, bin): the statistics of training clips, by ``fit_scale``
        self.register_buffer("mean", torch.zeros(channels, 2, bins))
        self.register_buffer("deviation", torch.ones(channels, 2, bins))
        # Neutral speech by ``fit_voices``; nothing differs between voices until it was called.
        self.register_buffer("neutral", torch.zeros(channels, 2, bins))
        self.register_buffer("between_voices", torch.zeros(channels, 2, bins))
        self.register_buffer("within_voices", torch.ones(channels, 2, bins))
        self.mean: Tensor
        self.deviation: Tensor
        self.neutral: Tensor
        self.between_voices: Tensor
        self.within_voices: Tensor
        self.layer_weights = nn.Parameter(torch.zeros(channels))
        self.drop = nn.Dropout(dropout / 2)
        self.perceptron = perceptron(2 * bins, sizes, "hidden", dropout)
        self.width = sizes[-1]
        self.classifier = nn.Linear(self.width, classes)
        self._json = {"sizes": list(sizes), "dropout": dropout}

    def pooled(self, features: FeatureMap) -> Tensor:
        """Return mean and deviation of each channel, ``[batch, channel * 2 * bin]``."""
        rows = features.values.flatten(1, 2)
        even = features.mask.to(rows.dtype) / features.lengths[:, None].to(rows.dtype)
        found = moments(rows, even[:, None, :], deviation=True)
        found = found.view(-1, 2, self.channels, self.bins)
        return found.transpose(1, 2).flatten(1)

    def fit_scale(self, pooled: Tensor) -> None:
        """Take mean and deviation of each statistic over training clips."""
        shape = self.mean.shape
        self.mean.copy_(pooled.float().mean(0).view(shape))
        self.deviation.copy_(pooled.float().std(0, correction=0).clamp_min(1e-3).view(shape))

    def fit_voices(self, neutral: Tensor, speakers: Sequence[str]) -> None:
        """Take the variance of neutral speech between voices, and within one.

        Speakers with fewer than ``FEWEST_NEUTRAL`` clips have no say; with fewer than two others
        nothing is learned about voices.
        """
        neutral, names = neutral.float(), list(speakers)
        groups = [
            neutral[[index for index, its in enumerate(names) if its == name]]
            for name in dict.fromkeys(names)
        ]
        groups = [group for group in groups if len(group) >= FEWEST_NEUTRAL]
        if len(groups) < 2:
            return
        means = torch.stack([group.mean(0) for group in groups])
        spread = sum(((group - group.mean(0)).square().sum(0) for group in groups), means[0] * 0)
        within = spread / sum(len(group) - 1 for group in groups)
        noise = within * (sum(1 / len(group) for group in groups) / len(groups))
        between = (means.var(0) - noise).clamp_min(0)
        for buffer, found in (
            (self.neutral, means.mean(0)),
            (self.between_voices, between),
            (self.within_voices, within.clamp_min(1e-6)),
        ):
            buffer.copy_(found.view(self.mean.shape))

    def voice_offset(self, neutral: Tensor) -> Tensor:
        """Return a part of how the speaker's neutral clips differ from those of most voices.

        The mean of few clips says little about a voice: it is shrunk as the variances within and
        between voices say (a posterior mean), kept to what voices are, and taken by
        ``VOICE_SHARE``, which suited validation speakers best; the whole of it takes away
        emotion too.
        """
        found = neutral.float().mean(0).view(self.mean.shape) - self.neutral
        noise = self.within_voices / len(neutral)
        spread = self.between_voices + noise
        shrunk = self.between_voices / spread * found
        most = 2 * self.between_voices.sqrt()
        return VOICE_SHARE * torch.clamp(shrunk, -most, most).flatten()

    def hint(self, pooled: Tensor) -> Tensor:
        """Return the weighed, standardised statistics, ``[batch, 2 * bin]``."""
        scaled = (pooled.view(-1, *self.mean.shape) - self.mean) / self.deviation
        return torch.einsum("bcsd,c->bsd", scaled, self.layer_weights.softmax(0)).flatten(1)

    def _embedding(self, pooled: Tensor) -> Tensor:
        embedding: Tensor = self.perceptron(self.drop(self.hint(pooled)))
        return embedding

    def head(self, pooled: Tensor) -> Tensor:
        """Return logits of statistics, ``[batch, channel * 2 * bin]``."""
        logits: Tensor = self.classifier(self._embedding(pooled))
        return logits

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the MLP's last layer, ``[batch, width]``."""
        return self._embedding(self.pooled(features))
