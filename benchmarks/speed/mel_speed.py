"""Log-mel of a batch against the bare torchaudio transform and against librosa clip by clip.

    python -m benchmarks.speed.mel_speed

Prints the ratios of rounds in which the three take turns, each in a process of its own, and their
median.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

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


def one(preset: str, name: str, clips: int, seconds: float, threads: int) -> float:
    """Return the median seconds of one contestant; runs in a process of its own."""
    torch.set_num_threads(threads)
    run = contestants(preset, clips, seconds)[name]
    times = []
    with torch.inference_mode():
        for _ in range(5):  # first calls plan transforms and compile kernels
            run()
        for _ in range(20):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(
    preset: str, clips: int, seconds: float, rounds: int, threads: int
) -> dict[str, list[float]]:
    """Return seconds by contestant and round, each taken in a fresh process.

    In one process the idle threads of a contestant spin for a while and slow the next one; which
    of them suffers depends on the order.
    """
    names = ["studio", "torchaudio", "librosa"]
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % 3 :] + names[: number % 3]:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                job = pool.submit(one, preset, name, clips, seconds, threads)
                times[name].append(job.result())
    return times


def main() -> None:
    """Read the command line and print the ratios of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--preset", choices=list(PRESETS["mel"]), action="append")
    given = parser.parse_args()
    print(f"{given.clips} clips of {given.seconds:g} s, {given.threads} threads")
    for preset in given.preset or PRESETS["mel"]:
        found = measure(preset, given.clips, given.seconds, given.rounds, given.threads)
        print(
            preset,
            "  ".join(f"{k} {1000 * statistics.median(v):.1f} ms" for k, v in found.items()),
        )
        for above, below, expected in (
            ("studio", "torchaudio", "1.10 or less"),
            ("librosa", "studio", "2 or more"),
        ):
            ratios = [a / b for a, b in zip(found[above], found[below], strict=True)]
            print(
                f"  {above}/{below} median {statistics.median(ratios):.2f} (wanted: {expected}), "
                f"rounds {' '.join(f'{ratio:.2f}' for ratio in ratios)}"
            )


if __name__ == "__main__":
    main()
