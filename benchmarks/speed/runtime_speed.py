"""One checkpoint in torch and in ONNX Runtime, and a clip's way from file to prediction.

    python -m benchmarks.speed.runtime_speed --model models/default models/encoder

Prints medians of rounds in which the ways take turns, and their ratios: the network alone on one
window and on sixteen, and ``Recognizer.predict`` of a file over the network's own fastest time;
of several checkpoints, what the later ones take over the first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_core.audio import load, mono
from ser_core.checkpoints import checkpoint
from ser_core.inference.onnx_graph import export
from ser_core.inference.onnx_runtime import OnnxRuntime
from ser_core.inference.recognizer import Recognizer
from ser_core.inference.torch_runtime import TorchRuntime


def took(work: Callable[[], object]) -> float:
    """Return milliseconds."""
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def ways_of(model: str) -> dict[str, Callable[[], object]]:
    """Return what is timed of a checkpoint, by name."""
    held = checkpoint.load(model)
    specification = held.specification
    graph = export(
        held.model, sample_rate=specification.sample_rate, channels=specification.input_channels
    )
    runtimes = {"torch": TorchRuntime(held.model), "ONNX Runtime": OnnxRuntime(graph)}
    file = Path(__file__).resolve().parents[2] / "examples" / "2_lively.flac"
    sound = mono(load(file, sample_rate=specification.sample_rate).samples)
    window = np.repeat(sound[:, : specification.samples], specification.input_channels, axis=0)
    recognizer = Recognizer(model, "cpu")
    ways: dict[str, Callable[[], object]] = {"file to prediction": lambda: recognizer.predict(file)}
    for name, runtime in runtimes.items():
        for count in (1, 16):
            batch = np.stack([window] * count)
            lengths = np.full(count, window.shape[1], np.int64)
            ways[f"{name}, {count} at once"] = (
                lambda runtime=runtime, batch=batch, lengths=lengths: runtime(batch, lengths)
            )
    return ways


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=["models/default"], help="checkpoint folders")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    sets = {model: ways_of(model) for model in arguments.model}
    for ways in sets.values():
        for work in ways.values():
            work()
    rounds = [
        {(model, name): took(work) for model, ways in sets.items() for name, work in ways.items()}
        for _ in range(arguments.rounds)
    ]
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    fastest = {model: middle[model, "ONNX Runtime, 1 at once"] for model in sets}
    answer = {model: middle[model, "file to prediction"] for model in sets}
    first = arguments.model[0]
    for model, ways in sets.items():
        print(model)
        for name in ways:
            print(f"  {name:26} {middle[model, name]:8.1f} ms")
        slower = middle[model, "torch, 1 at once"] / fastest[model]
        print(f"  torch over ONNX Runtime, one window: {slower:.1f}")
        print(f"  file to prediction over the network: {answer[model] / fastest[model]:.1f}")
        if model != first:
            print(f"  file to prediction over {first}: {answer[model] / answer[first]:.1f}")


if __name__ == "__main__":
    main()
