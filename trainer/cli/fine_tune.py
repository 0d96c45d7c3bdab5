"""No verb: fine-tune on what is new, evaluate, promote or not; with --every again and again."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from types import FrameType

from label_store.store import LabelStore
from trainer.cli.arguments import callbacks_of, labels_of, local, rule_of, tracked
from trainer.cli.context import Context
from trainer.data import corrections
from trainer.lifecycle.run import last_counted, last_revision, run_once
from trainer.lifecycle.schedule import parse_duration, periodic
from trainer.settings import Settings
from trainer.training.fit import require_trainable


def run(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Fine-tune, evaluate, promote or not; with --every again and again."""
    require_trainable(settings)
    if args.every:
        return _periodic(context, args)
    settings = local(context, settings, args)
    name = f"fine-tune-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with tracked(context, settings, args, name, callbacks_of(args)) as progress:
        outcome = run_once(
            context.home,
            context.default,
            settings,
            rule=rule_of(args),
            labels=labels_of(args),
            min_new=args.min_new,
            keep=args.keep,
            force=args.force,
            progress=progress,
            tick=args.tick,
        )
    print(outcome.message)
    return 0


def _periodic(context: Context, args: argparse.Namespace) -> int:
    labels = labels_of(args)
    stop = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: FrameType | None) -> None:
        # The run saves what it has and ends; then the wait ends too.
        stop.set()
        for process in child:
            process.terminate()

    def count() -> int:
        store = LabelStore(context.home.root)
        since = last_revision(context.home, "")
        return corrections.new_labels(
            store, since, labels.trusted, labels.min_annotations, before=last_counted(context.home)
        )

    def once() -> int:
        # A process of its own: whatever kills it, memory included, doesn't kill the wait.
        child[:] = [subprocess.Popen([sys.executable, "-m", "trainer", *args.words])]
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
