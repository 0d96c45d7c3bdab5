"""``tune``: search for better settings on the validation speakers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer import tune
from trainer.fit import fit
from trainer.lock import only_one
from trainer.run import cache_folder
from trainer.settings import Settings
from trainer.verbs.fit import prepared_of
from trainer.verbs.place import Place, progress_of


def tune_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Search for better settings on the validation speakers."""
    space = tune.DEFAULT_SPACE if not args.space else tune.read_space(Path(args.space))
    tune.check_space(space, args.sampler)
    prepared = prepared_of(place, settings, args)
    work = place.home / "cache" / "studies" / args.study

    def once(chosen: Mapping[str, Any], tell: tune.Report) -> float:
        kind = settings.with_values(dict(chosen), "the search space")

        def epoch(figures: dict[str, float]) -> None:
            tell(int(figures["epoch"]), figures["uar"])

        progress = progress_of(args)
        progress.epoch = epoch
        trained = fit(
            kind,
            work / "model",
            work,
            cache_folder(place.home),
            prepared=prepared,
            progress=progress,
        )
        return max((figures["uar"] for figures in trained.history), default=0.0)

    with only_one(place.home, "tune"):
        found = tune.tune(
            once,
            space,
            place.home / "studies.sqlite",
            trials=args.trials,
            sampler=args.sampler,
            prune=not args.no_pruning,
            seed=settings.seed,
            name=args.study,
        )
    print(f"best validation UAR {found.value:.4f} with {json.dumps(found.best)} ({found.trials})")
    return 0
