"""``fit``: train a model from the corpora."""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import ExitStack
from pathlib import Path

from ser_core import checkpoint
from ser_core.champion import models_folder
from trainer import parallel, report, storage, versions
from trainer.fit import fit, remember, require_trainable, run_name
from trainer.lock import only_one
from trainer.loop import Progress
from trainer.prepare import Prepared, prepare
from trainer.run import cache_folder
from trainer.settings import Settings
from trainer.tracking import build_tracker
from trainer.verbs.evaluate import report_of, write_figures
from trainer.verbs.place import Place, local, progress_of


def fit_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Train a model from the corpora and write its checkpoint, in one process or in several."""
    require_trainable(settings)
    with parallel.group(), ExitStack() as held:
        if not parallel.first():
            args.progress, args.tick, args.transfer = Progress(lambda line: None), None, None
        # The first process alone takes the lock, names the version, tracks and writes.
        parallel.from_first(lambda: held.enter_context(only_one(place.home, "fit")))
        name = parallel.share(args.version or versions.free_name(place.home))
        folder = Path(args.out) if args.out else models_folder(place.home) / name
        settings = parallel.local_first(lambda: local(place, settings, args))
        progress = progress_of(args)

        def track() -> None:
            tracker = build_tracker(
                args.track,
                project=settings.name,
                run=name,
                settings=settings.to_json(),
                folder=place.home / "tracking",
            )
            held.callback(tracker.finish)
            progress.epoch = lambda figures: tracker.log(figures, int(figures["epoch"]))

        parallel.from_first(track)
        prepared = parallel.local_first(lambda: prepared_of(place, settings, args))
        trained = fit(
            settings,
            folder,
            models_folder(place.home) / "runs" / run_name(settings),
            cache_folder(place.home),
            prepared=prepared,
            progress=progress,
            tick=args.tick,
        )
        if not parallel.first():
            return 0
        test = [item.clip for item in prepared.sides["test"]]
        found = report_of(place, trained.folder, settings, args, test)
        write_figures(trained.folder, found)
        remember(place.home, trained, settings, found.evaluation.overall.uar)
        print(report.terminal(found))
    if args.push:
        print(f"sent {storage.push(trained.folder, args.push)} files to {args.push}")
    return 0


def prepared_of(place: Place, settings: Settings, args: argparse.Namespace) -> Prepared:
    """Read, decode and divide the clips of a run, with its parent's emotions if it has one."""
    emotions: tuple[str, ...] = ()
    if settings.start:
        parent = checkpoint.load(settings.start).specification
        emotions = parent.emotions
        settings = dataclasses.replace(settings, trim_silence=parent.trim_silence)
    return prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)
