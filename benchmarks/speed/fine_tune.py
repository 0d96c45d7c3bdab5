"""Time and peak memory of `python -m trainer` on 200 corrections with replay.

    python -m benchmarks.speed.fine_tune [--corpora FOLDER] [--model FOLDER] [--corrections 200]

Without --corpora it makes clips up: time and memory do not depend on what is said in them. Measured
is the whole command, from its start to the decision, all its processes together; memory is looked
at five times a second, what processes share counted once. Asked for: 15 minutes or less and 4 GB
or less on two cores; the exit status says whether it was so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.made_up import write_corpora
from label_store import LabelEvent, LabelStore
from ser_core.checkpoints.specification import Specification
from ser_core.corpora import read_all
from ser_core.corpora.splits import side_of

ROOT = Path(__file__).resolve().parents[2]
MINUTES, GIGABYTES = 15, 4


def correct(home: Path, corpora: Path, emotions: tuple[str, ...], count: int) -> int:
    """Correct clips of training speakers: each gets the next emotion; return how many."""
    store = LabelStore(home)
    clips = [clip for reading in read_all(corpora) for clip in reading.clips]
    chosen = [clip for clip in clips if side_of(clip) == "train" and clip.emotion in emotions]
    chosen = chosen[:: max(1, len(chosen) // count)][:count]
    for clip in chosen:
        kept = store.keep_clip(clip.path.read_bytes(), clip.path.suffix)
        emotion = emotions[(emotions.index(clip.emotion) + 1) % len(emotions)]
        store.append(
            LabelEvent(
                action="label",
                annotator="benchmark",
                clip=kept,
                file_name=clip.path.name,
                emotion=emotion,
            )
        )
    return len(chosen)


def memory(process: int) -> int:
    """Return the bytes that a process and its children hold, what they share counted once."""
    total = 0
    waiting = [process]
    while waiting:
        number = waiting.pop()
        try:
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
            # A child belongs to the thread that started it.
            tasks = list(Path(f"/proc/{number}/task").iterdir())
            children = " ".join((task / "children").read_text() for task in tasks)
        except OSError:  # it has just ended
            continue
        total += 1024 * sum(
            int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")
        )
        waiting += [int(child) for child in children.split()]
    return total


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--corrections", type=int, default=200)
    parser.add_argument("--clips", type=int, default=2000, help="training clips to make up")
    args, more = parser.parse_known_args()
    text = (args.model / "specification.json").read_text(encoding="utf-8")
    emotions = Specification.from_json(text).emotions
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        corpora = args.corpora or write_corpora(home / "corpora", args.clips)
        count = correct(home, corpora, emotions, args.corrections)
        command = [sys.executable, "-m", "trainer", "--home", str(home), "--corpora", str(corpora)]
        begun, peak = time.perf_counter(), 0
        with subprocess.Popen([*command, "--default", str(args.model), *more], cwd=ROOT) as process:
            while process.poll() is None:
                peak = max(peak, memory(process.pid))
                time.sleep(0.2)
        minutes = (time.perf_counter() - begun) / 60
    print(
        f"{count} corrections: {minutes:.1f} min (asked for: {MINUTES} or less), "
        f"{peak / 1e9:.2f} GB (asked for: {GIGABYTES} or less)"
    )
    return process.returncode or int(minutes > MINUTES or peak > GIGABYTES * 1e9)


if __name__ == "__main__":
    sys.exit(main())
