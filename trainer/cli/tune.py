"""``tune``: search for better settings on the validation speakers."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_core.files import write_text
from trainer.cli.arguments import callbacks_of, tracked
from trainer.cli.context import Context
from trainer.cli.fit import prepared_of
from trainer.data.prepare import SPLIT_SETTINGS, Prepared, clips_key
from trainer.errors import TuningError
from trainer.experiments import tune
from trainer.lifecycle.progress import ProgressFile, at_work
from trainer.settings import Settings
from trainer.settings_file import to_toml
from trainer.training.fit import fit


def tune_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Search for better settings on the validation speakers."""
    space = tune.DEFAULT_SPACE if not args.space else tune.read_space(Path(args.space))
    tune.check_space(space, args.sampler)
    require_comparable(space, settings)
    prepared_by_key: dict[str, Prepared] = {}
    trials: list[Settings] = []
    files: list[ProgressFile] = []
    work = context.home.study(args.study)

    def once(chosen: Mapping[str, Any], tell: tune.EpochReport) -> float:
        kind = settings.with_values(dict(chosen), "the search space")

        def epoch(figures: dict[str, float]) -> None:
            tell(int(figures["epoch"]), figures["middle_window_uar"])

        key = clips_key(kind)
        if key not in prepared_by_key:
            prepared_by_key[key] = prepared_of(context, kind, args)
        callbacks = dataclasses.replace(callbacks_of(args), epoch=epoch)
        number = len(trials)
        trials.append(kind)
        with tracked(context, kind, args, f"{args.study}-{number + 1}", callbacks) as progress:
            trained = fit(
                kind,
                work / "model",
                work,
                context.home.decoded,
                prepared=prepared_by_key[key],
                progress=files[0].callbacks(progress),
            )
        return max((figures["middle_window_uar"] for figures in trained.history), default=0.0)

    with at_work(context.home, "tune") as file:
        files.append(file)
        found = tune.tune(
            once,
            space,
            context.home.tuning,
            trials=args.trials,
            sampler=args.sampler,
            prune=not args.no_pruning,
            seed=settings.seed,
            name=args.study,
        )
    best = settings.with_values(found.best, "the best trial")
    path = context.home.study(args.study) / "best.toml"
    write_text(
        path, f"# {found.trials} trials, validation UAR {found.value:.4f}\n{to_toml(best)}\n"
    )
    print(
        f"best validation UAR of the middle windows {found.value:.4f} with "
        f"{json.dumps(found.best)} ({found.trials})"
    )
    print(f"wrote {path}; train with it: python -m trainer fit --config {path}")
    return 0


def require_comparable(space: Mapping[str, Any], settings: Settings) -> None:
    """Refuse what would make the trials' figures mean different things, or nothing.

    Raises:
        TuningError: such a setting is in the space.
    """
    if odd := [name for name in space if name in (*SPLIT_SETTINGS, "max_clips")]:
        raise TuningError(
            f"{', '.join(odd)}: trials are compared on the same validation clips with the same "
            "seed, so this can't be searched; set it for all of them"
        )
    if "trim_silence" in space and settings.start:
        raise TuningError("trim_silence: a fine-tune hears its clips as its start does")
