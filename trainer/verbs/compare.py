"""``compare``: several checkpoints, or backbones trained alike, in one table."""

from __future__ import annotations

import argparse

from trainer import report
from trainer.errors import SettingsError
from trainer.fit import fit
from trainer.run import cache_folder
from trainer.settings import Settings
from trainer.verbs.evaluate import report_of
from trainer.verbs.place import Place, folder_of, progress_of


def compare_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Print several checkpoints, or backbones trained alike, in one table."""
    if not args.models and not args.backbones:
        raise SettingsError("name two or more checkpoints, or --backbones cnn,attention,lstm,gru")
    rows = []
    folders = [(wish, folder_of(place, wish)) for wish in args.models]
    for backbone in args.backbones:
        kind = settings.with_values({"backbone": backbone, "backbone_parameters": {}})
        work = place.home / "cache" / "studies" / f"backbone-{backbone}"
        trained = fit(
            kind,
            work / "model",
            work,
            cache_folder(place.home),
            progress=progress_of(args),
            tick=args.tick,
        )
        folders.append((backbone, trained.folder))
    for name, folder in folders:
        found = report_of(place, folder, settings, args).evaluation
        rows.append((name, found.overall, found.full))
    print(report.table(sorted(rows, key=lambda row: -row[1].uar)))
    return 0
