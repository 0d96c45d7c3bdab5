"""How soon `python -m trainer fit` takes its first step, with nothing decoded yet and again.

    python -m benchmarks.speed.first_step_speed [--clips 10000] [--seconds 2]

The clips are made up, 16 kHz, under CREMA-D's names. Counted from the start of the process; each
run ends itself in its first step. Asked for: 10 s with what was decoded before.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.made_up import CODES, SENTENCES
from benchmarks.speed.page_speed import ROOT
from ser_core.audio import to_wav_bytes
from ser_core.corpora.committed_sides import TABLES

RATE = 16_000
CODE = """
import os, sys, time
from pathlib import Path
from trainer.data.prepare import prepare
from trainer.presets import preset
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

def first(done, total, loss):
    print(time.time())
    sys.stdout.flush()
    os._exit(0)

settings = preset("default").with_values({"corpora": sys.argv[1], "workers": 2})
home = Path(sys.argv[2])
prepared = prepare(settings, home / "cache")
told = Callbacks(log=lambda line: None, step=first)
fit(settings, home / "out", home / "run", home / "cache", prepared=prepared, progress=told)
"""


def write_clips(folder: Path, count: int, seconds: float) -> None:
    """Write clips of noise, no two alike."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal((1, round(seconds * RATE))).astype(np.float32)
    names = itertools.product(sorted(TABLES["cremad"]), SENTENCES, CODES, ("XX", "LO", "MD", "HI"))
    for number, parts in enumerate(itertools.islice(names, count)):
        moved = np.roll(sound, 3 * number, axis=1)
        (folder / f"{'_'.join(parts)}.wav").write_bytes(to_wav_bytes(moved, RATE))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(folder / "corpora" / "cremad", wished.clips, wished.seconds)
        time.sleep(3)  # a file that was written just now is not taken as known
        for words in ("nothing decoded", "decoded before"):
            command = [sys.executable, "-c", CODE, str(folder / "corpora"), str(folder / "home")]
            begun = time.time()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            print(f"first step, {words}: {float(done.stdout.splitlines()[-1]) - begun:.1f} s")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
