"""The mel spectrogram of a whole clip keeps the clip's time, however long it is."""

from __future__ import annotations

import numpy as np
import pytest

from ui.figures import COLUMNS
from ui.mel_spectrogram import mel_of
from ui.services import Services

RATE = 16_000


@pytest.mark.parametrize(("seconds", "at"), [(3.0, 1.2), (64.0, 33.0), (64.0, 62.5), (95.5, 90.0)])
def test_a_tone_stands_where_it_sounds(services: Services, seconds: float, at: float) -> None:
    samples = np.zeros((1, round(seconds * RATE)), np.float32)
    place = slice(round(at * RATE), round((at + 0.2) * RATE))
    samples[0, place] = 0.5 * np.sin(np.arange(place.stop - place.start) * 2 * np.pi * 1000 / RATE)
    mel = mel_of(services.serving.recognizer, samples, RATE)
    loud = np.flatnonzero(mel.image.max(axis=0) > 200)
    width = mel.seconds / mel.image.shape[1]
    assert loud.min() * width == pytest.approx(at, abs=0.1)
    assert (loud.max() + 1) * width == pytest.approx(at + 0.2, abs=0.1 + width)
    assert mel.image.shape[1] <= COLUMNS
    assert seconds <= mel.seconds < seconds + 2 * width + 0.05
