"""What a backbone is: feature map to logits."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap


class Backbone(nn.Module):
    """Feature map to logits.

    Attributes:
        name: the key in ``BACKBONES``.
        takes: the layouts of feature maps (see ``FrontEnd.layout``) that make sense to it.
        width: size of the embedding in front of the classifier.
        classifier: the last, linear layer.
    """

    name: ClassVar[str] = ""
    takes: ClassVar[tuple[str, ...]] = ("picture", "sequence")
    width: int
    classifier: nn.Linear
    _json: dict[str, Any]

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter that builds the same backbone again."""
        return dict(self._json)

    def embed(self, features: FeatureMap) -> Tensor:
        """Return embeddings, ``[batch, width]``, in which padding frames have no part."""
        raise NotImplementedError

    def forward(self, features: FeatureMap) -> Tensor:
        """Return logits, ``[batch, classes]``."""
        logits: Tensor = self.classifier(self.embed(features))
        return logits


def fold(features: FeatureMap) -> Tensor:
    """Return a feature map with channel and bin in one axis, ``[batch, row, frame]``."""
    return features.values.flatten(1, 2)


def check_share(name: str, dropout: float) -> None:
    """Raise SpecificationError unless ``dropout`` is a share from 0 to less than 1."""
    if not 0 <= dropout < 1:
        raise SpecificationError(f"{name}: dropout {dropout} must lie in [0, 1).")


def check_counts(name: str, **counts: int) -> None:
    """Raise SpecificationError unless each count is a whole number from 1 up."""
    for what, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise SpecificationError(f"{name}: {what} {count!r} must be a whole number from 1 up.")
