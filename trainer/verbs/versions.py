"""``promote``, ``rollback`` and ``history``: which version serves, and which did."""

from __future__ import annotations

import argparse

from ser_core.champion import champion_folder
from ser_core.recognizer import Recognizer
from trainer import versions
from trainer.lock import only_one
from trainer.prepare import prepare
from trainer.run import cache_folder, judge, test_clips, thin
from trainer.settings import Settings
from trainer.verbs.place import Place, folder_of, rule_of


def promote(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Promote a version if it holds up against the champion; with --anyway without asking."""
    with only_one(place.home, "promote"):
        folder = folder_of(place, args.version)
        if args.anyway:
            versions.promote(place.home, args.version, "promoted by hand")
            print(f"{args.version} serves")
            return 0
        start = champion_folder(place.home, place.default)
        emotions = tuple(
            dict.fromkeys(e for f in (start, folder) for e in Recognizer(f, "cpu").emotions)
        )
        prepared = prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)
        clips, load = test_clips(thin(prepared, 2 * settings.max_clips, settings.seed))
        decision = judge(start, folder, clips, load, settings=settings, rule=rule_of(args))
        if decision.promote:
            versions.promote(place.home, args.version, "; ".join(decision.reasons))
    print(f"{args.version} {decision}")
    return 0 if decision.promote else 3


def rollback(place: Place) -> int:
    """Let the version that served before serve again."""
    with only_one(place.home, "rollback"):
        before = versions.rollback(place.home)
    print(f"{before or 'the shipped model'} serves again")
    return 0


def history(place: Place) -> int:
    """Print every version and everything that was done."""
    for version in versions.versions(place.home):
        mark = "*" if version.champion else " "
        uar = f"{version.uar:.3f}" if version.uar is not None else "  -  "
        parent = f"from {version.parent}" if version.parent else ""
        print(f"{mark} {version.name}  UAR {uar}  {parent}{version.problem}")
    for row in versions.history(place.home):
        what = "; ".join(row.get("reasons", [])) or row.get("reason", "")
        print(f"{row['time']}  {row['action']:<8} {row.get('version') or 'shipped model'}  {what}")
    return 0
