"""Make the example clips of the page with espeak-ng: one sentence in several ways of speaking.

The clips are committed; run this after a change of the table below. espeak-ng is a formant
synthesiser: what it speaks here is a caricature of each emotion's pitch, speed and loudness, made
by the project and free of anybody's voice.

    python scripts/make_examples.py [FOLDER]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16000


@dataclass(frozen=True)
class Example:
    """One clip.

    Attributes:
        name: file name without its ending.
        voice: of espeak-ng, with a variant.
        pitch: 0 to 99.
        speed: words a minute.
        peak: level of the loudest sample, 0 to 1.
        text: what is said.
    """

    name: str
    voice: str
    pitch: int
    speed: int
    peak: float
    text: str


EXAMPLES = (
    Example("1_even", "en-us", 45, 165, 0.4, "The airplane is almost full."),
    Example("2_lively", "en-us+f3", 75, 190, 0.6, "It's eleven o'clock, and the sun is out!"),
    Example("3_slow", "en-gb+m3", 15, 110, 0.15, "I would like a new alarm clock."),
    Example("4_hard", "en-us+m7", 60, 215, 0.9, "Don't forget a jacket! Go, now!"),
    Example("5_german", "de+f2", 50, 160, 0.5, "Der Lappen liegt auf dem Eisschrank."),
    Example("6_polish", "pl+m2", 40, 170, 0.5, "Dzisiaj jest bardzo ładna pogoda."),
)


def speak(example: Example, folder: Path) -> Path:
    """Write one clip as 16 kHz FLAC and return its path.

    Args:
        example: what to say and how.
        folder: where the file goes.
    """
    draft = folder / f"{example.name}.wav"
    voice = ["-v", example.voice, "-p", str(example.pitch)]
    command = ["espeak-ng", *voice, "-s", str(example.speed), "-w", str(draft), example.text]
    subprocess.run(command, check=True)
    samples, rate = soundfile.read(draft, dtype="float32")
    draft.unlink()
    samples = soxr.resample(samples, rate, RATE)
    pause = np.zeros(RATE // 5, np.float32)
    samples = np.concatenate([pause, samples * (example.peak / np.abs(samples).max()), pause])
    path = folder / f"{example.name}.flac"
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def main() -> None:
    """Write every clip."""
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed; on Debian: apt-get install espeak-ng")
    default = Path(__file__).resolve().parent.parent / "examples"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        path = speak(example, folder)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
