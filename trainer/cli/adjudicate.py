"""``adjudicate``: list what annotators differ on, and settle one of them."""

from __future__ import annotations

import argparse

from label_store.adjudication import Dispute, adjudicate, alpha_before_after, disputes
from label_store.cli.settings import StoreSettings, Verbs
from label_store.errors import EventError, StoreError
from label_store.event import INTENSITIES, LabelEvent
from label_store.store import LabelStore
from label_store.trust import who_counts


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "adjudicate",
        help="list the clips that annotators label differently, or settle one",
        description="Without words it lists what annotators differ on, without their names. "
        "A decision is the label of its clip, whatever the annotators said; the page's Corpus tab "
        "does the same with the sound.",
    )
    verb.add_argument(
        "clip", nargs="?", metavar="CLIP", help="file name, or first digits of SHA-256"
    )
    verb.add_argument("emotion", nargs="?", metavar="EMOTION")
    verb.add_argument("--annotator", metavar="NAME", help="who decides; needed for a decision")
    verb.add_argument("--start", type=float, help="start in seconds, where a segment is meant")
    verb.add_argument(
        "--second", metavar="EMOTION", help="a second emotion that is heard beside the first"
    )
    verb.add_argument(
        "--intensity", type=int, choices=INTENSITIES, help="how strongly it is expressed; 3 = most"
    )
    verb.add_argument("--note", default="", help="why it was decided so")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace, settings: StoreSettings) -> int:
    """List what is open, or save a decision.

    Raises:
        StoreError: no such dispute, or several; no annotator; what is beside the emotion does not
            fit it; or the disk did not take it.
    """
    store = LabelStore(settings.home)
    trusted = who_counts(store)
    beside = args.second is not None or args.intensity is not None
    if args.clip is None and not beside:
        waiting = disputes(store.state(), trusted)
        for one in waiting:
            print(_line(one))
        print(f"{len(waiting)} wait for a decision.")
        return 0
    if not args.emotion or not args.annotator:
        raise StoreError("A decision needs CLIP, EMOTION and --annotator NAME. Nothing was saved.")
    if not trusted.trusts(args.annotator):
        raise StoreError(
            f"{args.annotator} is not among the trusted annotators "
            f"({', '.join(sorted(trusted.names or ()))}), "
            "so the decision would not count. Nothing was saved."
        )
    if not trusted.counts_from_now(args.annotator):
        raise StoreError(
            f"{args.annotator} has not passed the practice round, so the decision would not count. "
            "Nothing was saved."
        )
    known = disputes(store.state(), trusted) + disputes(store.state(), trusted, settled=True)
    saved = adjudicate(
        store,
        _chosen(known, args.clip, args.start),
        _canonical(args.emotion),
        args.annotator,
        second_emotion=_canonical(args.second) if args.second else "",
        intensity=args.intensity,
        note=args.note,
    )
    found = alpha_before_after(store.state(), trusted)
    print(f"Saved #{saved.number}: {saved.event.file_name} is {_in_words(saved.event)}.")
    print(
        f"Krippendorff's alpha: {_num(found.before)} before, {_num(found.after)} after decisions."
    )
    return 0


def _chosen(known: list[Dispute], written: str, start: float | None) -> Dispute:
    found = [
        one
        for one in known
        if (
            written in {one.file_name, f"{one.corpus}/{one.file_name}"}
            or (len(written) >= 6 and one.clip.startswith(written))
        )
        and one.start == start
    ]
    if len(found) == 1:
        return found[0]
    many = "Several clips" if found else "No clip"
    at = "" if start is None else f" from {start:g} s"
    raise StoreError(
        f"{many} called “{written[:80]}”{at} that annotators label differently. "
        "`python -m label_store adjudicate` lists what there is. Nothing was saved."
    )


def _line(one: Dispute) -> str:
    emotions = [emotion for _, emotion in one.annotations]
    counts = ", ".join(f"{emotions.count(name)} {name}" for name in sorted(set(emotions)))
    part = (
        "" if one.start is None else f" {one.start:g}-{'' if one.end is None else f'{one.end:g}'} s"
    )
    return f"{one.clip[:12] or '(no file)':12}  {one.corpus}/{one.file_name}{part}: {counts}"


def _in_words(event: LabelEvent) -> str:
    second = f" with {event.second_emotion}" if event.second_emotion else ""
    return f"{event.emotion}{second}" + (
        f", intensity {event.intensity}" if event.intensity else ""
    )


def _canonical(word: str) -> str:
    from ser_core.emotions import canonical
    from ser_core.errors import UnknownEmotionError

    try:
        return canonical(word)
    except UnknownEmotionError as error:
        raise EventError(f"{error} Nothing was saved.") from error


def _num(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
