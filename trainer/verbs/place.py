"""Where a verb works, and what the words of the command line mean to several verbs."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ser_core.champion import champion_folder, models_folder
from trainer import storage, versions
from trainer.errors import VersionError
from trainer.loop import Progress
from trainer.promotion import Rule
from trainer.run import Labels
from trainer.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where things are: SER_HOME and the shipped checkpoint (or SER_MODEL)."""

    home: Path
    default: Path


def folder_of(place: Place, wish: str) -> Path:
    """Return the checkpoint that a word names: "", a version, "default", a folder or s3://.

    Raises:
        VersionError: there is none.
    """
    if not wish:
        return champion_folder(place.home, place.default)
    if wish == "default":
        return place.default
    if storage.is_remote(wish):
        cached = place.home / "cache" / "remote" / wish.removeprefix("s3://")
        return cached if cached.is_dir() else storage.fetch_checkpoint(wish, cached)
    for folder in (models_folder(place.home) / wish, Path(wish)):
        if (folder / "specification.json").is_file():
            return folder
    known = ", ".join(v.name for v in versions.versions(place.home)) or "none"
    raise VersionError(f"“{wish}” is neither a version ({known}) nor a checkpoint's folder")


def local(place: Place, settings: Settings, args: argparse.Namespace) -> Settings:
    """Return the settings with corpora in S3 replaced by a copy under cache/, fetched if needed."""
    if not storage.is_remote(settings.corpora):
        return settings
    folder = place.home / "cache" / "corpora" / settings.corpora.removeprefix("s3://").strip("/")
    storage.fetch(settings.corpora, folder, progress=args.transfer)
    return dataclasses.replace(settings, corpora=str(folder))


def progress_of(args: argparse.Namespace) -> Progress:
    """Return whom a run tells, without the epochs."""
    found: Progress = args.progress
    return Progress(found.log, found.step)


def rule_of(args: argparse.Namespace) -> Rule:
    """Return when a challenger is promoted."""
    return Rule(args.confidence, args.margin, args.floor, args.calibration, fall=args.fall)


def labels_of(args: argparse.Namespace) -> Labels:
    """Return whose labels count."""
    names = None if args.trusted is None else frozenset(args.trusted)
    return Labels(names, args.min_votes)
