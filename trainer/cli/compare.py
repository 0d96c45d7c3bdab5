"""``compare``: several checkpoints, or backbones trained alike, in one table."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ser_core.backbones import BACKBONES
from ser_core.files import write_text
from trainer.cli.arguments import callbacks_of, folder_of, tracked
from trainer.cli.context import Context
from trainer.cli.evaluate import report_of
from trainer.data.prepare import read_corpora
from trainer.errors import SettingsError
from trainer.experiments import study
from trainer.experiments.study import Study, Variant
from trainer.lifecycle.progress import at_work
from trainer.presets import preset
from trainer.reporting import report
from trainer.reporting.tables import ReportTable
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

SEQUENCES: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01}
"""What recurrent and attention backbones take instead: plain SGD hardly moves them."""

ADAPTIVE = ("bigru", "bilstm", "attention")
MLP = "mlp"
"""The name of the perceptron over descriptor statistics, which isn't a backbone of its own."""


def compare_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Print several checkpoints, or backbones trained alike, in one table."""
    if not args.models and not args.backbones:
        raise SettingsError("name two or more checkpoints, or --backbones cnn,attention,lstm,gru")
    if args.minutes:
        return _under_one_budget(context, settings, args)
    rows = []
    folders = [(wish, folder_of(context, wish)) for wish in args.models]
    for backbone in args.backbones:
        kind = recipe(settings, backbone)
        work = context.home.study(f"backbone-{backbone}")
        with tracked(context, kind, args, f"backbone-{backbone}", callbacks_of(args)) as progress:
            trained = fit(
                kind,
                work / "model",
                work,
                context.home.decoded,
                progress=progress,
                tick=args.tick,
            )
        folders.append((backbone, trained.folder))
    for name, folder in folders:
        found = report_of(context, folder, settings, args).evaluation
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


def _under_one_budget(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    if args.models:
        raise SettingsError("--minutes trains backbones; compare checkpoints without it")
    progress = callbacks_of(args)
    held = Study(
        context.home.study(args.study),
        context.home.decoded,
        context.home.report_cache,
        log=progress.log,
        step=progress.step,
        tick=args.tick,
    )
    rows = []
    with at_work(context.home, "compare") as file:

        def written(name: str, callbacks: Callbacks) -> AbstractContextManager[Callbacks]:
            return tracked(context, settings, args, name, file.callbacks(callbacks))

        held.tracked = written
        for variant in _variants(settings, args):
            rows.append(held.row(variant, test=args.test))
            # Each row is worth showing: a study of hours may be stopped at any of them.
            _write(args, _table(rows, args, settings))
    print(_table(rows, args, settings).to_text())
    return 0


def _variants(settings: Settings, args: argparse.Namespace) -> Iterator[Variant]:
    for backbone in args.backbones:
        # Statistics are taken once and learnt in a minute: the budget does not limit them.
        minutes = 0.0 if backbone == MLP else args.minutes
        kind = recipe(settings, backbone)
        yield Variant(backbone, kind, minutes)
        if backbone in args.random_split:
            leaky = dataclasses.replace(kind, scheme="random")
            yield Variant(f"{backbone}, random split (leaks)", leaky, minutes)
    families = _families(settings) if args.leave_one_out_of else []
    for backbone in args.leave_one_out_of:
        minutes = 0.0 if backbone == MLP else args.minutes
        for family in families:
            left = dataclasses.replace(
                recipe(settings, backbone), scheme="leave-one-corpus-out", held_out=family
            )
            yield Variant(f"{backbone} without {family}", left, minutes)


def _families(settings: Settings) -> list[str]:
    return sorted({clip.family or clip.corpus for clip in read_corpora(settings)[0]})


def _table(rows: list[study.Row], args: argparse.Namespace, settings: Settings) -> ReportTable:
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


def _write(args: argparse.Namespace, table: ReportTable) -> None:
    for path, text in (
        (args.json, table.to_json()),
        (args.csv, table.to_csv()),
        (args.markdown, f"# {table.title}\n\n{table.to_markdown()}\n"),
    ):
        if path:
            write_text(Path(path), text)
