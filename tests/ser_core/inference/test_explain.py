"""Grad-CAM looks at the maps that the answer is made from, whatever runs the layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.audio import Audio
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import FeatureMap
from ser_core.inference import explain
from ser_core.inference.recognizer import Recognizer


@pytest.mark.parametrize("backbone", ["resnet50", "cnn"])
def test_the_heat_is_that_of_the_maps_behind_the_last_rectifier(
    backbone: str, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    wanted = Specification(
        frontend_parameters={"n_mels": 64, "hop_length": 160},
        backbone=backbone,
        emotions=("anger", "joy", "neutral"),
        seconds=1.0,
        name="tiny",
        version="v1",
    )
    model = build(wanted).eval()
    checkpoint.save(tmp_path / "v1", model, wanted, Calibration(), {}, "# tiny")
    recognizer = Recognizer(tmp_path / "v1", "cpu")
    rng = np.random.default_rng(0)
    time = np.arange(16_000) / 16_000
    sound = np.sin(2 * np.pi * 220 * time) * np.sin(2 * np.pi * 3 * time) + rng.normal(
        0, 0.01, 16_000
    )
    clip = Audio(sound[None].astype(np.float32), 16_000, 16_000)

    seen = explain.view(recognizer, clip)
    heats = [explain.gradcam(recognizer, seen, emotion).heat for emotion in recognizer.emotions]
    assert max(float(heat.max()) for heat in heats) == pytest.approx(1.0)

    layer, outputs = explain._LAYERS[recognizer.model.backbone], []
    hook = layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    logits = recognizer.model.backbone(FeatureMap(seen.values, seen.lengths))
    hook.remove()
    maps = outputs[0]
    assert float(maps.min()) >= 0
    for index, heat in enumerate(heats):
        (slope,) = torch.autograd.grad(logits[0, index], maps, retain_graph=True)
        wanted_heat = (slope.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()
        assert (float(wanted_heat.max()) > 0) == (float(heat.max()) > 0)


def test_a_model_without_maps_points_at_moments(small_encoder: Path, repository: Path) -> None:
    recognizer = Recognizer(small_encoder, "cpu")
    clip = recognizer.load(next(repository.glob("examples/2_*.flac")))
    seen = explain.view(recognizer, clip)
    found = [explain.gradcam(recognizer, seen, emotion) for emotion in recognizer.emotions]
    assert max(float(one.heat.max()) for one in found) == pytest.approx(1.0)
    assert all(float(one.heat.min()) >= 0 for one in found)
    assert all(np.array_equal(one.heat[0], one.heat[-1]) for one in found)
    assert len({one.heat.tobytes() for one in found}) > 1
    # What lies behind the end of a window supports nothing.
    values = torch.randn(1, 2, 16, 40)
    values[..., 20:] = 0
    lengths = torch.tensor([20])
    backbone = recognizer.model.backbone

    def answer(given: torch.Tensor) -> torch.Tensor:
        return backbone(FeatureMap(given, lengths))

    heat = explain._moments(answer, values.requires_grad_(), lengths, 0)
    assert heat.shape == (1, 1, 1, 40)
    assert float(heat[..., : 20 + explain.SMOOTH // 2].max()) > 0
    assert not heat[..., 20 + explain.SMOOTH // 2 :].any()
