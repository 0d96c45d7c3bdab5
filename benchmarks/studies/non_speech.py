"""How often the model is unsure of sounds that nobody speaks, and of real speech beside them.

    python -m benchmarks.studies.non_speech [--model FOLDER] [--each 25] [--speech FOLDER]

The sounds are made by code, the same ones whenever the seed is the same: silence, noises, tones,
chords, sweeps, clicks, hum, a melody with vibrato, noise that swells at the pace of syllables.
Each goes through `Recognizer.predict`, as a clip at the page does. --speech takes a folder of
speech: all audio files below it, or a sample of --most, show what the same limits cost. Asked for:
95 % unsure on the sounds, 10 % or less on clean speech.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from ser_core.audio import AUDIO_ENDINGS, Audio
from ser_core.errors import SerError
from ser_core.inference.recognizer import Recognizer
from trainer.evaluation.non_speech import RATE, sounds

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--each", type=int, default=10, help="sounds of a kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speech", type=Path, help="folder of clean speech")
    parser.add_argument("--most", type=int, default=200, help="clips of speech")
    args = parser.parse_args()
    model = Recognizer(args.model, "cpu")
    message: dict[str, Counter[str]] = defaultdict(Counter)
    for sound in sounds(args.each, args.seed):
        found = model.predict(Audio(sound.samples, RATE, RATE, sound.kind, ""))
        message[sound.kind][_reason(found.abstained)] += 1
    total: Counter[str] = sum(message.values(), Counter())
    for kind, reasons in [*message.items(), ("all sounds", total)]:
        _line(kind, reasons)
    if args.speech:
        _line("speech", _speech(model, args.speech, args.most, args.seed))
    return 0


def _speech(model: Recognizer, folder: Path, most: int, seed: int) -> Counter[str]:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_ENDINGS)
    chosen = np.random.default_rng(seed).permutation(len(files))[:most]
    reasons: Counter[str] = Counter()
    for index in np.sort(chosen).tolist():
        try:
            reasons[_reason(model.predict(files[index]).abstained)] += 1
        except SerError as error:
            print(error, file=sys.stderr)
    return reasons


def _reason(unsure: str | None) -> str:
    return (unsure or "").split(".")[0].split("(")[0].strip()


def _line(name: str, reasons: Counter[str]) -> None:
    total = reasons.total()
    parts = ", ".join(f"{word}: {count}" for word, count in reasons.most_common() if word)
    share = 1 - reasons[""] / total if total else float("nan")
    print(f"{name:<16} unsure {share:6.1%} of {total:>4}   {parts}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
