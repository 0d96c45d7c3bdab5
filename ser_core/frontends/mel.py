"""Log-mel spectrogram, batched, whatever the padding."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap, FrontEnd, hide
from ser_core.frontends.mel_numpy import FLOOR, decibels_a_decade

# Fourier coefficients of one piece of a batch on the CPU. A whole batch's spectrum is tens of
# megabytes, fetched anew from the system each time, which costs more than the transform itself:
# pieces of about 3 MB stay in the cache and take half the time (benchmarks/speed/mel_speed.py).
PIECE = 350_000


MOST_BINS, LONGEST_FFT, MOST_OVERLAP = 1024, 65_536, 256
"""Bounds that keep a specification from elsewhere from filling the memory."""


class Mel(FrontEnd):
    """Log-mel spectrogram in decibels, through ``torchaudio.transforms.MelSpectrogram``.

    Frames are centred and the signal is padded with zeros, so that a clip gives the same valid
    frames however much padding follows it. With ``top_db`` the map is clamped that far below its
    own maximum, which also makes it independent of the level of the recording.

    Args:
        sample_rate: Hz.
        input_channels: channels of the waveform.
        n_mels: mel bands.
        n_fft: samples of one Fourier transform.
        win_length: samples of the window, at most ``n_fft``; None means ``n_fft``.
        hop_length: samples from one frame to the next.
        f_min: lowest frequency in Hz.
        f_max: highest frequency in Hz; None means half the sample rate.
        power: exponent of the magnitude, 1 or 2.
        mel_scale: "htk" or "slaney".
        norm: None or "slaney" (bands of equal area).
        top_db: dynamic range in dB below the maximum of the clip; None leaves it whole. Of use
            with ``log`` "db" only.
        log: "db" (10 or 20 times the decimal logarithm), "ln" (natural logarithm) or "none".

    Raises:
        SpecificationError: a parameter out of its range.

    Shape:
        ``[batch, channel, time]`` to ``[batch, channel, n_mels, 1 + time // hop_length]``.

    >>> import torch
    >>> mel = Mel(sample_rate=16000, input_channels=1, n_mels=80, n_fft=1024, hop_length=320)
    >>> mel(torch.zeros(2, 1, 16000), torch.tensor([16000, 8000])).values.shape
    torch.Size([2, 1, 80, 51])
    """

    name: ClassVar[str] = "mel"

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        input_channels: int = 1,
        n_mels: int = 128,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int = 512,
        f_min: float = 0.0,
        f_max: float | None = None,
        power: float = 2.0,
        mel_scale: str = "htk",
        norm: str | None = None,
        top_db: float | None = 80.0,
        log: str = "db",
    ) -> None:
        super().__init__()
        import torchaudio

        nyquist = sample_rate / 2
        top = nyquist if f_max is None else f_max
        if not 0 <= f_min < top <= nyquist:
            raise SpecificationError(
                f"mel: f_min {f_min} and f_max {top} must lie in this order within 0 and {nyquist}."
            )
        if win_length is not None and win_length > n_fft:
            raise SpecificationError(f"mel: win_length {win_length} is longer than n_fft {n_fft}.")
        if min(n_mels, n_fft, hop_length) < 1:
            raise SpecificationError("mel: n_mels, n_fft and hop_length must be 1 or more.")
        if n_mels > MOST_BINS or n_fft > LONGEST_FFT or n_fft > MOST_OVERLAP * hop_length:
            raise SpecificationError(
                f"mel: n_mels {n_mels}, n_fft {n_fft} and hop_length {hop_length} must be at most "
                f"{MOST_BINS}, {LONGEST_FFT}, and a hop not shorter than n_fft / {MOST_OVERLAP}."
            )
        if mel_scale not in ("htk", "slaney") or norm not in (None, "slaney"):
            raise SpecificationError(
                f"mel: mel_scale “{mel_scale}” must be htk or slaney, norm “{norm}” none or slaney."
            )
        if power not in (1, 2) or log not in ("db", "ln", "none"):
            raise SpecificationError(
                f"mel: power {power} must be 1 or 2, log “{log}” one of db, ln and none."
            )
        if top_db is not None and top_db <= 0:
            raise SpecificationError(f"mel: top_db {top_db} must be more than 0, or none.")
        self.log = log
        self.channels, self.bins = input_channels, n_mels
        self.hop_length, self.top_db, self.power = hop_length, top_db, power
        self._parameters_json: dict[str, Any] = {
            "n_mels": n_mels,
            "n_fft": n_fft,
            "win_length": win_length,
            "hop_length": hop_length,
            "f_min": f_min,
            "f_max": f_max,
            "power": power,
            "mel_scale": mel_scale,
            "norm": norm,
            "top_db": top_db,
            "log": log,
        }
        self.transform = torchaudio.transforms.MelSpectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            f_min=f_min,
            f_max=f_max,
            n_mels=n_mels,
            power=power,
            norm=norm,
            mel_scale=mel_scale,
            center=True,
            pad_mode="constant",
        )
        # The filter bank and the window follow from the parameters: no weights to ship.
        self.transform.spectrogram._non_persistent_buffers_set.add("window")
        self.transform.mel_scale._non_persistent_buffers_set.add("fb")

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter of the transform."""
        return dict(self._parameters_json)

    def frames(self, samples: int) -> int:
        """Return ``1 + samples // hop_length``."""
        return 1 + samples // self.hop_length

    def forward(self, waveform: Tensor, lengths: Tensor) -> FeatureMap:
        """Return the map; see the class for shapes."""
        frames = 1 + lengths // self.hop_length
        heard = hide(waveform, lengths)
        size = self._piece(heard)
        if size >= len(heard):
            return FeatureMap(self.scale(self.transform(heard), frames), frames)
        pieces = zip(torch.split(heard, size), torch.split(frames, size), strict=True)
        return FeatureMap(
            torch.cat([self.scale(self.transform(part), held) for part, held in pieces]), frames
        )

    def _piece(self, waveform: Tensor) -> int:
        """Return how many clips to transform at once."""
        if waveform.device.type != "cpu":
            return len(waveform)
        coefficients = self.transform.n_fft // 2 + 1
        spectrum = self.frames(waveform.shape[-1]) * coefficients * waveform.shape[1]
        return max(1, PIECE // int(spectrum))

    def scale(self, mel: Tensor, frames: Tensor) -> Tensor:
        """Return a map ``[batch, channel, bin, frame]`` of power on the chosen scale.

        Args:
            mel: what the transform gave; magnitude where ``power`` is 1.
            frames: valid frames of each item, int64 ``[batch]``.
        """
        if self.log != "db":
            return mel if self.log == "none" else mel.clamp_min(FLOOR).log()
        multiplier = decibels_a_decade(self.power)
        floor: Tensor | float = FLOOR
        if self.top_db is not None:
            # The range is cut before the logarithm: the same, with one pass over the map less.
            peak = hide(mel, frames).amax(dim=(1, 2, 3), keepdim=True)
            floor = (peak * 10 ** (-self.top_db / multiplier)).clamp_min(FLOOR)
        return mel.clamp(min=floor).log10_().mul_(multiplier)
