"""A pretrained speech encoder of the transformers library as a front-end."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.frontends import whisper
from ser_core.frontends.base import ChangeFeatures, FeatureMap, FrontEnd, changed, hide
from ser_core.frontends.encoder_source import build_from_config, open_pretrained, preprocessing

TRAINED: tuple[str, ...] = ("none", "last", "all")
WHISPER_PEAK = 0.5


DEFAULT_SOURCE = "openai/whisper-base"
"""The encoder that is taken where none is named."""


class Encoder(FrontEnd):
    """The layers of a pretrained speech encoder, summed with learned weights, or all of them.

    wav2vec 2.0 (Baevski et al. 2020, https://arxiv.org/abs/2006.11477), HuBERT (Hsu et al. 2021,
    https://arxiv.org/abs/2106.07447), WavLM (Chen et al. 2022, https://arxiv.org/abs/2110.13900)
    and the encoder of Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356); the
    weighted sum of layers is that of SUPERB (Yang et al. 2021, https://arxiv.org/abs/2105.01051).

    The first build reads ``source``, from the network or from a folder. ``parameters_json`` then
    holds the encoder's whole configuration, so that a checkpoint is built again from its own
    files alone: with ``config`` given, ``source`` is a mere note of where the weights came from.

    Padding never matters. Whisper hears each clip as long as it is, instead of filled up to 30 s,
    and attends to nothing behind its end. Of the others, those with layer norm in their feature
    extractor get an attention mask. Those with group norm (wav2vec2-base, hubert-base) take
    statistics over all of the time axis, padding included, and were trained without a mask: their
    batches are split into groups of equal length that need no padding. That is slower for batches
    of many different lengths.

    Args:
        sample_rate: Hz; encoders of these families expect 16000.
        input_channels: channels of the waveform, which are averaged: an encoder takes mono.
        source: name on the Hub or local folder.
        config: the encoder's configuration; given in checkpoints, weights follow from them.
        keep_layers: how many first layers are kept; 0 keeps all. The later ones know more about
            words than about voices, and cost time and memory.
        peak: scale each clip to this peak first, above 0 to 1; 0 leaves it as it is; None is 0.5
            for Whisper, which hears level, and 0 for the others.
        do_normalize: scale each clip to mean 0 and deviation 1 first; None asks the source's
            ``preprocessor_config.json``.
        stack: give every state as a channel (for ``layer_pooling``) instead of their sum.
        train: "none" (frozen), "last" (the last ``last_layers`` of the kept layers) or "all".
        last_layers: how many layers "last" trains.

    Raises:
        SpecificationError: the source can't be read, is not a speech encoder of this kind, or a
            parameter is out of its range.

    Shape:
        ``[batch, channel, time]`` to ``[batch, 1, hidden size, frame]``, with ``stack`` to
        ``[batch, layers + 1, hidden size, frame]`` (50 frames a second for the usual encoders).
    """

    name: ClassVar[str] = "encoder"
    layout = "sequence"

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        input_channels: int = 1,
        source: str = DEFAULT_SOURCE,
        config: Mapping[str, Any] | None = None,
        keep_layers: int = 0,
        peak: float | None = None,
        do_normalize: bool | None = None,
        stack: bool = False,
        train: str = "none",
        last_layers: int = 2,
    ) -> None:
        super().__init__()
        if train not in TRAINED:
            raise SpecificationError(f"encoder: train “{train}” must be {', '.join(TRAINED)}.")
        if peak is not None and not 0 <= peak <= 1:
            raise SpecificationError(f"encoder: peak {peak} must lie in 0 to 1.")
        if keep_layers < 0:
            raise SpecificationError(f"encoder: keep_layers {keep_layers} must be 0 or more.")
        self.encoder = (
            open_pretrained(source) if config is None else build_from_config(config, keep_layers)
        )
        settings = self.encoder.config
        self.whisper = settings.model_type == "whisper"
        if not self.whisper and not hasattr(settings, "feat_extract_norm"):
            raise SpecificationError(
                f"encoder: {settings.model_type} is not an encoder of speech such as wav2vec2, "
                "hubert, wavlm or whisper."
            )
        layer_norm = not self.whisper and settings.feat_extract_norm == "layer"
        rate, wants = (sample_rate, bool(do_normalize))
        if config is None:
            rate, wants = preprocessing(source, layer_norm)
        elif self.whisper:
            rate = whisper.RATE
        if rate != sample_rate:
            raise SpecificationError(
                f"encoder: {source} expects {rate} Hz, the model is specified for {sample_rate}."
            )
        self.do_normalize = wants if do_normalize is None else do_normalize
        self.peak = (WHISPER_PEAK if self.whisper else 0.0) if peak is None else float(peak)
        self._config = _described(settings) if config is None else dict(config)
        self.keep_layers = keep_layers
        self._trim(_layer_count(self._config))
        kept = len(self._layers())
        if train == "last" and not 1 <= last_layers <= kept:
            raise SpecificationError(
                f"encoder: last_layers {last_layers} must lie between 1 and the {kept} layers "
                "that are kept."
            )
        self.channels, self.bins = (kept + 1 if stack else 1), settings.hidden_size
        self.stack = stack
        self.layer_weights = None if stack else nn.Parameter(torch.zeros(kept + 1))
        self.train_kind, self.last_layers = train, last_layers
        self.takes_change = self.whisper
        if self.whisper:
            self.log_mel = whisper.LogMel(settings.num_mel_bins)
            self.least = whisper.LEAST
            self.longest = 2 * whisper.HOP * settings.max_source_positions
        else:
            # Masking and dropping layers are for pretraining; augmentation is drawn elsewhere.
            settings.apply_spec_augment = False
            settings.layerdrop = 0.0
            self.group = settings.feat_extract_norm == "group"
            self._kernels = tuple(zip(settings.conv_kernel, settings.conv_stride, strict=True))
            self.least = self._samples(1)
        self._source = Path(source).name if Path(source).is_dir() else source
        self._choose_trained()

    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self.encoder.layers if self.whisper else self.encoder.encoder.layers
        return layers

    def _trim(self, total: int) -> None:
        """Drop the layers that aren't kept, and with them the norm that only the last is for."""
        if self.keep_layers > total:
            raise SpecificationError(
                f"encoder: keep_layers {self.keep_layers} is more than the {total} layers that "
                "there are."
            )
        if self.keep_layers in (0, total):
            return
        inner = self.encoder if self.whisper else self.encoder.encoder
        inner.layers = inner.layers[: self.keep_layers]
        self.encoder.config.num_hidden_layers = self.keep_layers
        if self.whisper or getattr(self.encoder.config, "do_stable_layer_norm", False):
            inner.layer_norm = nn.Identity()

    @property
    def kept_layers(self) -> int:
        """How many layers there are."""
        return len(self._layers())

    def set_trained(self, train: str, last_layers: int) -> None:
        """Let other layers learn from now on; see the arguments of the class."""
        self.train_kind, self.last_layers = train, last_layers
        self._choose_trained()

    def _choose_trained(self) -> None:
        """Let gradients reach what ``train`` names, and nothing else."""
        self.encoder.requires_grad_(self.train_kind == "all")
        if self.whisper:
            self.encoder.embed_positions.requires_grad_(False)  # sines, in every Whisper
        if self.train_kind == "last":
            for layer in self._layers()[-self.last_layers :]:
                layer.requires_grad_(True)

    def train(self, mode: bool = True) -> Encoder:
        """Set training mode; what is frozen keeps its dropout off."""
        super().train(mode)
        if mode and self.train_kind != "all":
            self.encoder.eval()
        if mode and self.train_kind == "last":
            for layer in self._layers()[-self.last_layers :]:
                layer.train()
        return self

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter, the encoder's configuration included."""
        return {
            "source": self._source,
            "config": self._config,
            "keep_layers": self.keep_layers,
            "peak": self.peak,
            "do_normalize": self.do_normalize,
            "stack": self.stack,
            "train": self.train_kind,
            "last_layers": self.last_layers,
        }

    def exportable(self) -> FrontEnd | None:
        """Return Whisper's encoder with a spectrogram that ONNX can hold; None for the others.

        The others group the clips of a batch by length, which no graph can.
        """
        if not self.whisper:
            return None
        made = copy.deepcopy(self)
        made.log_mel = made.log_mel.convolved()
        return made

    def _samples(self, frames: int) -> int:
        """Return the fewest samples from which the convolutions make ``frames`` frames."""
        samples = frames
        for size, stride in reversed(self._kernels):
            samples = (samples - 1) * stride + size
        return samples

    def frames(self, samples: int) -> int:
        """Return how many frames the encoder's convolutions leave, 1 or more."""
        if self.whisper:
            return whisper.frames_of(samples)
        samples = max(samples, self.least)
        for size, stride in self._kernels:
            samples = (samples - size) // stride + 1
        return samples

    def forward(
        self, waveform: Tensor, lengths: Tensor, change: ChangeFeatures | None = None
    ) -> FeatureMap:
        """Return the states or their sum; clips too short for one frame are filled with 0."""
        states, frames = self.hidden_states(waveform, lengths, change)
        if self.layer_weights is None:
            values = torch.stack(states, dim=1).transpose(2, 3)
        else:
            weights = self.layer_weights.softmax(0)
            summed = states[0] * weights[0]
            for state, weight in zip(states[1:], weights[1:], strict=True):
                summed = summed + state * weight
            values = summed.transpose(1, 2)[:, None]
        result = FeatureMap(values, frames)
        return FeatureMap(values.masked_fill(~result.mask[:, None, None, :], 0.0), frames)

    def hidden_states(
        self, waveform: Tensor, lengths: Tensor, change: ChangeFeatures | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Return every state: the input of the first layer and the output of each.

        The last is followed by the encoder's own final norm where no layer was dropped.

        Args:
            waveform: float32, ``[batch, channel, time]``.
            lengths: valid samples, int64 ``[batch]``.
            change: made to each clip's log-mel spectrogram ``[1, bin, frame]``; Whisper alone
                has one.

        Returns:
            Kept layers + 1 tensors ``[batch, frame, hidden size]``, anything behind each clip's
            end, and the valid frames, int64 ``[batch]``.
        """
        signal = waveform.mean(dim=1)
        signal = nn.functional.pad(signal, (0, max(0, self.least - signal.shape[1])))
        signal = hide(signal[:, None], lengths)[:, 0]
        if self.peak > 0:
            signal = signal * (self.peak / signal.abs().amax(1, keepdim=True).clamp_min(1e-4))
        if self.do_normalize:
            signal = _standardise(signal, lengths)
        heard = lengths.clamp_min(self.least)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_kind != "none"):
            if self.whisper:
                mel, shown = self.log_mel(signal, heard)
                if change is not None:
                    mel = changed(FeatureMap(mel[:, None], shown), change).values[:, 0]
                return whisper.hidden_states(self.encoder, mel, shown)
            sizes = heard.tolist()
            frames = torch.tensor([self.frames(size) for size in sizes], device=lengths.device)
            if self.group:
                return self._grouped(signal, sizes, int(frames.max())), frames
            signal = signal[:, : max(sizes)]
            inside = torch.arange(signal.shape[1], device=signal.device)[None] < heard[:, None]
            return self._encode(signal, inside.long()), frames

    def _grouped(self, signal: Tensor, sizes: list[int], width: int) -> list[Tensor]:
        """Encode clips of equal length together, without any padding."""
        count = len(self._layers()) + 1
        states = [signal.new_zeros(len(sizes), width, self.bins) for _ in range(count)]
        for size in sorted(set(sizes)):
            rows = torch.tensor(
                [row for row, its in enumerate(sizes) if its == size], device=signal.device
            )
            for index, found in enumerate(self._encode(signal[rows, :size], None)):
                found = nn.functional.pad(found, (0, 0, 0, width - found.shape[1]))
                states[index] = states[index].index_copy(0, rows, found.to(signal.dtype))
        return states

    def _encode(self, signal: Tensor, mask: Tensor | None) -> list[Tensor]:
        """Return every state of ``[batch, time]`` as the library's own model gives it."""
        found = self.encoder(signal, attention_mask=mask, output_hidden_states=True)
        return list(found.hidden_states)


def _standardise(signal: Tensor, lengths: Tensor) -> Tensor:
    """Scale each clip to mean 0 and deviation 1 over its valid samples; the rest stays 0."""
    inside = torch.arange(signal.shape[1], device=signal.device)[None, :] < lengths[:, None]
    count = lengths.clamp_min(1)[:, None].to(signal.dtype)
    centred = (signal - signal.sum(1, keepdim=True) / count) * inside
    variance = centred.square().sum(1, keepdim=True) / count
    return centred / (variance + 1e-7).sqrt()


def _described(settings: Any) -> dict[str, Any]:
    """Return a configuration as JSON values, without what holds for one machine only."""
    held: dict[str, Any] = json.loads(settings.to_json_string(use_diff=False))
    for local in ("_name_or_path", "name_or_path", "dtype"):
        held.pop(local, None)
    return held


def _layer_count(config: Mapping[str, Any]) -> int:
    """Return how many layers the whole encoder has, by its configuration."""
    from transformers import AutoConfig

    held = {name: value for name, value in config.items() if name != "model_type"}
    return int(AutoConfig.for_model(config["model_type"], **held).num_hidden_layers)
