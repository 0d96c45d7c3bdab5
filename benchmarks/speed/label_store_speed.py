"""Speed of the label store beside Gradio's CSVLogger on the same rows.

    python -m benchmarks.speed.label_store_speed [--events 200000] [--appends 200]

CSVLogger has no ids, no undo and no fsync; the store has, and still has to be quick. Figures depend
on the machine and its other work: read the two columns against each other.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np

from label_store import LabelEvent, LabelStore
from label_store.candidate import Candidate, QueueSettings
from label_store.consensus import consensus
from label_store.corpus_rows import TableQuery
from label_store.corpus_table import CorpusTable
from label_store.event import encode
from label_store.event_rows import HEADER
from label_store.queue import LabelQueue

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness")


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


def event(n: int, clips: list[str]) -> LabelEvent:
    """Return an event as the labelling page makes it."""
    place = n % len(clips)
    return LabelEvent(
        action="label",
        annotator=f"annotator {n // len(clips)}",
        clip=clips[place],
        file_name=f"{place:06d}.wav",
        corpus="mine",
        session="s1",
        emotion=EMOTIONS[n % 6],
        prediction="joy",
        probabilities=dict.fromkeys(EMOTIONS, 0.1667),
        model_version="v1",
        prediction_visible=True,
        milliseconds=800,
        number=n + 1,
        event_id=uuid.UUID(int=n + 1).hex,
        time="2026-01-01T00:00:00.000Z",
        writer="bench",
    )


def store_figures(home: Path, events: int, appends: int) -> dict[str, float]:
    """Return milliseconds (medians) of the store's steps with ``events`` in it."""
    clips = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(max(events // 4, 1))]
    (home / "labels").mkdir(parents=True)
    with (home / "labels" / "events-2026-01-01-bench.csv").open("wb") as file:
        file.write(HEADER)
        file.writelines(encode(event(n, clips)) for n in range(events))
    figures: dict[str, float] = {}
    opened: list[LabelStore] = []
    figures["open, first time"] = milliseconds(lambda: LabelStore(home))
    cpu = time.process_time()
    figures["open"] = milliseconds(lambda: opened.append(LabelStore(home)))
    figures["open (processor time)"] = (time.process_time() - cpu) * 1e3
    store = opened[0]
    saves, folds = [], []
    for n in range(appends):
        one = event(n, clips)
        saves.append(milliseconds(lambda one=one: store.append(one)))
        folds.append(milliseconds(lambda one=one: store.clip(one.clip)))
    figures["append, fsynced"] = statistics.median(saves)
    figures["fold after one event"] = statistics.median(folds)
    figures["history of a clip"] = milliseconds(lambda: store.history(clips[0]))
    figures["consensus of all clips"] = milliseconds(lambda: consensus(store))
    table = CorpusTable(store, [], EMOTIONS)
    figures["corpus table, first page"] = milliseconds(lambda: table.page(TableQuery()))
    figures["corpus table, next page"] = milliseconds(lambda: table.page(TableQuery(page=1)))
    candidates = [Candidate(clip, probabilities={"joy": 0.6, "fear": 0.4}) for clip in clips]
    queue = LabelQueue(store, candidates, np.random.default_rng(0), QueueSettings())
    queue.next("new", "s0")
    nexts = [milliseconds(lambda n=n: queue.next("new", f"s{n}")) for n in range(1, 21)]
    figures["next clip of the queue"] = statistics.median(nexts)
    return figures


def logger_figures(folder: Path, events: int, appends: int) -> dict[str, float]:
    """Return milliseconds (medians) of the same steps with Gradio's CSVLogger."""
    import gradio as gr

    names = ["clip", "file name", "corpus", "annotator", "emotion", "prediction", "probabilities"]
    logger = gr.CSVLogger(simplify_file_data=True, verbose=False)
    logger.setup([gr.Textbox(label=name, render=False) for name in names], str(folder))
    row = ["a" * 64, "000001.wav", "mine", "ada", "joy", "joy", '{"joy": 0.1667}' * 6]
    logger.flag(row)
    (path,) = folder.rglob("*.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, first = list(csv.reader(file))[:2]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(first for _ in range(events))
    saves = [milliseconds(lambda: logger.flag(row)) for _ in range(appends)]

    def read() -> None:
        import pandas as pd

        pd.read_csv(path, dtype=str, keep_default_na=False)

    read()
    return {"append, fsynced": statistics.median(saves), "open": milliseconds(read)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--appends", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = store_figures(Path(folder) / "home", chosen.events, chosen.appends)
    with tempfile.TemporaryDirectory() as folder:
        theirs = logger_figures(Path(folder), chosen.events, min(chosen.appends, 50))
    print(f"{chosen.events:,} events; milliseconds, lower is better")
    print(f"{'step':28} {'store':>10} {'CSVLogger':>10} {'ratio':>8}")
    for step, value in ours.items():
        other = theirs.get(step)
        beside = f"{other:10.2f} {value / other:8.3f}" if other else f"{'-':>10} {'-':>8}"
        print(f"{step:28} {value:10.2f} {beside}")
    print("CSVLogger does not fsync; its “open” is pandas reading its file.")


if __name__ == "__main__":
    main()
