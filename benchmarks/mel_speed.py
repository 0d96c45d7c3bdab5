"""Log-mel of a batch against the bare torchaudio transform and against librosa clip by clip.

    python -m benchmarks.mel_speed

Prints the median over rounds in which the three take turns, so that a busy machine slows all
three alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np
import torch
import torchaudio

from ser_core.frontends import PRESETS, build_frontend

RATE = 16_000


def contestants(preset: str, clips: int, seconds: float) -> dict[str, Callable[[], object]]:
    """Return what is compared: each takes the same clips to the same decibels."""
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal((clips, round(seconds * RATE)))).astype(np.float32)
    waveform = torch.from_numpy(samples)[:, None]
    lengths = torch.full((clips,), samples.shape[1])
    ours = build_frontend("mel", PRESETS["mel"][preset], sample_rate=RATE, input_channels=1)
    full = ours.parameters_json()
    keys = ("n_mels", "n_fft", "win_length", "hop_length", "f_min", "f_max")
    bare = torch.nn.Sequential(
        torchaudio.transforms.MelSpectrogram(
            RATE, pad_mode="constant", **{key: full[key] for key in keys}
        ),
        torchaudio.transforms.AmplitudeToDB("power", top_db=80.0),
    )

    def theirs() -> list[np.ndarray]:
        return [
            librosa.power_to_db(
                librosa.feature.melspectrogram(
                    y=clip,
                    sr=RATE,
                    n_fft=full["n_fft"],
                    win_length=full["win_length"],
                    hop_length=full["hop_length"],
                    n_mels=full["n_mels"],
                    fmin=full["f_min"],
                    fmax=full["f_max"],
                    htk=True,
                    norm=None,
                )
            )
            for clip in samples
        ]

    return {
        "studio": lambda: ours(waveform, lengths),
        "torchaudio": lambda: bare(waveform),
        "librosa": theirs,
    }


def measure(what: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each, taken in turns of five.

    The first call of a turn is not counted: the idle threads of the one before still spin.
    """
    times: dict[str, list[float]] = {name: [] for name in what}
    with torch.inference_mode():
        for run in what.values():  # first calls plan transforms and compile kernels
            run()
        for _ in range(rounds):
            for name, run in what.items():
                time.sleep(0.3)
                run()
                for _ in range(5):
                    start = time.perf_counter()
                    run()
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Read the command line and print one line a preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.clips} clips of {arguments.seconds:g} s, {arguments.threads} threads")
    for preset in PRESETS["mel"]:
        found = measure(contestants(preset, arguments.clips, arguments.seconds), arguments.rounds)
        ours = found["studio"]
        print(
            f"{preset:10}"
            + "  ".join(f"{name} {1000 * taken:6.1f} ms" for name, taken in found.items())
            + f"  studio/torchaudio {ours / found['torchaudio']:.2f} (wanted: 1.10 or less)"
            + f"  librosa/studio {found['librosa'] / ours:.1f} (wanted: 2 or more)"
        )


if __name__ == "__main__":
    main()
