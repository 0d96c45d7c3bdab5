"""Classical descriptors of a voice, frame by frame or as statistics of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap, FrontEnd, hide
from ser_core.frontends.descriptor_math import DescriptorBank
from ser_core.frontends.descriptor_table import DESCRIPTORS, N_MFCC

STATISTICS: tuple[str, ...] = ("mean", "std", "min", "max")
"""What the statistics mode says of each row over a clip's valid frames."""

MODES: tuple[str, ...] = ("frames", "statistics")


class Descriptors(FrontEnd):
    """Zero crossings, level, MFCC with deltas, spectral shape, chroma and tonnetz.

    The definitions are librosa's with zero padding (see ``descriptor_math``). Rows have units as
    different as Hz and shares: normalise with ``zscore_bin`` or ``corpus``, statistics with
    ``corpus``.

    Args:
        sample_rate: Hz.
        input_channels: channels of the waveform.
        mode: "frames" for sequence backbones, "statistics" for the MLP: the mean, deviation,
            minimum and maximum of each row, in one frame.
        names: keys of ``DESCRIPTORS``, in any order; None means all.
        n_fft: samples of one frame, even, 64 or more.
        hop_length: samples from one frame to the next.
        n_mfcc: cepstral coefficients, 1 to 128.
        delta_width: frames in the fit of a slope, odd, 3 or more.

    Raises:
        SpecificationError: a parameter out of its range or an unknown descriptor.

    Shape:
        ``[batch, channel, time]`` to ``[batch, channel, row, 1 + time // hop_length]``, or to
        ``[batch, channel, 4 * row, 1]`` in statistics mode (all means, then all deviations ...).

    >>> descriptors = Descriptors(sample_rate=16000, input_channels=1)
    >>> descriptors(torch.zeros(2, 1, 16000), torch.tensor([16000, 8000])).values.shape
    torch.Size([2, 1, 85, 63])
    """

    name: ClassVar[str] = "descriptors"

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        input_channels: int = 1,
        mode: str = "frames",
        names: Sequence[str] | None = None,
        n_fft: int = 1024,
        hop_length: int = 256,
        n_mfcc: int = N_MFCC,
        delta_width: int = 9,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise SpecificationError(f"descriptors: no mode “{mode}”; take {' or '.join(MODES)}.")
        chosen = list(DESCRIPTORS) if names is None else list(names)
        odd = [n for n in chosen if n not in DESCRIPTORS]
        if odd or not chosen or len(set(chosen)) != len(chosen):
            raise SpecificationError(
                f"descriptors: names must be some of {', '.join(DESCRIPTORS)}, each once; "
                f"found {', '.join(odd or chosen) or 'none'}."
            )
        if n_fft < 64 or n_fft % 2 or not 1 <= hop_length <= n_fft:
            raise SpecificationError(
                f"descriptors: n_fft {n_fft} must be even and 64 or more, "
                f"hop_length {hop_length} between 1 and n_fft."
            )
        if not 1 <= n_mfcc <= 128 or delta_width < 3 or delta_width % 2 == 0:
            raise SpecificationError(
                f"descriptors: n_mfcc {n_mfcc} must lie between 1 and 128, "
                f"delta_width {delta_width} be odd and 3 or more."
            )
        self.names, self.mode, self.hop_length = tuple(chosen), mode, hop_length
        rows = sum(n_mfcc if n.startswith("mfcc") else DESCRIPTORS[n].count for n in chosen)
        self.channels = input_channels
        self.bins = rows * (len(STATISTICS) if mode == "statistics" else 1)
        self.layout = "vector" if mode == "statistics" else "sequence"
        self.bank = DescriptorBank(sample_rate, n_fft, hop_length, n_mfcc, delta_width)
        self._json = {
            "mode": mode,
            "names": chosen,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "n_mfcc": n_mfcc,
            "delta_width": delta_width,
        }

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter."""
        return dict(self._json)

    def frames(self, samples: int) -> int:
        """Return ``1 + samples // hop_length``; 1 in statistics mode."""
        return 1 if self.mode == "statistics" else 1 + samples // self.hop_length

    def describe(self, waveform: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return each chosen descriptor as ``[batch, channel, row, frame]``."""
        batch, channels, time = waveform.shape
        signal = hide(waveform, lengths).reshape(batch * channels, time)
        # Half precision would cost the Hz their digits.
        with torch.autocast(waveform.device.type, enabled=False):
            found = self.bank(signal.float(), lengths.repeat_interleave(channels))
        return {name: found[name].unflatten(0, (batch, channels)) for name in self.names}

    def forward(self, waveform: Tensor, lengths: Tensor) -> FeatureMap:
        """Return the rows over frames, or their statistics; see the class for shapes."""
        values = torch.cat(list(self.describe(waveform, lengths).values()), dim=2)
        frames = lengths // self.hop_length + 1
        rows = FeatureMap(values, frames)
        mask = rows.mask[:, None, None, :]
        if self.mode == "frames":
            return FeatureMap(values.masked_fill(~mask, 0.0), frames)
        count = frames.view(-1, 1, 1, 1).to(values)
        mean = values.masked_fill(~mask, 0.0).sum(-1, keepdim=True) / count
        spread = (values - mean).masked_fill(~mask, 0.0).square().sum(-1, keepdim=True) / count
        low = values.masked_fill(~mask, torch.inf).amin(-1, keepdim=True)
        high = values.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True)
        return FeatureMap(torch.cat([mean, spread.sqrt(), low, high], 2), torch.ones_like(frames))


class ClipDescriptors(NamedTuple):
    """What ``describe_clip`` returns.

    Attributes:
        values: each descriptor, float32 ``[row, frame]``.
        times: the middle of each frame, in seconds, float64 ``[frame]``.
    """

    values: dict[str, NDArray[np.float32]]
    times: NDArray[np.float64]


def describe_clip(samples: NDArray[np.float32], rate: int) -> ClipDescriptors:
    """Return every descriptor of one clip, for a picture.

    Args:
        samples: ``[time]`` or ``[channel, time]``; channels are averaged.
        rate: samples a second.

    Returns:
        ``(values, times)``: a dict from each key of ``DESCRIPTORS`` to ``[row, frame]``, and the
        time of each frame. A frame is about 64 ms long and 16 ms from the next.

    >>> values, times = describe_clip(np.zeros(16000, np.float32), 16000)
    >>> values["chroma"].shape, times[:3]
    ((12, 63), array([0.   , 0.016, 0.032]))
    """
    mono = np.atleast_2d(np.asarray(samples, dtype=np.float32)).mean(axis=0)
    n_fft = max(64, 2 ** round(float(np.log2(0.064 * rate))))
    frontend = Descriptors(
        sample_rate=rate, input_channels=1, n_fft=n_fft, hop_length=max(1, n_fft // 4)
    )
    with torch.inference_mode():
        found = frontend.describe(
            torch.from_numpy(mono)[None, None], torch.tensor([mono.size], dtype=torch.int64)
        )
    values = {name: rows[0, 0].numpy() for name, rows in found.items()}
    return ClipDescriptors(values, np.arange(values["rms"].shape[1]) * frontend.hop_length / rate)
