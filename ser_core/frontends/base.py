"""The one shape in which a front-end and a backbone meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class FeatureMap(NamedTuple):
    """What a front-end makes and a backbone takes.

    Attributes:
        values: features, float32, shape ``[batch, channel, bin, frame]``.
        lengths: valid frames of each item, int64, shape ``[batch]``; the rest is padding.
    """

    values: Tensor
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """True where a frame is valid, shape ``[batch, frame]``."""
        frames = torch.arange(self.values.shape[-1], device=self.values.device)
        return frames[None, :] < self.lengths[:, None]


def hide(values: Tensor, valid: Tensor) -> Tensor:
    """Return ``values`` with 0 in the frames (or samples) behind each item's end.

    In front of a convolution this makes padding look like the zeros that the convolution itself
    puts around a clip, so that a clip in a batch gives what it gives alone.

    Args:
        values: ``[batch, ..., frame]``.
        valid: valid frames of each item, int64 ``[batch]``.

    >>> hide(torch.ones(2, 1, 3), torch.tensor([1, 3]))[:, 0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    if values.device.type == "cpu" and int(valid.min()) >= values.shape[-1]:
        return values  # nothing to hide; on a GPU asking would cost more than doing
    frames = torch.arange(values.shape[-1], device=values.device)
    mask = (frames[None, :] < valid[:, None]).to(values.dtype)
    return values * mask.view(mask.shape[0], *[1] * (values.dim() - 2), mask.shape[1])


def hide_(values: Tensor, valid: Tensor) -> Tensor:
    """Do what ``hide`` does in ``values`` itself, which no gradient may need as they were."""
    if values.device.type == "cpu" and int(valid.min()) >= values.shape[-1]:
        return values
    frames = torch.arange(values.shape[-1], device=values.device)
    mask = frames[None, :] >= valid[:, None]
    return values.masked_fill_(mask.view(mask.shape[0], *[1] * (values.dim() - 2), -1), 0.0)


ChangeFeatures = Callable[[Tensor, int], Tensor]
"""One clip's map ``[channel, bin, frame]`` and its valid frames to a map of that shape."""


def changed(features: FeatureMap, change: ChangeFeatures) -> FeatureMap:
    """Return the maps after ``change`` was made to each of them.

    >>> features = FeatureMap(torch.ones(2, 1, 1, 3), torch.tensor([1, 3]))
    >>> changed(features, lambda values, frames: values * frames).values[:, 0, 0, 0].tolist()
    [1.0, 3.0]
    """
    values, lengths = features
    pairs = zip(values, lengths.tolist(), strict=True)
    return FeatureMap(torch.stack([change(one, frames) for one, frames in pairs]), lengths)


LAYOUTS: dict[str, str] = {
    "picture": "neighbouring bins are alike, as in a spectrogram",
    "sequence": "frames follow each other; the bins stand in no order",
    "vector": "one frame for the whole clip",
}
"""What the bins and frames of a feature map mean; a backbone takes some of them."""


class FrontEnd(nn.Module):
    """Waveform to feature map.

    Attributes:
        name: the key in ``FRONTENDS``.
        layout: a key of ``LAYOUTS``.
        channels: channels of the feature map.
        bins: bins of the feature map.
        least: samples below which it pads a batch.
        longest: samples that it can take at once; None means any number.
        takes_change: its ``forward`` takes a `ChangeFeatures` as well, for the spectrogram in front
            of its learned layers: what comes out of them is not a picture.
    """

    name: ClassVar[str] = ""
    layout: str = "picture"
    channels: int
    bins: int
    least: int = 1
    longest: int | None = None
    takes_change: bool = False

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter, complete enough to build the same front-end again."""
        raise NotImplementedError

    def frames(self, samples: int) -> int:
        """Return how many frames ``samples`` samples give."""
        raise NotImplementedError

    def exportable(self) -> FrontEnd | None:
        """Return a front-end with the same values that can be traced for ONNX; None: there is none.

        Its ``forward`` must hold for any batch and any length: no step may depend on the lengths
        by way of Python, and every operation must be one that ``torch.onnx`` knows.
        """
        return None

    def forward(self, waveform: Tensor, lengths: Tensor) -> FeatureMap:
        """Return the feature map of a batch.

        Args:
            waveform: float32, ``[batch, channel, time]``, zero behind each item's length.
            lengths: valid samples of each item, int64, ``[batch]``.
        """
        raise NotImplementedError
