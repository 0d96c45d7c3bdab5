"""A speech encoder of the transformers library as a front-end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap, FrontEnd

TRAINED: tuple[str, ...] = ("none", "last", "all")


class Wav2Vec2(FrontEnd):
    """The layers of a pretrained speech encoder, summed with learned weights.

    wav2vec 2.0 (Baevski et al. 2020, https://arxiv.org/abs/2006.11477), HuBERT (Hsu et al. 2021,
    https://arxiv.org/abs/2106.07447), WavLM (Chen et al. 2022, https://arxiv.org/abs/2110.13900)
    and whatever else ``transformers.AutoModel`` opens in their way; the weighted sum of layers is
    that of SUPERB (Yang et al. 2021, https://arxiv.org/abs/2105.01051).

    The first build reads ``source``, from the network or from a folder. ``parameters_json`` then
    holds the encoder's whole configuration, so that a checkpoint is built again from its own
    files alone: with ``config`` given, ``source`` is a mere note of where the weights came from.

    Padding never matters. Encoders with layer norm in their feature extractor get an attention
    mask. Those with group norm (wav2vec2-base, hubert-base) take statistics over all of the time
    axis, padding included, and were trained without a mask: their batches are split into groups
    of equal length that need no padding. That is slower for batches of many different lengths.

    Args:
        sample_rate: Hz; encoders of this family expect 16000.
        input_channels: channels of the waveform, which are averaged: an encoder takes mono.
        source: name on the Hub or local folder.
        config: the encoder's configuration; given in checkpoints, weights follow from them.
        do_normalize: scale each clip to mean 0 and deviation 1 first; None asks the source's
            ``preprocessor_config.json``.
        train: "none" (frozen), "last" (the last ``last_layers`` layers) or "all".
        last_layers: how many layers "last" trains.

    Raises:
        SpecificationError: the source can't be read, is no speech encoder of this kind, or a
            parameter is out of its range.

    Shape:
        ``[batch, channel, time]`` to ``[batch, 1, hidden size, frame]`` (50 frames a second for
        the usual encoders).
    """

    name: ClassVar[str] = "wav2vec2"
    layout = "sequence"

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        input_channels: int = 1,
        source: str = "facebook/wav2vec2-base",
        config: Mapping[str, Any] | None = None,
        do_normalize: bool | None = None,
        train: str = "none",
        last_layers: int = 2,
    ) -> None:
        super().__init__()
        if train not in TRAINED:
            raise SpecificationError(f"wav2vec2: train “{train}” must be {', '.join(TRAINED)}.")
        self.encoder = _pretrained(source) if config is None else _from_config(config)
        settings = self.encoder.config
        if not hasattr(settings, "conv_stride") or not hasattr(settings, "feat_extract_norm"):
            raise SpecificationError(
                f"wav2vec2: {settings.model_type} is no encoder of raw speech such as wav2vec2, "
                "hubert or wavlm."
            )
        rate, wants = (sample_rate, bool(do_normalize))
        if config is None:
            rate, wants = _preprocessing(source, settings.feat_extract_norm == "layer")
        if rate != sample_rate:
            raise SpecificationError(
                f"wav2vec2: {source} expects {rate} Hz, the model is specified for {sample_rate}."
            )
        self.do_normalize = wants if do_normalize is None else do_normalize
        # Masking and dropping layers are for pretraining; augmentation is drawn elsewhere.
        settings.apply_spec_augment = False
        settings.layerdrop = 0.0
        layers = settings.num_hidden_layers
        if train == "last" and not 1 <= last_layers <= layers:
            raise SpecificationError(
                f"wav2vec2: last_layers {last_layers} must lie between 1 and the {layers} layers "
                "of the encoder."
            )
        self.channels, self.bins = 1, settings.hidden_size
        self.layer_weights = nn.Parameter(torch.zeros(layers + 1))
        self.train_kind, self.last_layers = train, last_layers
        self.group = settings.feat_extract_norm == "group"
        self._kernels = tuple(zip(settings.conv_kernel, settings.conv_stride, strict=True))
        self.least = self._samples(1)
        self._source = Path(source).name if Path(source).is_dir() else source
        self._choose_trained()

    def _choose_trained(self) -> None:
        """Let gradients reach what ``train`` names, and nothing else."""
        self.encoder.requires_grad_(self.train_kind == "all")
        if self.train_kind == "last":
            for layer in self.encoder.encoder.layers[-self.last_layers :]:
                layer.requires_grad_(True)

    def train(self, mode: bool = True) -> Wav2Vec2:
        """Set training mode; what is frozen keeps its dropout off."""
        super().train(mode)
        if mode and self.train_kind != "all":
            self.encoder.eval()
        if mode and self.train_kind == "last":
            for layer in self.encoder.encoder.layers[-self.last_layers :]:
                layer.train()
        return self

    def parameters_json(self) -> dict[str, Any]:
        """Return every parameter, the encoder's configuration included."""
        held = json.loads(self.encoder.config.to_json_string(use_diff=False))
        for local in ("_name_or_path", "name_or_path"):
            held.pop(local, None)
        return {
            "source": self._source,
            "config": held,
            "do_normalize": self.do_normalize,
            "train": self.train_kind,
            "last_layers": self.last_layers,
        }

    def _samples(self, frames: int) -> int:
        """Return the fewest samples that give ``frames`` frames."""
        samples = frames
        for size, stride in reversed(self._kernels):
            samples = (samples - 1) * stride + size
        return samples

    def frames(self, samples: int) -> int:
        """Return how many frames the encoder's convolutions leave, 1 or more."""
        samples = max(samples, self.least)
        for size, stride in self._kernels:
            samples = (samples - size) // stride + 1
        return samples

    def forward(self, waveform: Tensor, lengths: Tensor) -> FeatureMap:
        """Return the weighted sum of layers; clips too short for one frame are filled with 0."""
        signal = waveform.mean(dim=1)
        signal = nn.functional.pad(signal, (0, max(0, self.least - signal.shape[1])))
        inside = torch.arange(signal.shape[1], device=signal.device)[None, :] < lengths[:, None]
        signal = signal * inside
        if self.do_normalize:
            signal = _standardise(signal, inside, lengths)
        heard = lengths.clamp_min(self.least)
        sizes = heard.tolist()
        frames = torch.tensor([self.frames(size) for size in sizes], device=lengths.device)
        if self.group:
            width = int(frames.max())
            values = signal.new_zeros(len(sizes), width, self.bins)
            for size in sorted(set(sizes)):
                rows = (heard == size).nonzero()[:, 0]
                found = self._encode(signal[rows, :size], None)
                found = nn.functional.pad(found, (0, 0, 0, width - found.shape[1]))
                values = values.index_copy(0, rows, found.to(values.dtype))
        else:
            longest = max(sizes)
            signal = signal[:, :longest]
            places = torch.arange(longest, device=signal.device)[None, :]
            values = self._encode(signal, (places < heard[:, None]).long())
        result = FeatureMap(values.transpose(1, 2)[:, None], frames)
        hidden = ~result.mask[:, None, None, :]
        return FeatureMap(result.values.masked_fill(hidden, 0.0), frames)

    def _encode(self, signal: Tensor, mask: Tensor | None) -> Tensor:
        """Return ``[batch, frame, hidden size]`` of ``[batch, time]``."""
        frozen = self.train_kind == "none"
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            states = self.encoder(
                signal, attention_mask=mask, output_hidden_states=True
            ).hidden_states
        weights = self.layer_weights.softmax(0)
        summed = states[0] * weights[0]
        for state, weight in zip(states[1:], weights[1:], strict=True):
            summed = summed + state * weight
        result: Tensor = summed
        return result


def _standardise(signal: Tensor, inside: Tensor, lengths: Tensor) -> Tensor:
    """Scale each clip to mean 0 and deviation 1 over its valid samples; the rest stays 0."""
    count = lengths.clamp_min(1)[:, None].to(signal.dtype)
    centred = (signal - signal.sum(1, keepdim=True) / count) * inside
    variance = centred.square().sum(1, keepdim=True) / count
    return centred / (variance + 1e-7).sqrt()


def _pretrained(source: str) -> Any:
    """Open the encoder at ``source`` with its weights."""
    from transformers import AutoModel

    try:
        return AutoModel.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise SpecificationError(
            f"wav2vec2: no encoder could be opened from “{source}”. Give the name of a speech "
            "encoder on the Hub (with the network there) or a local folder with config.json and "
            f"its weights. {' '.join(str(error).split())[:200]}"
        ) from error


def _from_config(config: Mapping[str, Any]) -> Any:
    """Build the encoder that a configuration describes, with fresh weights."""
    from transformers import AutoConfig, AutoModel

    held = dict(config)
    kind = held.pop("model_type", None)
    try:
        return AutoModel.from_config(AutoConfig.for_model(str(kind), **held))
    except (KeyError, ValueError, TypeError) as error:
        raise SpecificationError(
            f"wav2vec2: the configuration of model_type {kind!r} can't be built: {error}"
        ) from error


def _preprocessing(source: str, layer_norm: bool) -> tuple[int, bool]:
    """Return the sample rate and whether clips are standardised, as ``source`` says.

    A source without preprocessor_config.json (an encoder saved by itself) has the family's
    ways: 16 kHz, standardised where the feature extractor has layer norm.
    """
    from transformers import AutoFeatureExtractor

    try:
        extractor = AutoFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError) as error:
        if Path(source).is_dir() and not (Path(source) / "preprocessor_config.json").exists():
            return 16_000, layer_norm
        raise SpecificationError(
            f"wav2vec2: the preprocessing of “{source}” can't be read: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    return int(extractor.sampling_rate), bool(extractor.do_normalize)
