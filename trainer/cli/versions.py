"""``promote``, ``rollback`` and ``history``: which version serves, and which did."""

from __future__ import annotations

import argparse

from ser_core.checkpoints.champion import champion_folder
from ser_core.inference.recognizer import Recognizer
from trainer.cli.arguments import folder_of, rule_of
from trainer.cli.context import Context
from trainer.data.prepare import prepare
from trainer.lifecycle import versions
from trainer.lifecycle.lock import only_one
from trainer.lifecycle.run import compare, test_clips, thin
from trainer.settings import Settings


def promote(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Promote a version if it holds up against the champion; with --anyway without asking."""
    with only_one(context.home, "promote"):
        folder = folder_of(context, args.version)
        if args.anyway:
            versions.promote(context.home, args.version, "promoted by hand")
            print(f"{args.version} serves")
            return 0
        start = champion_folder(context.home, context.default)
        emotions = tuple(
            dict.fromkeys(e for f in (start, folder) for e in Recognizer(f, "cpu").emotions)
        )
        prepared = prepare(settings, context.home.decoded, emotions=emotions, tick=args.tick)
        clips = test_clips(thin(prepared, 2 * settings.max_clips, settings.seed))
        decision = compare(
            context.home, start, folder, clips, settings=settings, rule=rule_of(args)
        )
        if decision.promote:
            versions.promote(context.home, args.version, "; ".join(decision.reasons))
    print(f"{args.version} {decision}")
    return 0 if decision.promote else 3


def rollback(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Let the version that served before serve again."""
    with only_one(context.home, "rollback"):
        before = versions.rollback(context.home)
    print(f"{before or 'the shipped model'} serves again")
    return 0


def history(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Print every version and everything that was done."""
    for version in versions.versions(context.home):
        mark = "*" if version.champion else " "
        uar = f"{version.uar:.3f}" if version.uar is not None else "  -  "
        parent = f"from {version.parent}" if version.parent else ""
        print(f"{mark} {version.name}  UAR {uar}  {parent}{version.problem}")
    for row in versions.history(context.home):
        what = "; ".join(row.get("reasons", [])) or row.get("reason", "")
        print(f"{row['time']}  {row['action']:<8} {row.get('version') or 'shipped model'}  {what}")
    return 0
