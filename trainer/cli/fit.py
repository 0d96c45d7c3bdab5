"""``fit``: train a model from the corpora."""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import ExitStack
from pathlib import Path

from ser_core.checkpoints import checkpoint
from trainer.cli.arguments import callbacks_of, local, tracked
from trainer.cli.context import Context
from trainer.cli.evaluate import report_of, write_figures
from trainer.data import storage
from trainer.data.prepare import Prepared, prepare
from trainer.lifecycle import versions
from trainer.lifecycle.progress import ProgressFile, at_work
from trainer.reporting import report
from trainer.settings import Settings
from trainer.training import parallel
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit, remember, require_trainable, run_name
from trainer.training.new_model import require_pretrained


def fit_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Train a model from the corpora and write its checkpoint, in one process or in several."""
    require_trainable(settings)
    with parallel.group(), ExitStack() as held:
        if not parallel.first():
            args.progress, args.tick, args.transfer = Callbacks(lambda line: None), None, None
        # The first process alone takes the lock, names the version, tracks and writes.
        started: list[ProgressFile] = []

        def start() -> None:
            started.append(held.enter_context(at_work(context.home, "fit")))

        parallel.from_first(start)
        name = parallel.share(args.version or versions.free_name(context.home))
        folder = Path(args.out) if args.out else context.home.models / name
        settings = parallel.local_first(lambda: local(context, settings, args))
        callbacks = [callbacks_of(args)]

        def track() -> None:
            written = started[0].callbacks(callbacks[0])
            callbacks[0] = held.enter_context(tracked(context, settings, args, name, written))

        parallel.from_first(track)
        progress = callbacks[0]
        prepared = parallel.local_first(lambda: prepared_of(context, settings, args))
        trained = fit(
            settings,
            folder,
            context.home.run(run_name(settings)),
            context.home.decoded,
            prepared=prepared,
            progress=progress,
            tick=args.tick,
        )
        if not parallel.first():
            return 0
        progress.phase("evaluating")
        test = [item.clip for item in prepared.sides["test"]]
        found = report_of(context, trained.folder, settings, args, test)
        write_figures(trained.folder, found)
        remember(context.home, trained, settings, found.evaluation.overall.uar)
        started[0].change(message=f"{name}: UAR {found.evaluation.overall.uar:.3f}")
        print(report.terminal(found))
    if args.push:
        print(f"sent {storage.push(trained.folder, args.push)} files to {args.push}")
    return 0


def prepared_of(context: Context, settings: Settings, args: argparse.Namespace) -> Prepared:
    """Read, decode and divide the clips of a run, with its parent's emotions if it has one."""
    require_pretrained(settings)
    emotions: tuple[str, ...] = ()
    if settings.start:
        parent = checkpoint.load(settings.start).specification
        emotions = parent.emotions
        settings = dataclasses.replace(settings, trim_silence=parent.trim_silence)
    return prepare(settings, context.home.decoded, emotions=emotions, tick=args.tick)
