"""A model: front-end, normaliser and backbone, built from a specification."""

from __future__ import annotations

from torch import Tensor, nn

from ser_core.backbones import Backbone, build_backbone
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SpecificationError
from ser_core.frontends import FeatureMap, FrontEnd, build_frontend
from ser_core.frontends.base import ChangeFeatures, changed
from ser_core.frontends.normalise import Normaliser


class Model(nn.Module):
    """Waveform to logits.

    Args:
        frontend: waveform to feature map.
        normaliser: scales it.
        backbone: feature map to logits.
    """

    def __init__(self, frontend: FrontEnd, normaliser: Normaliser, backbone: Backbone) -> None:
        super().__init__()
        self.frontend = frontend
        self.normaliser = normaliser
        self.backbone = backbone

    def features(
        self, waveform: Tensor, lengths: Tensor, change: ChangeFeatures | None = None
    ) -> FeatureMap:
        """Return the normalised feature map.

        Args:
            waveform: float32, ``[batch, channel, time]``.
            lengths: valid samples, int64, ``[batch]``.
            change: made to each clip's picture: to its map, or to the spectrogram that Whisper's
                encoder hears. Masks and shifts mean nothing in the states that come out of it.
        """
        within = change is not None and self.frontend.takes_change
        found = self.frontend(waveform, lengths, *([change] if within else []))
        features: FeatureMap = self.normaliser(found)
        return features if change is None or within else changed(features, change)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, ``[batch, emotion]``."""
        logits: Tensor = self.backbone(self.features(waveform, lengths))
        return logits


def build(specification: Specification, *, weights: str | None = None) -> Model:
    """Build the model that a specification names, with fresh weights.

    Args:
        specification: front-end, backbone and their parameters.
        weights: first weights of an image backbone ("imagenet" or a path), or None.

    Raises:
        SpecificationError: something in it can't be built.
    """
    frontend = build_frontend(
        specification.frontend,
        specification.frontend_parameters,
        sample_rate=specification.sample_rate,
        input_channels=specification.input_channels,
    )
    parameters = dict(specification.backbone_parameters)
    if weights is not None:
        parameters["weights"] = weights
    backbone = build_backbone(
        specification.backbone,
        parameters,
        channels=frontend.channels,
        bins=frontend.bins,
        classes=len(specification.emotions),
        layout=frontend.layout,
    )
    normaliser = Normaliser.from_json(specification.normalisation)
    if frontend.layout == "vector" and normaliser.kind == "zscore_bin":
        raise SpecificationError(
            f"{specification.frontend} gives one frame of statistics for a clip, which zscore_bin "
            "would make all 0. Normalise by corpus instead."
        )
    return Model(frontend, normaliser, backbone)
