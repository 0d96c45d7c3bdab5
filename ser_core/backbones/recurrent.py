"""Recurrent networks in both directions; channel and bin are folded into one axis."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_core.backbones.base import Backbone, check_counts, check_share, fold
from ser_core.backbones.masking import masked_mean
from ser_core.frontends.base import FeatureMap


class BiGRU(Backbone):
    """Bidirectional gated recurrent units, averaged over valid frames.

    Cho et al. 2014 (https://arxiv.org/abs/1406.1078), in both directions after Schuster and
    Paliwal 1997 (https://doi.org/10.1109/78.650093). Sequences are packed: the way back starts
    at a clip's own last frame, never in its padding.

    Args:
        channels: channels of the feature map.
        bins: its bins.
        classes: emotions.
        hidden: units in each direction.
        layers: recurrent layers.
        dropout: share dropped between layers and of the embedding.

    Raises:
        SpecificationError: a parameter out of its range.
    """

    name: ClassVar[str] = "bigru"
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]] = nn.GRU

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        hidden: int = 128,
        layers: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_counts(self.name, hidden=hidden, layers=layers)
        check_share(self.name, dropout)
        self.recurrent = self.cell(
            channels * bins,
            hidden,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(dropout)
        self.width = 2 * hidden
        self.classifier = nn.Linear(self.width, classes)
        self._json = {"hidden": hidden, "layers": layers, "dropout": dropout}

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the average output over valid frames, ``[batch, 2 * hidden]``."""
        rows = fold(features).transpose(1, 2)  # (batch, frame, row)
        packed = pack_padded_sequence(
            rows, features.lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        out, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        embedding: Tensor = self.drop(masked_mean(out.transpose(1, 2), features.lengths))
        return embedding


class BiLSTM(BiGRU):
    """Bidirectional long short-term memory, averaged over valid frames.

    Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735); otherwise as
    ``BiGRU``.

    Args: see ``BiGRU``.
    """

    name: ClassVar[str] = "bilstm"
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]] = nn.LSTM
