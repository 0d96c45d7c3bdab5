"""``sync``: bring the store and the place where it is kept into step, once, by hand."""

from __future__ import annotations

import argparse
from dataclasses import replace

from label_store.cli.settings import StoreSettings, Verbs
from label_store.errors import SyncError
from label_store.store import LabelStore
from label_store.sync.annotation_settings import AnnotationSettingsSync
from label_store.sync.models import ChampionSync
from label_store.sync.open import open_place
from label_store.sync.replica import Moved, Replica


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "sync",
        help="bring the store and SER_SYNC into step, once",
        description="Send what is new here, fetch what is new there, carry out what is to be "
        "forgotten. The place is SER_SYNC: hf://datasets/OWNER/NAME, s3://BUCKET/PREFIX or a "
        "folder; SER_SYNC_CLIPS=1 brings the recordings too, SER_SYNC_MODELS=1 the champion.",
    )
    verb.add_argument("--from", dest="place", metavar="PLACE", help="another place than SER_SYNC")
    verb.add_argument("--clips", action="store_true", help="recordings too, as SER_SYNC_CLIPS=1")
    verb.add_argument(
        "--models", action="store_true", help="the champion too, as SER_SYNC_MODELS=1"
    )
    verb.set_defaults(run=run)


def run(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Do one round and say what moved.

    Raises:
        SyncError: no place was named, or it can't be reached.
    """
    asked = replace(
        settings.sync,
        address=args.place or settings.sync.address,
        clips=args.clips or settings.sync.clips,
        models=args.models or settings.sync.models,
    )
    if not asked.address:
        raise SyncError("No place was named: set SER_SYNC, or give --from PLACE.")
    place = open_place(asked.address)
    store = LabelStore(settings.home)
    moved = Replica(store, place, clips=asked.clips).round()
    print(f"{place.name}: {describe(moved)}")
    for what in AnnotationSettingsSync.of(store, place)():
        print(f"{what[:1].upper()}{what[1:]}")
    if asked.models:
        champion = ChampionSync(store.home, place)()
        print(f"Champion: {champion or 'the same on both sides'}")
    for name in moved.damaged:
        print(f"{name} is not what its name says and was left out.")
    return 1 if moved.damaged else 0


def describe(moved: Moved) -> str:
    """Return what moved, in a line.

    >>> describe(Moved(received=2, sent=1))
    '2 events received, 1 sent'
    """
    words = f"{moved.received} events received, {moved.sent} sent"
    if moved.clips_received or moved.clips_sent:
        words += f"; {moved.clips_received} recordings received, {moved.clips_sent} sent"
    if moved.forgotten:
        words += f"; {moved.forgotten} rows and recordings forgotten there"
    return words
