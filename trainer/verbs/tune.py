"""``tune``: search for better settings on the validation speakers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer import tune
from trainer.errors import TuningError
from trainer.fit import fit
from trainer.lock import only_one
from trainer.prepare import JUDGED_ON, Prepared, clips_key
from trainer.run import cache_folder
from trainer.settings import Settings
from trainer.verbs.fit import prepared_of
from trainer.verbs.place import Place, progress_of


def tune_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Search for better settings on the validation speakers."""
    space = tune.DEFAULT_SPACE if not args.space else tune.read_space(Path(args.space))
    tune.check_space(space, args.sampler)
    require_comparable(space, settings)
    heard: dict[str, Prepared] = {}
    work = place.home / "cache" / "studies" / args.study

    def once(chosen: Mapping[str, Any], tell: tune.Report) -> float:
        kind = settings.with_values(dict(chosen), "the search space")

        def epoch(figures: dict[str, float]) -> None:
            tell(int(figures["epoch"]), figures["uar"])

        key = clips_key(kind)
        if key not in heard:
            heard[key] = prepared_of(place, kind, args)
        progress = progress_of(args)
        progress.epoch = epoch
        trained = fit(
            kind,
            work / "model",
            work,
            cache_folder(place.home),
            prepared=heard[key],
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


def require_comparable(space: Mapping[str, Any], settings: Settings) -> None:
    """Refuse what would make the trials' figures mean different things, or nothing.

    Raises:
        TuningError: such a setting is in the space.
    """
    if odd := [name for name in space if name in (*JUDGED_ON, "max_clips")]:
        raise TuningError(
            f"{', '.join(odd)}: trials are compared on the same validation clips with the same "
            "seed, so this can't be searched; set it for all of them"
        )
    if "trim_silence" in space and settings.start:
        raise TuningError("trim_silence: a fine-tune hears its clips as its start does")
