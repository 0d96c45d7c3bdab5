"""``download``: bring a corpus into SER_HOME."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_core.corpora.sources import CORPORA_INFO
from trainer.cli.context import Context
from trainer.data import download
from trainer.errors import SettingsError
from trainer.settings import Settings


def download_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Bring a corpus into SER_HOME/corpora, or list what is known."""
    if not args.location:
        print(download.catalogue())
        return 0
    root = context.home.corpora
    if args.location in CORPORA_INFO:
        if args.name or args.reader:
            raise SettingsError(f"{args.location} is a known corpus: leave --name and --reader out")
        print(download.known(args.location, root, accept=args.accept, tick=args.transfer))
        return 0
    name = args.name or args.reader or Path(args.location.rstrip("/")).name.split(".")[0]
    folder = root / name
    reader = args.reader or None
    print(download.download(args.location, folder, reader=reader, progress=args.transfer))
    return 0
