"""The spectrogram that is drawn is the one that the model's front-end computes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from ser_core.frontends import PRESETS
from ser_core.frontends.mel import Mel
from ser_core.frontends.mel_numpy import NumpyMel

CASES: dict[str, dict[str, Any]] = {
    **PRESETS["mel"],
    "magnitude": {"power": 1.0, "hop_length": 400},
    "slaney": {"mel_scale": "slaney", "norm": "slaney", "f_min": 60.0, "n_fft": 1025},
    "ln": {"log": "ln", "win_length": 801},
    "whole": {"top_db": None, "f_max": 4000.0},
    "none": {"log": "none"},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_it_is_the_front_end_s_to_a_hundredth_of_a_decibel(
    name: str, rate: int, rng: np.random.Generator
) -> None:
    time = np.arange(2 * rate + 77) / rate
    sound = 0.3 * np.sin(2 * np.pi * 300 * time * (1 + 0.2 * time)) * (time > 0.4)
    sound = (sound + 1e-3 * rng.standard_normal(len(time))).astype(np.float32)
    given = dict(CASES[name])
    if given.get("f_max", 0) and given["f_max"] > rate / 2:
        given["f_max"] = None
    front = Mel(sample_rate=rate, input_channels=1, **given)
    wave = torch.from_numpy(sound)[None, None]
    expected = front(wave, torch.tensor([len(sound)])).values[0, 0].numpy()
    found = NumpyMel(sample_rate=rate, **given)(sound)
    assert found.dtype == np.float32
    if name == "none":
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * expected.max())
    else:
        np.testing.assert_allclose(found, expected, atol=1e-2 if name != "ln" else 2e-3)


def test_it_takes_what_the_front_end_takes() -> None:
    ours, theirs = (inspect.signature(kind).parameters for kind in (NumpyMel, Mel))
    assert {name: one.default for name, one in ours.items()} == {
        name: one.default for name, one in theirs.items() if name != "input_channels"
    }


def test_silence_has_a_floor() -> None:
    assert np.isfinite(NumpyMel()(np.zeros(100, np.float32))).all()
