"""Made-up clips for benchmarks: tones with a voice's rhythm, under CREMA-D's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ser_core.corpora.committed_sides import TABLES

CODES = {"ANG": 400.0, "DIS": 180.0, "FEA": 600.0, "HAP": 500.0, "NEU": 220.0, "SAD": 140.0}
SENTENCES = ("DFA", "IEO", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
RATE = 48_000
"""Hz, as RAVDESS is recorded; whoever decodes has to resample."""


def write_corpora(root: Path, train_clips: int, seconds: float = 3.0) -> Path:
    """Write clips of speakers of every side, an eighth for validation and test each.

    Returns:
        The folder that holds the corpus.
    """
    folder = root / "cremad"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    for side, expected in (
        ("train", train_clips),
        ("validation", max(12, train_clips // 8)),
        ("test", max(12, train_clips // 8)),
    ):
        speakers = [name for name, held in sorted(TABLES["cremad"].items()) if held == side]
        names = [
            (speaker, sentence, code)
            for sentence in SENTENCES
            for speaker in speakers
            for code in CODES
        ]
        for speaker, sentence, code in names[:expected]:
            pitch = CODES[code] * rng.uniform(0.9, 1.1)
            voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
            rhythm = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(2, 6) * time)
            samples = 0.1 * voice * rhythm + 0.003 * rng.standard_normal(len(time))
            soundfile.write(folder / f"{speaker}_{sentence}_{code}_XX.wav", samples, RATE)
    return root
