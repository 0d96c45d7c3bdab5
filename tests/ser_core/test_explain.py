"""Grad-CAM looks at the maps that the answer is made from, whatever runs the layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core import checkpoint, explain
from ser_core.audio import from_array
from ser_core.calibration import Calibration
from ser_core.frontends import FeatureMap
from ser_core.model import build
from ser_core.recognizer import Recognizer
from ser_core.specification import Specification


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
    clip = from_array(sound[None].astype(np.float32), 16_000)

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
