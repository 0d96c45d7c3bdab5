"""``forget``: take a person or recordings out of the store, and out of the place it is kept at."""

from __future__ import annotations

import argparse
import sys

from label_store.cli.settings import StoreSettings, Verbs
from label_store.cli.sync import describe
from label_store.errors import SyncError
from label_store.forget import forget_annotator, forget_clips, forget_older
from label_store.store import LabelStore
from label_store.sync.open import open_place
from label_store.sync.replica import Replica


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "forget",
        help="remove a person's or a recording's personal data, here and at SER_SYNC",
        description="Recordings lose their bytes and events their personal fields (name, session, "
        "notes, time of day). Which emotion each clip was given stays, under a name that says "
        "nothing. It can't be taken back.",
    )
    what = verb.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--annotator",
        metavar="NAME",
        help="who made events, what they recorded, and their kept voice",
    )
    what.add_argument("--clip", metavar="SHA", nargs="+", help="recordings, by their SHA-256")
    what.add_argument(
        "--older-than",
        metavar="DAYS",
        type=float,
        help="recordings of no corpus that nobody worked on for so many days",
    )
    verb.set_defaults(run=run)


def run(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Forget, here and at the place, and say what went.

    Raises:
        StoreError: there is nothing of that name, or a disk or the place did not take it.
    """
    store = LabelStore(settings.home)
    replica = None
    if settings.sync.address:
        place = open_place(settings.sync.address)
        replica = Replica(store, place, clips=settings.sync.clips)
        replica.round()  # so that what others know of the person is forgotten with it
    if args.annotator is not None:
        done = forget_annotator(store, args.annotator)
    elif args.clip:
        done = forget_clips(store, args.clip)
    else:
        done = forget_older(store, args.older_than)
    print(f"Here: {done.events} events without personal fields, {len(done.clips)} recordings gone.")
    if done.voices:
        print(f"{done.voices} kept voices gone.")
    if replica is None:
        return 0
    try:
        print(f"{replica.place.name}: {describe(replica.round())}")
    except SyncError as error:
        print(
            f"{error} It is forgotten here; the place follows with the next `sync`, which is to "
            "be run again.",
            file=sys.stderr,
        )
        return 1
    return 0
