"""A server that is killed again and again, and loses its disk each time, while people label.

    python tests/label_store/sync/storm.py FOLDER RESTARTS LABELS

Prints what was saved, what was told to be kept, and what of both is there in the end, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from label_store import LabelEvent, LabelStore
from label_store.sync import Replica, Syncer
from label_store.sync.folder import FolderPlace
from tests.label_store.sync.places import Unreliable


def serve(home: Path, place: Path, run: int, log: Path) -> None:
    """Label until killed; say what is saved, and what the syncer says is kept."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    store = LabelStore(home)
    shaky = Unreliable(FolderPlace(place), random.Random(run), 0.1)
    syncer = Syncer(Replica(store, shaky), look_seconds=0.05, round_seconds=0.5, longest_pause=0.2)
    syncer.start()
    syncer.wait_folded_in(10.0)

    def tell() -> None:
        while True:
            os.write(out, f"kept {run} {syncer.status().kept_through}\n".encode())
            time.sleep(0.05)

    threading.Thread(target=tell, daemon=True).start()
    for n in range(1_000_000):
        clip = f"{n % 50:064x}"
        event = LabelEvent(
            action="label", annotator="ada", clip=clip, emotion="joy", note=f"{run}-{n}"
        )
        os.write(out, f"saved {run} {n} {store.append(event).number}\n".encode())
        time.sleep(0.002)


def storm(folder: Path, restarts: int, labels: int, seed: int = 7) -> dict[str, int]:
    """Kill the server so often, with its disk wiped each time; return what was counted.

    Args:
        folder: where everything lies.
        restarts: how often.
        labels: how many labels come in all, about.
        seed: draws the moments.
    """
    draw = random.Random(seed)
    home, place, log = folder / "home", folder / "place", folder / "log.txt"
    for run in range(restarts):
        child = os.fork()
        if not child:
            try:
                serve(home, place, run, log)
            finally:
                os._exit(1)
        # Some are killed while they fold in, most while they send.
        if draw.random() < 0.9:
            wait_for(log, f"saved {run} {draw.randrange(2 * labels // restarts)} ")
        time.sleep(draw.random() * 0.3)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"server {run} ended by itself; see its traceback")
        shutil.rmtree(home, ignore_errors=True)
    return count(folder, log)


def wait_for(log: Path, line: str) -> None:
    """Wait until the server has said it; a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end and not (
        log.exists() and line.encode() in log.read_bytes()[-65536:]
    ):
        time.sleep(0.02)


def count(folder: Path, log: Path) -> dict[str, int]:
    """Return how many labels were saved, told to be kept, and are there in the end."""
    saved: dict[str, tuple[int, int]] = {}
    kept: Counter[int] = Counter()
    for line in log.read_text().splitlines():
        word, run, *rest = line.split()
        if word == "saved":
            saved[f"{run}-{rest[0]}"] = (int(run), int(rest[1]))
        else:
            kept[int(run)] = max(kept[int(run)], int(rest[0]))
    told = {note for note, (run, number) in saved.items() if number <= kept[run]}
    fresh = LabelStore(folder / "fresh")
    side = Replica(fresh, FolderPlace(folder / "place"))
    damaged = side.round().damaged
    there = Counter(event.note for event in fresh.events())
    return {
        "saved": len(saved),
        "kept": len(told),
        "kept_and_lost": len(told - there.keys()),
        "twice": sum(number > 1 for number in there.values()),
        "only_saved": len(saved) - len(told),
        "only_saved_and_lost": len(saved.keys() - there.keys()),
        "damaged": len(damaged),
        "reports": len(fresh.reports),
    }


if __name__ == "__main__":
    print(json.dumps(storm(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
