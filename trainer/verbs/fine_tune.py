"""No verb: fine-tune on what is new, evaluate, promote or not; with --every again and again."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from types import FrameType

from label_store.store import LabelStore
from trainer import corrections
from trainer.fit import require_trainable
from trainer.run import last_counted, last_revision, run_once
from trainer.schedule import parse_duration, periodic
from trainer.settings import Settings
from trainer.verbs.place import Place, labels_of, progress_of, rule_of


def run(place: Place, settings: Settings, args: argparse.Namespace, words: Sequence[str]) -> int:
    """Fine-tune, evaluate, promote or not; with --every again and again."""
    require_trainable(settings)
    if args.every:
        return _periodic(place, args, words)
    outcome = run_once(
        place.home,
        place.default,
        settings,
        rule=rule_of(args),
        labels=labels_of(args),
        min_new=args.min_new,
        keep=args.keep,
        force=args.force,
        progress=progress_of(args),
        tick=args.tick,
    )
    print(outcome.message)
    return 0


def _periodic(place: Place, args: argparse.Namespace, words: Sequence[str]) -> int:
    labels = labels_of(args)
    stop = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: FrameType | None) -> None:
        # The run saves what it has and ends; then the wait ends too.
        stop.set()
        for process in child:
            process.terminate()

    def count() -> int:
        store = LabelStore(place.home)
        since = last_revision(place.home, "")
        return corrections.new_labels(
            store, since, labels.trusted, labels.min_votes, before=last_counted(place.home)
        )

    def once() -> int:
        # A process of its own: whatever kills it, memory included, doesn't kill the wait.
        child[:] = [subprocess.Popen([sys.executable, "-m", "trainer", *words])]
        return child[0].wait()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        periodic(
            once,
            count,
            every=parse_duration(args.every),
            min_new=args.min_new,
            sleep=wait,
            log=partial(print, flush=True),
            stop=stop.is_set,
        )
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return 0
