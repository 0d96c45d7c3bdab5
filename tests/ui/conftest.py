"""A small model that needs no training, and services over an empty home."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ui.identity import Identity
from ui.services import AppSettings, Services


@pytest.fixture
def services(tmp_path: Path, small_model: Path) -> Services:
    """Services in local mode."""
    return Services(AppSettings(home=tmp_path / "home", model=small_model), Identity())


def voice(seconds: float = 1.5, rate: int = 16_000) -> np.ndarray:
    """Return a voice-like buzz with syllables, float32 ``[1, time]``."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 140 + 25 * np.sin(2 * np.pi * 1.3 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    wave = sum(np.sin(n * phase) / n for n in range(1, 18))
    loud = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None) ** 0.5
    return (0.2 * wave * loud)[None].astype(np.float32)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip with an awkward name."""
    from ser_core.audio import to_wav_bytes

    path = tmp_path / '=Grüße "an" alle.wav'
    path.write_bytes(to_wav_bytes(voice(), 16_000))
    return path
