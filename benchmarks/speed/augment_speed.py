"""Speed of the seeds' training chain here and in audiomentations called directly, side by side.

Both apply the same four transforms with the same parameters to the same clips, in turns, so that
whatever else the machine does hits both. Run it with ``python -m benchmarks.speed.augment_speed``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ser_core.augment import EFFECTS, RECIPES, Chain


def audiomentations_chain(samples: Any, rate: int, values: list[dict[str, Any]]) -> Any:
    """Apply the four transforms as a user of audiomentations writes them."""
    from audiomentations import AddGaussianNoise, Compose, PitchShift, Shift, TimeStretch

    noise, stretch, pitch, shift = values
    amplitude, factor = noise["amplitude"], stretch["rate"]
    semitones, fraction = pitch["semitones"], shift["shift"]
    chain = Compose(
        [
            AddGaussianNoise(amplitude, amplitude, p=1.0),
            TimeStretch(factor, factor, p=1.0),
            PitchShift(semitones, semitones, p=1.0),
            Shift(fraction, fraction, p=1.0),
        ]
    )
    return chain(samples=samples, sample_rate=rate)


def milliseconds(action: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    action()
    return 1000.0 * (time.perf_counter() - start)


def main() -> None:
    """Print the median time a clip of both, their ratio, and the time of every effect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100, help="how many clips are timed")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a clip")
    options = parser.parse_args()
    rng, rate = np.random.default_rng(0), 16000
    clip = (0.1 * rng.standard_normal((1, round(options.seconds * rate)))).astype(np.float32)
    chain = Chain.from_json([{**step, "p": 1.0} for step in RECIPES["baseline"]])

    ours, theirs = [], []
    for number in range(options.clips + 3):
        drawn = chain.draw(np.random.default_rng(number), clip, rate)
        values = drawn.to_json()

        def here(seed: int = number) -> object:
            return chain.draw(np.random.default_rng(seed), clip, rate).apply(clip, rate)

        def there(values: list[dict[str, Any]] = values) -> object:
            return audiomentations_chain(clip, rate, values)

        pair = [(ours, here), (theirs, there)]
        for times, action in pair if number % 2 else reversed(pair):
            times.append(milliseconds(action))
    a, b = statistics.median(ours[3:]), statistics.median(theirs[3:])
    print(f"The seeds' four transforms on {options.seconds:g} s, median of {options.clips} clips:")
    print(f"  here             {a:7.2f} ms")
    print(f"  audiomentations  {b:7.2f} ms")
    print(f"  ratio            {a / b:7.2f} (target: 1.10 or less)")

    print(f"Each effect at medium strength on {options.seconds:g} s, median of 20:")
    for name, effect in EFFECTS.items():
        if effect.needs_noises:
            continue
        one = Chain.from_json([effect.step("medium")]).draw(rng, clip, rate)
        times = [milliseconds(lambda one=one: one.apply(clip, rate)) for _ in range(23)]
        print(f"  {name:16s} {statistics.median(times[3:]):7.2f} ms")


if __name__ == "__main__":
    main()
