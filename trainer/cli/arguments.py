"""What the words of the command line mean to several verbs."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_core.checkpoints.champion import champion_folder
from ser_core.checkpoints.shipped import locate, shipped_models
from trainer.cli.context import Context
from trainer.data import storage
from trainer.errors import VersionError
from trainer.lifecycle import versions
from trainer.lifecycle.rule import Rule, flags_of_rule
from trainer.lifecycle.run import Labels
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.tracking import build_tracker


def folder_of(context: Context, word: str) -> Path:
    """Return the checkpoint that a word names: "", a version, a shipped one, a folder or s3://.

    Raises:
        VersionError: there is none.
    """
    if not word:
        return champion_folder(context.home, context.default)
    if word == "default":
        return context.default
    if storage.is_remote(word):
        cached = context.home.fetched_checkpoint(word.removeprefix("s3://"))
        return cached if cached.is_dir() else storage.fetch_checkpoint(word, cached)
    for folder in (context.home.version(word), locate(word)):
        if (folder / "specification.json").is_file():
            return folder
    known = ", ".join(v.name for v in versions.versions(context.home)) or "none"
    shipped = ", ".join(shipped_models())
    raise VersionError(
        f"“{word}” is neither a version ({known}), a shipped model ({shipped}) nor a checkpoint's "
        "folder"
    )


def local(context: Context, settings: Settings, args: argparse.Namespace) -> Settings:
    """Return the settings with corpora in S3 replaced by a copy under cache/, fetched if needed."""
    if not storage.is_remote(settings.corpora):
        return settings
    folder = context.home.fetched_corpora(settings.corpora.removeprefix("s3://").strip("/"))
    storage.fetch(settings.corpora, folder, progress=args.transfer)
    return dataclasses.replace(settings, corpora=str(folder))


def callbacks_of(args: argparse.Namespace) -> Callbacks:
    """Return whom a run tells, without the epochs."""
    found: Callbacks = args.progress
    return Callbacks(found.log, found.step)


@contextmanager
def tracked(
    context: Context, settings: Settings, args: argparse.Namespace, name: str, callbacks: Callbacks
) -> Iterator[Callbacks]:
    """Send the figures of each epoch, those of each emotion included, where ``--track`` says.

    Args:
        context: where local trackers write.
        settings: of the run; the tracker keeps them.
        args: the words of the command line.
        name: what the tracker calls the run.
        callbacks: are told too.
    """
    tracker = build_tracker(
        args.track,
        project=settings.name,
        run=name,
        settings=settings.to_json(),
        folder=context.home.tracking,
    )

    def epoch(figures: dict[str, float]) -> None:
        tracker.log(figures, int(figures["epoch"]))
        callbacks.epoch(figures)

    try:
        yield dataclasses.replace(callbacks, epoch=epoch)
    finally:
        tracker.finish()


def rule_of(args: argparse.Namespace) -> Rule:
    """Return when a challenger is promoted."""
    return Rule(**{one.name: getattr(args, one.name) for one in flags_of_rule()})


def labels_of(args: argparse.Namespace) -> Labels:
    """Return whose labels count."""
    names = None if args.trusted is None else frozenset(args.trusted)
    return Labels(names, args.min_annotations)
