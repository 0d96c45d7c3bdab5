"""Classical speech descriptors over a batch of clips of different lengths, in torch.

Every frame is computed from the samples around it and from nothing else; what lies behind a
clip's own end counts as silence. So padding and batch-mates never change a valid frame. The
definitions are those of librosa (McFee et al., 2015, https://librosa.org/doc/0.11.0/feature.html)
with zero padding at both ends.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor, nn

_TINY = torch.finfo(torch.float32).tiny
_AMIN = 1e-10
_TOP_DB = 80.0
_MELS = 128


def tonnetz_basis() -> Tensor:
    """Return the map from 12 pitch classes to the six tonal centroids, float32 ``[6, 12]``.

    Fifths, minor thirds and major thirds are circles of radius 1, 1 and 0.5 (Harte, Sandler
    and Gasser, 2006, https://doi.org/10.1145/1178723.1178727).
    """
    pitch = torch.arange(12, dtype=torch.float64)
    rows = []
    for step, radius in ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5)):
        rows += [radius * torch.sin(math.pi * step * pitch)]
        rows += [radius * torch.cos(math.pi * step * pitch)]
    return torch.stack(rows).float()


def delta(values: Tensor, frames: Tensor, width: int, order: int) -> Tensor:
    """Return the local slope (order 1) or curvature (order 2) of each row over time.

    A polynomial of degree ``order`` is fitted to ``width`` frames around each frame (Savitzky
    and Golay, 1964); the frames nearest a clip's ends take the fit of the first and of the last
    whole window. A clip with fewer frames than ``width`` has slope and curvature 0.

    Args:
        values: ``[batch, row, frame]``.
        frames: valid frames of each clip, int64 ``[batch]``.
        width: frames in the fit, odd, at least 3.
        order: 1 or 2.

    Returns:
        The shape of ``values``; what lies behind a clip's last frame is unspecified.
    """
    batch, rows, count = values.shape
    if count < width:
        return torch.zeros_like(values)
    half = width // 2
    offsets = torch.arange(-half, half + 1, dtype=torch.float64)
    fit = torch.linalg.pinv(torch.stack([offsets**power for power in range(order + 1)], dim=1))
    kernel = (fit[order] * math.factorial(order)).to(values)
    slopes = F.conv1d(values.reshape(batch * rows, 1, count), kernel[None, None])
    slopes = slopes.reshape(batch, rows, -1)  # slopes[..., i] belongs to frame i + half
    index = torch.arange(count, device=values.device)[None, :] - half
    index = torch.minimum(index.clamp(min=0), (frames[:, None] - width).clamp(min=0))
    slopes = slopes.gather(2, index[:, None, :].expand(batch, rows, count))
    return slopes * (frames >= width).to(values)[:, None, None]


class DescriptorBank(nn.Module):
    """Compute every descriptor of a batch of mono signals.

    Args:
        rate: samples a second.
        n_fft: samples in a frame, even.
        hop: samples from frame to frame.
        n_mfcc: cepstral coefficients, 1 to 128.
        delta_width: frames in the fit of a slope, odd, at least 3.
    """

    def __init__(self, rate: int, n_fft: int, hop: int, n_mfcc: int, delta_width: int) -> None:
        from librosa.filters import chroma  # seconds, on a first start

        super().__init__()
        self.n_fft, self.hop, self.delta_width = n_fft, hop, delta_width
        mel = AF.melscale_fbanks(n_fft // 2 + 1, 0.0, rate / 2, _MELS, rate, "slaney", "slaney")
        tables = {
            "window": torch.hann_window(n_fft),
            "mel": mel.T,  # (mel, bin)
            "cosine": AF.create_dct(n_mfcc, _MELS, norm="ortho").T,  # (coefficient, mel)
            "chroma": torch.from_numpy(chroma(sr=rate, n_fft=n_fft)).float(),
            "tonnetz": tonnetz_basis(),
            "hertz": torch.linspace(0, rate / 2, n_fft // 2 + 1),
        }
        self._tables = tuple(tables)
        for name, table in tables.items():
            self.register_buffer(f"_{name}", table.contiguous(), persistent=False)

    def _table(self, name: str) -> Tensor:
        return self.get_buffer(f"_{name}")

    def forward(self, signal: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return each descriptor as ``[batch, row, frame]``.

        Args:
            signal: float32 ``[batch, time]``; silent behind each clip's length.
            lengths: valid samples of each clip, int64 ``[batch]``.
        """
        frames = lengths // self.hop + 1
        spectrum = torch.stft(
            signal,
            self.n_fft,
            self.hop,
            window=self._table("window"),
            pad_mode="constant",
            return_complex=True,
        ).abs()  # (batch, bin, frame)
        power = spectrum.square()
        mfcc = self._mfcc(power, frames)
        out = {
            "zcr": self._crossings(signal, lengths),
            "rms": self._rms(signal),
            "mfcc": mfcc,
            "mfcc_delta": delta(mfcc, frames, self.delta_width, 1),
            "mfcc_delta2": delta(mfcc, frames, self.delta_width, 2),
        }
        hertz = self._table("hertz")[:, None]
        total = spectrum.sum(1, keepdim=True)
        share = spectrum / torch.where(total < _TINY, torch.ones_like(total), total)
        centroid = (share * hertz).sum(1, keepdim=True)
        out["centroid"] = centroid
        out["bandwidth"] = (share * (hertz - centroid).square()).sum(1, keepdim=True).sqrt()
        floor = power.clamp(min=_AMIN)
        out["flatness"] = floor.log().mean(1, keepdim=True).exp() / floor.mean(1, keepdim=True)
        cumulative = spectrum.double().cumsum(1)
        out["rolloff_85"] = self._rolloff(cumulative, 0.85)
        out["rolloff_01"] = self._rolloff(cumulative, 0.01)
        chroma = torch.einsum("pk,bkt->bpt", self._table("chroma"), power)
        peak = chroma.amax(1, keepdim=True)
        chroma = chroma / torch.where(peak < _TINY, torch.ones_like(peak), peak)
        out["chroma"] = chroma
        mass = chroma.sum(1, keepdim=True)
        balance = chroma / torch.where(mass < _TINY, torch.ones_like(mass), mass)
        out["tonnetz"] = torch.einsum("dp,bpt->bdt", self._table("tonnetz"), balance)
        return out

    def _mfcc(self, power: Tensor, frames: Tensor) -> Tensor:
        mel = torch.einsum("mk,bkt->bmt", self._table("mel"), power)
        decibel = 10.0 * mel.clamp(min=_AMIN).log10()
        valid = torch.arange(mel.shape[2], device=mel.device)[None, :] < frames[:, None]
        peak = decibel.masked_fill(~valid[:, None, :], -math.inf).amax((1, 2), keepdim=True)
        decibel = torch.maximum(decibel, peak - _TOP_DB)
        return torch.einsum("cm,bmt->bct", self._table("cosine"), decibel)

    def _rms(self, signal: Tensor) -> Tensor:
        half = self.n_fft // 2
        padded = F.pad(signal.square(), (half, half))[:, None, :]
        return F.avg_pool1d(padded, self.n_fft, self.hop).sqrt()

    def _crossings(self, signal: Tensor, lengths: Tensor) -> Tensor:
        negative = torch.where(signal.abs() <= _AMIN, torch.zeros_like(signal), signal) < 0
        changes = negative[:, 1:] != negative[:, :-1]  # change i lies between samples i and i + 1
        inside = torch.arange(1, signal.shape[1], device=signal.device)[None] < lengths[:, None]
        half = self.n_fft // 2
        # A frame of n samples holds n - 1 places where the sign can change.
        counts = F.pad((changes & inside).long(), (half, half)).cumsum(1)
        counts = F.pad(counts, (1, 0))
        last = self.n_fft - 1
        starts = torch.arange(
            0, signal.shape[1] + 1, self.hop, device=signal.device
        )  # frame t covers samples [t * hop - half, t * hop + half)
        ends = (starts + last).clamp(max=counts.shape[1] - 1)
        return ((counts[:, ends] - counts[:, starts]).float() / self.n_fft)[:, None, :]

    def _rolloff(self, cumulative: Tensor, share: float) -> Tensor:
        reached = cumulative >= share * cumulative[:, -1:, :]
        first = reached.to(torch.int8).argmax(1, keepdim=True)
        return self._table("hertz")[first]
