"""Whisper's ears: its log-mel spectrogram, and its encoder over clips of any length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.frontends.base import hide
from ser_core.frontends.convolved_spectrum import ConvolvedSpectrum

RATE = 16_000
WINDOW, HOP = 400, 160
"""Samples of a mel frame (25 ms) and from one to the next (10 ms), the same in every Whisper."""
LEAST = WINDOW
"""Samples that a clip must have; a shorter one is filled up with silence."""


class LogMel(nn.Module):
    """The log-mel spectrogram of ``transformers.WhisperFeatureExtractor``, clip by clip.

    That class pads or cuts each clip to 30 s. Here a clip ends where it ends: its mirrored end
    fills its last frame, and the floor (a factor of 10^8 below the loudest place) is taken
    from its own frames, so that neither padding nor batch-mates matter (Radford et al. 2022,
    https://arxiv.org/abs/2212.04356).

    Args:
        bins: mel bands, 80 or (from large-v3 on) 128.

    Shape:
        ``[batch, time]`` to ``[batch, bins, time // 160]``, 0 behind each clip's end.
    """

    def __init__(self, bins: int) -> None:
        import torchaudio.functional as audio_functional

        super().__init__()
        filters = audio_functional.melscale_fbanks(
            WINDOW // 2 + 1, 0.0, RATE / 2, bins, RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("filters", filters.T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.filters: Tensor
        self.window: Tensor
        self.transform: nn.Module | None = None

    def convolved(self) -> LogMel:
        """Return one with the same values that ONNX can hold."""
        made = LogMel(len(self.filters))
        made.transform = ConvolvedSpectrum(WINDOW, self.window, HOP, 0, WINDOW // 2 + 1)
        return made

    def _power(self, signal: Tensor) -> Tensor:
        """Return the power spectrum, ``[batch, bin, frame]``."""
        if self.transform is not None:
            found: Tensor = self.transform(signal)
            return found
        spectrum = torch.stft(
            signal, WINDOW, HOP, window=self.window, center=False, return_complex=True
        )
        return spectrum.abs().square()

    def forward(self, signal: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spectrogram and the valid frames of each clip.

        Args:
            signal: ``[batch, time]``, at least ``LEAST`` samples.
            lengths: valid samples, ``LEAST`` or more, int64 ``[batch]``.
        """
        half = WINDOW // 2
        last = (lengths - 1)[:, None]
        place = torch.arange(-half, signal.shape[1] + half, device=signal.device).abs()[None, :]
        mirrored = (last - (last - place).abs()).clamp_min(0)  # what lies further is hidden below
        power = self._power(signal.gather(1, mirrored))[..., :-1]  # (batch, bin, frame)
        frames = torch.div(lengths, HOP, rounding_mode="floor")
        mel = (self.filters @ power).clamp_min(1e-10).log10()
        inside = torch.arange(mel.shape[-1], device=mel.device)[None, :] < frames[:, None]
        loudest = mel.masked_fill(~inside[:, None, :], -torch.inf).amax((1, 2), keepdim=True)
        mel = (torch.maximum(mel, loudest - 8.0) + 4.0) / 4.0
        return hide(mel, frames), frames


def frames_of(samples: int) -> int:
    """Return how many states a clip of ``samples`` samples has, 50 a second.

    >>> frames_of(16_000), frames_of(1)
    (50, 1)
    """
    return (max(samples, LEAST) // HOP + 1) // 2


def hidden_states(encoder: Any, mel: Tensor, frames: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the input of the first layer, the output of each, and the valid frames.

    ``WhisperEncoder.forward`` takes 30 s and nothing else. This does what it does with as many
    of its position vectors as the clip has frames, and lets no frame attend to padding.

    Args:
        encoder: a ``transformers`` ``WhisperEncoder``.
        mel: ``[batch, bin, frame]``, 0 behind each clip's end.
        frames: valid frames of it, int64 ``[batch]``.

    Returns:
        Layers + 1 tensors ``[batch, frame, hidden size]``, and int64 ``[batch]``.

    Raises:
        SpecificationError: a clip is longer than the encoder has positions for.
    """
    values = nn.functional.gelu(encoder.conv1(mel))
    values = nn.functional.gelu(encoder.conv2(hide(values, frames)))
    frames = torch.div(frames + 1, 2, rounding_mode="floor")
    values = values.transpose(1, 2)  # (batch, frame, hidden size)
    most = encoder.embed_positions.num_embeddings
    if values.shape[1] > most:
        raise SpecificationError(
            f"encoder: Whisper has positions for {most / 50:g} s and was given "
            f"{values.shape[1] / 50:g} s. Choose a shorter window (seconds)."
        )
    values = values + encoder.embed_positions.weight[: values.shape[1]]
    inside = torch.arange(values.shape[1], device=values.device)[None, :] < frames[:, None]
    # (batch, head, query, key): every query attends to the valid keys.
    mask = inside[:, None, None, :].expand(-1, 1, values.shape[1], -1)
    states = [values]
    for layer in encoder.layers:
        values = layer(values, mask)
        states.append(values)
    states[-1] = encoder.layer_norm(states[-1])
    return states, frames
