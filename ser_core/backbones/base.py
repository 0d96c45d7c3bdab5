"""What a backbone is: feature map to logits."""

from __future__ import annotations

from collections.abc import Sequence
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
        least: frames below which ``embed`` puts padding behind a map.
        classifier: the last, linear layer.
        head_names: the children that ``head`` uses; what they hold is not part of ``pooled``.
    """

    name: ClassVar[str] = ""
    takes: ClassVar[tuple[str, ...]] = ("picture", "sequence")
    head_names: ClassVar[tuple[str, ...]] = ("classifier",)
    width: int
    least: int = 1
    classifier: nn.Linear
    _json: dict[str, Any]

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter that builds the same backbone again."""
        return dict(self._json)

    def embed(self, features: FeatureMap) -> Tensor:
        """Return embeddings, ``[batch, width]``, in which padding frames have no part."""
        raise NotImplementedError

    def pooled(self, features: FeatureMap) -> Tensor:
        """Return what the head is fitted to, ``[batch, size]``: nothing in it is the head's."""
        return self.embed(features)

    def head(self, pooled: Tensor) -> Tensor:
        """Return logits of ``pooled``; with it ``forward`` is done."""
        logits: Tensor = self.classifier(pooled)
        return logits

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the weights that ``head`` uses."""
        return [
            weight
            for name, weight in self.named_parameters()
            if name.partition(".")[0] in self.head_names
        ]

    def hint(self, pooled: Tensor) -> Tensor:
        """Return what a student may learn of ``pooled``, ``[batch, any size]``, on one scale."""
        return pooled

    def voice_offset(self, neutral: Tensor) -> Tensor | None:
        """Return what a speaker's voice adds to ``pooled``, or None where it isn't known.

        Args:
            neutral: pooled states of clips that the speaker spoke neutrally, ``[clip, size]``.

        Returns:
            ``[size]``, to be taken from each state before ``head`` sees it.
        """
        return None

    def fit_voices(self, neutral: Tensor, speakers: Sequence[str]) -> None:
        """Take from training speakers' neutral clips what ``voice_offset`` needs, if it does.

        Args:
            neutral: pooled states of neutral training clips, ``[clip, size]``.
            speakers: who speaks each.
        """

    def last_parameters(self) -> list[nn.Parameter]:
        """Return the weights of the last layers in front of the head; none by default."""
        return []

    def fit_scale(self, pooled: Tensor) -> None:
        """Take from training clips what ``head`` scales by, if it does.

        Args:
            pooled: of training clips alone, ``[clip, size]``.
        """

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
