"""``compare``: several checkpoints, or backbones trained alike, in one table."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ser_core.backbones import BACKBONES
from trainer import report, study
from trainer.errors import SettingsError
from trainer.fit import fit
from trainer.lock import only_one
from trainer.prepare import read_corpora
from trainer.run import cache_folder
from trainer.settings import Settings, preset
from trainer.study import Entry, Study
from trainer.tables import Table
from trainer.verbs.evaluate import report_of
from trainer.verbs.place import Place, folder_of, progress_of

SEQUENCES: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01}
"""What recurrent and attention backbones take instead: plain SGD hardly moves them."""

ADAPTIVE = ("bigru", "bilstm", "attention")
MLP = "mlp"
"""The name of the perceptron over descriptor statistics, which isn't a backbone of its own."""


def compare_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Print several checkpoints, or backbones trained alike, in one table."""
    if not args.models and not args.backbones:
        raise SettingsError("name two or more checkpoints, or --backbones cnn,attention,lstm,gru")
    if args.minutes:
        return _under_one_budget(place, settings, args)
    rows = []
    folders = [(wish, folder_of(place, wish)) for wish in args.models]
    for backbone in args.backbones:
        kind = recipe(settings, backbone)
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


def recipe(settings: Settings, backbone: str) -> Settings:
    """Return the settings for another backbone: the same recipe as far as it applies.

    Args:
        settings: of the model that the others stand beside; its own backbone keeps its parameters.
        backbone: a backbone, or "mlp", which reads descriptor statistics by the preset
            "statistics" and takes corpora, split, seed and machine from the settings.

    Raises:
        SettingsError: there is no such backbone.
    """
    if backbone == MLP:
        kept = ("corpora", "names", "emotions", "scheme", "fold", "folds", "held_out", "seed")
        machine = ("workers", "threads", "device", "trim_silence", "seconds", "max_clips")
        values = {key: getattr(settings, key) for key in (*kept, *machine)}
        return preset("statistics").with_values(values)
    if backbone not in BACKBONES:
        raise SettingsError(f"no backbone “{backbone}”; known are {', '.join(BACKBONES)} and {MLP}")
    if backbone == settings.backbone:
        return settings
    values = {"backbone": backbone, "backbone_parameters": {}}
    return settings.with_values(values | (SEQUENCES if _adapted(settings, backbone) else {}))


def _adapted(settings: Settings, backbone: str) -> bool:
    return settings.optimizer == "sgd" and backbone in ADAPTIVE


def _under_one_budget(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    if args.models:
        raise SettingsError("--minutes trains backbones; compare checkpoints without it")
    progress = progress_of(args)
    held = Study(
        place.home / "cache" / "studies" / args.study,
        cache_folder(place.home),
        place.home / "cache" / "report",
        log=progress.log,
        step=progress.step,
        tick=args.tick,
    )
    rows = []
    with only_one(place.home, "compare"):
        for entry in _entries(settings, args):
            rows.append(held.row(entry, test=args.test))
            # Each row is worth showing: a study of hours may be stopped at any of them.
            _write(args, _table(rows, args, settings))
    print(_table(rows, args, settings).to_text())
    return 0


def _entries(settings: Settings, args: argparse.Namespace) -> Iterator[Entry]:
    for backbone in args.backbones:
        # Statistics are taken once and learnt in a minute: the budget is no limit there.
        minutes = 0.0 if backbone == MLP else args.minutes
        kind = recipe(settings, backbone)
        yield Entry(backbone, kind, minutes)
        if backbone in args.random_split:
            leaky = dataclasses.replace(kind, scheme="random")
            yield Entry(f"{backbone}, random split (leaks)", leaky, minutes)
    families = _families(settings) if args.leave_one_out_of else []
    for backbone in args.leave_one_out_of:
        minutes = 0.0 if backbone == MLP else args.minutes
        for family in families:
            left = dataclasses.replace(
                recipe(settings, backbone), scheme="leave-one-corpus-out", held_out=family
            )
            yield Entry(f"{backbone} without {family}", left, minutes)


def _families(settings: Settings) -> list[str]:
    return sorted({clip.family or clip.corpus for clip in read_corpora(settings)[0]})


def _table(rows: list[study.Row], args: argparse.Namespace, settings: Settings) -> Table:
    notes = [
        f"Each model was given {args.minutes:g} minutes on the same machine, and the settings of "
        f"{Path(args.config).name if args.config else 'the command line'} as far as they apply; "
        "the number of epochs and clips follows from how fast its first steps go. UAR on the "
        "validation (and test) speakers of each corpus, by its own emotions; the mean counts each "
        "corpus the same."
    ]
    if adapted := [name for name in args.backbones if _adapted(settings, name)]:
        notes.append(f"{', '.join(adapted)}: AdamW at 0.001 instead of SGD.")
    if MLP in args.backbones:
        notes.append("mlp: descriptor statistics with SMOTE, until it no longer gets better.")
    if args.random_split:
        notes.append(
            "The random split has the same people, and takes of the same sentence, on both sides: "
            "its figures are too good, and stand here for comparison with others."
        )
    if args.leave_one_out_of:
        notes.append("Rows “without” test on all clips of the corpora left out.")
    return study.table("Backbones under one budget", rows, notes)


def _write(args: argparse.Namespace, table: Table) -> None:
    for path, text in (
        (args.json, table.to_json()),
        (args.csv, table.to_csv()),
        (args.markdown, f"# {table.title}\n\n{table.to_markdown()}\n"),
    ):
        if path:
            report.write_text(Path(path), text)
