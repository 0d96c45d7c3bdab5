"""``python -m trainer``: the command line and the environment, and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.errors import SerError
from ser_core.home import Home
from trainer.cli.console import Console
from trainer.cli.context import Context
from trainer.cli.flags import given_settings
from trainer.cli.parser import VERBS, Verb, build_parser, named
from trainer.errors import (
    BUSY,
    FirstFailedError,
    InterruptedRunError,
    LockedError,
    SettingsError,
    TrainerError,
)
from trainer.presets import preset, with_encoder
from trainer.settings import Settings
from trainer.settings_file import read_toml

if TYPE_CHECKING:
    from ser_core.corpora.sources import CorpusInfo

_SHIPPED = Path(__file__).resolve().parent.parent / "models" / "default"


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status (75 where another run is at work or was stopped)."""
    given = list(sys.argv[1:] if words is None else words)
    if given and named(given[0]):
        given[0] = named(given[0])
    elif not given or given[0] not in ("-h", "--help"):
        given = ["run", *given]
    home = os.environ.get("SER_HOME") or "data"
    model = os.environ.get("SER_MODEL") or str(_SHIPPED)
    args = build_parser(home, model, given[0]).parse_args(given)
    console = Console(sys.stderr.isatty())
    args.progress = console.callbacks()
    args.tick, args.transfer, args.predicting = (
        console.decoding,
        console.fetching,
        console.predicting,
    )
    # Imported here so that --help needn't read the store.
    from label_store.errors import StoreError

    args.accept = _accepted if getattr(args, "accept_licence", False) else _asked
    try:
        return _dispatch(Context(Home(args.home), Path(args.default)), args, given)
    except FirstFailedError:
        return 1  # the first process says why
    except (LockedError, InterruptedRunError) as error:
        if os.environ.get("RANK", "0") == "0":
            print(error, file=sys.stderr)
        return BUSY
    except (TrainerError, SerError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"the disk refused: {error.strerror or error}{where}", file=sys.stderr)
        return 1


def _dispatch(context: Context, args: argparse.Namespace, given: Sequence[str]) -> int:
    verb = VERBS[args.verb]
    settings = Settings() if verb.preset is None else _settings(verb, args, context)
    args.words = _once(given)
    module, _, function = verb.work.partition(":")
    if verb.preset is not None and verb.fetches:
        settings = import_module("trainer.cli.arguments").local(context, settings, args)
    status: int = getattr(import_module(module), function)(context, settings, args)
    return status


def _once(given: Sequence[str]) -> list[str]:
    """Return the words of a single run: the same without --every."""
    kept: list[str] = []
    skip = False
    for word in given:
        if skip or word.startswith("--every="):
            skip = False
        elif word == "--every":
            skip = True
        else:
            kept.append(word)
    return kept


def _settings(verb: Verb, args: argparse.Namespace, context: Context) -> Settings:
    """Presets first, then the TOML file, then flags; SER_DEVICE below all of them."""
    file = read_toml(args.config) if args.config else {}
    name = file.pop("preset", "")
    name = args.preset or name or ("encoder" if args.encoder else verb.preset)
    if not isinstance(name, str):
        raise SettingsError(f"{args.config}: preset is {name!r}; it must be the name of a preset.")
    below: dict[str, Any] = {
        "corpora": str(context.home.corpora),
        "device": os.environ.get("SER_DEVICE") or "auto",
    }
    given = given_settings(args)
    if name == "fine-tune" and {**file, **given}.get("depth", "head") != "head":
        name = "fine-tune-deep"
    settings = (preset(name) if name else Settings()).with_values(below)
    if file:
        settings = settings.with_values(file, str(args.config))
    settings = settings.with_values(given, "the command line")
    return with_encoder(settings, args.encoder) if args.encoder else settings


def _accepted(info: CorpusInfo) -> bool:
    print(f"{info.title}: {info.licence}, see {info.url}; cite {info.citation}", file=sys.stderr)
    return True


def _asked(info: CorpusInfo) -> bool:
    _accepted(info)
    if not sys.stdin.isatty():
        print("nobody is there to be asked: --accept-licence accepts it", file=sys.stderr)
        return False
    return input("Do you accept this licence? [y/N] ").strip().casefold() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
