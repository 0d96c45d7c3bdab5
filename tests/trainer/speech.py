"""A small made-up corpus whose emotions differ in pitch, for training in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

EMOTIONS = {"ANG": 420.0, "SAD": 140.0, "HAP": 800.0}


def tone(pitch: float, seconds: float, rng: np.random.Generator, rate: int = 16_000) -> np.ndarray:
    """Return a harmonic tone with a syllable-like envelope and some noise, float32 ``[time]``."""
    time = np.arange(int(seconds * rate)) / rate
    drawn = pitch * rng.uniform(0.95, 1.05)
    voice = sum(np.sin(2 * np.pi * drawn * k * time) / k for k in (1, 2, 3))
    envelope = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6))
    return (0.2 * voice * envelope + 0.005 * rng.standard_normal(len(time))).astype(np.float32)


def write_cremad(root: Path, speakers: list[str], takes: int = 3, seconds: float = 0.6) -> Path:
    """Write a corpus in CREMA-D's names; return the folder that holds the corpora."""
    folder = root / "cremad" / "AudioWAV"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    sentences = ["DFA", "IEO", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI"]
    for speaker in speakers:
        for code, pitch in EMOTIONS.items():
            for sentence in sentences[:takes]:
                samples = tone(pitch, seconds, rng)
                soundfile.write(folder / f"{speaker}_{sentence}_{code}_XX.wav", samples, 16_000)
    return root


def write_emodb(root: Path, speakers: list[str], seconds: float = 0.6) -> Path:
    """Write a corpus in EMO-DB's names beside others; return the folder that holds the corpora."""
    folder = root / "emodb" / "wav"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(6)
    for speaker in speakers:
        for letter, code in (("W", "ANG"), ("T", "SAD"), ("F", "HAP")):
            for text in ("a01", "a02"):
                samples = tone(EMOTIONS[code], seconds, rng)
                soundfile.write(folder / f"{speaker}{text}{letter}a.wav", samples, 16_000)
    return root
