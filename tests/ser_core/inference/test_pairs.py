"""Every pair of front-end and backbone: it works from end to end, or says why it does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ser_core.backbones import BACKBONES
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import Model, build
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SpecificationError
from ser_core.frontends import FRONTENDS

RATE, SECONDS = 16_000, 0.5

TINY: dict[str, dict[str, Any]] = {
    "resnet50": {},
    "densenet161": {},
    "resnext50_32x4d": {},
    "cnn": {"base_width": 4, "depth": 3, "hidden": 8},
    "resnet1d": {"base_width": 4, "blocks": [1, 1]},
    "alexnet1d": {"base_width": 4, "hidden": 16},
    "bigru": {"hidden": 6},
    "bilstm": {"hidden": 6},
    "attention": {"size": 16, "layers": 1, "heads": 2},
    "pooling": {"hidden": 16},
    "layer_pooling": {"sizes": [16]},
}
ENCODER: dict[str, Any] = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 4],
    "conv_stride": [5, 32],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "num_mel_bins": 20,
    "max_source_positions": 50,
}
GROUP: dict[str, Any] = {"feat_extract_norm": "group"}
LAYER: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
# A front-end's name, its parameters and the normalisation that goes with it.
FRONTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "mel": ("mel", {"n_mels": 40, "n_fft": 512, "hop_length": 160}, "zscore"),
    "descriptors": ("descriptors", {"n_fft": 512, "hop_length": 160}, "zscore_bin"),
    "statistics": ("descriptors", {"mode": "statistics", "n_fft": 512}, "corpus"),
    "encoder-group": ("wav2vec2", {"config": ENCODER | GROUP}, "none"),
    "encoder-layer": ("encoder", {"config": ENCODER | LAYER, "train": "all"}, "zscore"),
    "encoder-whisper": (
        "encoder",
        {"config": WHISPER, "keep_layers": 1, "stack": True, "train": "last", "last_layers": 1},
        "none",
    ),
}
IMAGE = ("resnet50", "densenet161", "resnext50_32x4d")
SENSIBLE = [
    (front, backbone)
    for front in FRONTS
    for backbone in BACKBONES
    if front == "mel"
    or backbone in ("pooling", "layer_pooling")
    or (front != "statistics" and backbone not in (*IMAGE, "cnn"))
]
SENSELESS = [
    (front, backbone)
    for front in FRONTS
    for backbone in BACKBONES
    if (front, backbone) not in SENSIBLE
]


def specification(front: str, backbone: str, channels: int = 1) -> Specification:
    name, parameters, kind = FRONTS[front]
    normalisation: dict[str, Any] = {"kind": kind}
    if kind == "corpus":
        normalisation |= {"mean": [1.0] * 340, "std": [50.0] * 340}
    return Specification(
        frontend=name,
        frontend_parameters=parameters,
        backbone=backbone,
        backbone_parameters=TINY[backbone],
        emotions=("anger", "joy", "sadness"),
        seconds=SECONDS,
        input_channels=channels,
        normalisation=normalisation,
    )


def batch(channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    lengths = torch.tensor([round(RATE * SECONDS), 5000, 6333])
    waveform = torch.randn(3, channels, int(lengths[0]), generator=generator) * 0.1
    for row, length in zip(waveform, lengths.tolist(), strict=True):
        row[:, length:] = 0
    return waveform, lengths


def step(model: Model, waveform: torch.Tensor, lengths: torch.Tensor) -> None:
    """Train one step; every trained weight must get a finite gradient, and move."""
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    model.train()
    loss = nn.functional.cross_entropy(model(waveform, lengths), torch.tensor([0, 1, 2]))
    loss.backward()
    for name, value in model.named_parameters():
        assert value.grad is None or bool(torch.isfinite(value.grad).all()), name
    # A random DenseNet-161 has gradients so large that a step takes its weights out of sight.
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    moved = [n for n, p in model.named_parameters() if n in before and not before[n].equal(p)]
    assert any(name.startswith("backbone.classifier") for name in moved)
    assert len(moved) > 2 or len(before) <= 2


def check_pair(folder: Path, front: str, backbone: str, channels: int) -> None:
    torch.manual_seed(3)
    wanted = specification(front, backbone, channels)
    model = build(wanted)
    waveform, lengths = batch(channels)
    for module in model.modules():
        # Normalised by this batch alone: by the statistics of one step in ten, the logits of a
        # random DenseNet-161 grow to 1e21 and now and then overflow.
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    step(model, waveform, lengths)
    model.eval()
    complete = dataclasses.replace(
        wanted,
        frontend_parameters=model.frontend.parameters_json(),
        backbone_parameters=model.backbone.parameters_json(),
        normalisation=model.normaliser.to_json(),
    )
    with torch.inference_mode():
        logits = model(waveform, lengths)
        assert bool(torch.isfinite(logits).all())
        checkpoint.save(folder / "checkpoint", model, complete, Calibration(), {}, "# card\n")
        held = checkpoint.load(folder / "checkpoint")
        assert torch.equal(held.model(waveform, lengths), logits)
        assert held.specification == complete
        for index, length in enumerate(lengths.tolist()):
            alone = model(waveform[index : index + 1, :, :length], lengths[index : index + 1])
            scale = float(logits.abs().max())
            torch.testing.assert_close(
                alone, logits[index : index + 1], atol=1e-3 * scale, rtol=1e-3
            )


def test_the_lists_are_complete() -> None:
    assert {name for name, _, _ in FRONTS.values()} == set(FRONTENDS)
    assert set(TINY) == set(BACKBONES)


@pytest.mark.parametrize(("front", "backbone"), [p for p in SENSIBLE if p[1] not in IMAGE])
def test_a_pair_trains_saves_loads_and_predicts_the_same_bits(
    tmp_path: Path, front: str, backbone: str
) -> None:
    check_pair(tmp_path, front, backbone, channels=1)


@pytest.mark.slow
@pytest.mark.parametrize(("front", "backbone"), [p for p in SENSIBLE if p[1] in IMAGE])
def test_an_image_pair_trains_saves_loads_and_predicts_the_same_bits(
    tmp_path: Path, front: str, backbone: str
) -> None:
    check_pair(tmp_path, front, backbone, channels=2)


@pytest.mark.parametrize("front", FRONTS)
def test_stereo_goes_the_same_way(tmp_path: Path, front: str) -> None:
    if front == "statistics":
        check_pair(tmp_path, front, "pooling", channels=2)
    else:
        check_pair(tmp_path, front, "bigru", channels=2)


@pytest.mark.parametrize(("front", "backbone"), SENSELESS)
def test_a_pair_without_sense_says_why(front: str, backbone: str) -> None:
    reason = "one frame of statistics" if front == "statistics" else "neighbouring bins"
    with pytest.raises(SpecificationError, match=reason) as caught:
        build(specification(front, backbone))
    assert backbone in str(caught.value)
    assert "pooling" in str(caught.value)


def test_statistics_normalised_by_bin_of_a_clip_would_be_nothing() -> None:
    wanted = dataclasses.replace(
        specification("statistics", "pooling"), normalisation={"kind": "zscore_bin"}
    )
    with pytest.raises(SpecificationError, match="corpus"):
        build(wanted)


def test_too_few_mel_bands_for_an_image_network_say_so() -> None:
    wanted = dataclasses.replace(
        specification("mel", "resnet50"), frontend_parameters={"n_mels": 20, "n_fft": 512}
    )
    with pytest.raises(SpecificationError, match="20"):
        build(wanted)
