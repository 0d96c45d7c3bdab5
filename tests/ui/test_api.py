"""The page's /augment: noise from the home's folder, and masks that say what they change."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from ser_core.home import Home
from ui.api import augmented
from ui.services import Services


def test_a_mask_says_that_it_acts_on_the_picture_and_leaves_the_sound(
    services: Services, clip: Path
) -> None:
    plain = load(augmented(services, str(clip), [], 1)[0]).samples
    recipe = [{"name": "time_mask", "width": 0.5}, {"name": "gain", "gain": -6.0}]
    path, drawn = augmented(services, str(clip), recipe, 1)
    assert [step.get("acts_on") for step in drawn] == ["picture", None]
    assert np.allclose(load(path).samples, plain * 10 ** (-6 / 20), atol=2e-4)
    # What was drawn is a recipe that draws itself.
    again, same = augmented(services, str(clip), drawn, 2)
    assert same == drawn
    assert Path(again).read_bytes() == Path(path).read_bytes()


def test_background_noise_comes_from_the_homes_folder(services: Services, clip: Path) -> None:
    recipe = [{"name": "background_noise", "snr": 6}]
    with pytest.raises(gr.Error, match="folder of recordings"):
        augmented(services, str(clip), recipe, 1)
    folder = Home(services.home).noises
    folder.mkdir(parents=True)
    hum = np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    (folder / "fan.wav").write_bytes(to_wav_bytes(hum, 16_000))
    plain = load(augmented(services, str(clip), [], 1)[0]).samples
    path, drawn = augmented(services, str(clip), recipe, 1)
    assert drawn[0]["file"] == "fan.wav"
    added = load(path).samples - plain
    distance = 20 * np.log10(np.sqrt(np.mean(plain**2)) / np.sqrt(np.mean(added**2)))
    assert distance == pytest.approx(6, abs=1.5)
