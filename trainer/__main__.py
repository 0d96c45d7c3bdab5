"""``python -m trainer``: the command line and the environment, and nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from label_store.errors import StoreError
from ser_core.errors import SerError
from ser_core.sources import CorpusInfo
from trainer import verbs
from trainer.errors import (
    FirstFailedError,
    InterruptedRunError,
    LockedError,
    SettingsError,
    TrainerError,
)
from trainer.loop import Progress
from trainer.run import FINE_TUNE
from trainer.schedule import BUSY
from trainer.settings import SETTINGS_PRESETS, Settings, preset, read_toml
from trainer.tracking import TRACKERS
from trainer.tune import SAMPLERS

VERBS = (
    "run",
    "fit",
    "evaluate",
    "compare",
    "tune",
    "opinions",
    "promote",
    "rollback",
    "history",
    "download",
)
PRESET_OF = {"fit": "default", "opinions": "statistics"}
"""What a verb starts from where nothing is said."""

_SHIPPED = Path(__file__).resolve().parent.parent / "models" / "default"


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status (75 where another run is at work or was stopped)."""
    given = list(sys.argv[1:] if words is None else words)
    if not given or (given[0] not in VERBS and given[0] not in ("-h", "--help")):
        given = ["run", *given]
    args = _parser().parse_args(given)
    home = Path(args.home)
    shown = _Shown(sys.stderr.isatty())
    args.progress, args.tick, args.transfer = shown.progress(), shown.tick, shown.transfer
    args.hearing = shown.hearing
    args.accept = _accepted if getattr(args, "accept_licence", False) else _asked
    place = verbs.Place(home, Path(args.default))
    try:
        return _dispatch(place, args, given)
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
        print(f"the disk said no: {error.strerror or error}{where}", file=sys.stderr)
        return 1


def _dispatch(place: verbs.Place, args: argparse.Namespace, given: Sequence[str]) -> int:
    if args.verb == "rollback":
        return verbs.rollback(place)
    if args.verb == "history":
        return verbs.history(place)
    if args.verb == "download":
        return verbs.download_verb(place, args)
    settings = _settings(args, place.home)
    if args.verb == "run" and args.every:
        return verbs.run(place, settings, args, _once(given))
    if args.verb == "fit":
        return verbs.fit_verb(place, settings, args)
    settings = verbs.local(place, settings, args)
    if args.verb == "run":
        return verbs.run(place, settings, args, ())
    if args.verb == "evaluate":
        return verbs.evaluate_verb(place, settings, args)
    if args.verb == "compare":
        return verbs.compare_verb(place, settings, args)
    if args.verb == "tune":
        return verbs.tune_verb(place, settings, args)
    if args.verb == "opinions":
        return verbs.opinions_verb(place, settings, args)
    return verbs.promote(place, settings, args)


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


def _settings(args: argparse.Namespace, home: Path) -> Settings:
    """Presets first, then the TOML file, then flags; SER_DEVICE below all of them."""
    file = read_toml(args.config) if args.config else {}
    name = args.preset or file.pop("preset", "") or PRESET_OF.get(args.verb, "")
    file.pop("preset", None)
    if not isinstance(name, str):
        raise SettingsError(f"{args.config}: preset is {name!r}; the name of one was expected")
    base = preset(name) if name else Settings()
    below: dict[str, Any] = {
        "corpora": str(home / "corpora"),
        "device": os.environ.get("SER_DEVICE", "auto") or "auto",
    }
    if args.verb == "run" and not name:
        below |= FINE_TUNE
    settings = base.with_values(below)
    if file:
        settings = settings.with_values(file, str(args.config))
    flags = {
        field.name: _value(field, getattr(args, field.name))
        for field in dataclasses.fields(Settings)
        if getattr(args, field.name, None) is not None
    }
    return settings.with_values(flags, "the command line")


def _value(field: dataclasses.Field[Any], text: str) -> Any:
    """Read a flag's text in the type of its setting."""
    default = getattr(Settings(), field.name)
    try:
        if isinstance(default, bool):
            return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
        if isinstance(default, int | float):
            return type(default)(text)
        if isinstance(default, dict):
            return json.loads(text)
        if isinstance(default, tuple) and (not text or text[:1] == "["):
            return json.loads(text or "[]")
        if field.name in ("names", "emotions"):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if field.name == "crop_seconds":
            return tuple(float(part) for part in text.split(","))
    except (ValueError, KeyError) as error:
        flag = field.name.replace("_", "-")
        raise SettingsError(f"--{flag} is “{text}”, no {type(default).__name__}") from error
    return text


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", default=os.environ.get("SER_HOME", "data"), help="SER_HOME")
    common.add_argument(
        "--default",
        default=os.environ.get("SER_MODEL") or str(_SHIPPED),
        help="checkpoint that serves while none was promoted (SER_MODEL)",
    )
    learning = argparse.ArgumentParser(add_help=False, parents=[common])
    learning.add_argument("--config", help="TOML file of settings")
    learning.add_argument("--preset", choices=tuple(SETTINGS_PRESETS), help="where to start from")
    group = learning.add_argument_group("settings", "see trainer/settings.py for each")
    for field in dataclasses.fields(Settings):
        group.add_argument(f"--{field.name.replace('_', '-')}", metavar="VALUE")
    rule = argparse.ArgumentParser(add_help=False)
    rule.add_argument("--confidence", type=float, default=0.9, help="that UAR is not worse")
    rule.add_argument("--margin", type=float, default=0.01, help="fall of UAR that is no fall")
    rule.add_argument("--fall", type=float, default=0.0, help="most that the measured UAR may fall")
    rule.add_argument("--floor", type=float, default=0.1, help="most that a recall may fall")
    rule.add_argument("--calibration", type=float, default=0.02, help="most that ECE may rise")
    figures = argparse.ArgumentParser(add_help=False)
    figures.add_argument("--robustness", action="store_true", help="under each augmentation")
    figures.add_argument("--cross-corpus", action="store_true", help="corpus x corpus (trains)")
    figures.add_argument("--leave-one-out", action="store_true", help="corpora unheard (trains)")

    parser = argparse.ArgumentParser(
        "python -m trainer", description="Train, judge and promote models; no verb means run."
    )
    # A shortened flag would change its meaning with the next setting that begins alike.
    add = partial(parser.add_subparsers(dest="verb", required=True).add_parser, allow_abbrev=False)
    one = add("run", parents=[learning, rule], help="fine-tune on what is new, promote if better")
    one.add_argument("--every", help="again and again: 30min, 6h, 1d")
    one.add_argument("--min-new", type=int, default=0, help="new labels that are worth a run")
    one.add_argument("--trusted", nargs="*", help="annotators that count, over the page's list")
    one.add_argument("--min-votes", type=int, default=1, help="votes that a label needs")
    one.add_argument("--keep", type=int, default=5, help="versions to keep")
    one.add_argument("--force", action="store_true", help="train even if nothing is new")
    one = add("fit", parents=[learning, figures], help="train a model from the corpora")
    one.add_argument("--out", help="folder of the checkpoint; a new version without it")
    one.add_argument("--version", default="", help="name of the version")
    one.add_argument("--track", choices=TRACKERS, default="none")
    one.add_argument("--push", default="", help="s3:// place that gets the checkpoint")
    one = add("evaluate", parents=[learning, figures], help="figures on the test speakers")
    one.add_argument("model", nargs="?", default="", help="version, folder or s3://; the champion")
    _add_report_flags(one)
    for ending in ("json", "csv", "html"):
        one.add_argument(f"--{ending}", help=f"file that gets the report as {ending.upper()}")
    one = add("compare", parents=[learning], help="several models or backbones in one table")
    one.add_argument("models", nargs="*")
    _add_compare_flags(one)
    one = add("tune", parents=[learning], help="search for better settings")
    one.add_argument("--space", help="JSON file: setting -> list, or low, high and log")
    one.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    one.add_argument("--trials", type=int, default=20)
    one.add_argument("--study", default="study", help="name; the same name goes on with it")
    one.add_argument("--no-pruning", action="store_true")
    add("opinions", parents=[learning], help="judge every clip unheard, to find wrong labels")
    one = add("promote", parents=[learning, rule], help="let a version serve if it holds up")
    one.add_argument("version")
    one.add_argument("--anyway", action="store_true", help="without comparing it first")
    add("rollback", parents=[common], help="let the version before serve again")
    add("history", parents=[common], help="versions and what was decided")
    one = add("download", parents=[common], help="bring a corpus into SER_HOME/corpora")
    one.add_argument(
        "location", nargs="?", default="", help="a known corpus, s3://, https:// or an archive"
    )
    one.add_argument("--accept-licence", action="store_true", help="without being asked")
    one.add_argument("--name", default="", help="name of its folder")
    one.add_argument("--reader", default="", help="name of its reader")
    return parser


def _add_report_flags(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("the whole report", "remembered part by part under cache/")
    group.add_argument(
        "--complete", action="store_true", help="--never-heard, --conditions and --non-speech"
    )
    group.add_argument(
        "--never-heard",
        nargs="*",
        metavar="CORPUS",
        help="all clips of corpora that were not trained on; every such one without names",
    )
    group.add_argument(
        "--conditions", action="store_true", help="telephone, noise, reverb and quiet beside clean"
    )
    group.add_argument(
        "--condition-clips",
        type=int,
        default=0,
        metavar="N",
        help="a sample of the test clips for them, by corpus and emotion; all without it",
    )
    group.add_argument(
        "--non-speech", action="store_true", help="“unsure” on sounds that nobody speaks"
    )
    group.add_argument("--sounds", type=int, default=25, metavar="N", help="sounds of a kind")
    group.add_argument("--tables", nargs="*", help="tables of other studies to show (JSON)")
    group.add_argument("--remarks", help="Markdown on what was tried, for the card")
    group.add_argument(
        "--calibrate",
        action="store_true",
        help="fit calibration and limits of doubt anew, on the validation speakers",
    )
    group.add_argument(
        "--write",
        action="store_true",
        help="write metrics.json and README.md of the checkpoint (with --calibrate, that too)",
    )


def _add_compare_flags(one: argparse.ArgumentParser) -> None:
    one.add_argument("--backbones", type=_list, default=[], help="cnn,attention,lstm,gru,mlp")
    group = one.add_argument_group(
        "under one budget", "every row is kept under cache/studies/: the same command goes on"
    )
    group.add_argument("--minutes", type=float, default=0, help="training time of each backbone")
    group.add_argument("--test", action="store_true", help="open the test speakers too")
    group.add_argument(
        "--random-split", type=_list, default=[], help="backbones to train on a leaky split too"
    )
    group.add_argument(
        "--leave-one-out-of", type=_list, default=[], help="backbones to train without each corpus"
    )
    group.add_argument("--study", default="backbones", help="name of the folder of its rows")
    for ending in ("json", "csv", "markdown"):
        group.add_argument(f"--{ending}", help=f"file that gets the table as {ending}")


def _list(text: str) -> list[str]:
    aliases = {"lstm": "bilstm", "gru": "bigru"}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [aliases.get(part, part) for part in parts]


def _accepted(info: CorpusInfo) -> bool:
    print(f"{info.title}: {info.licence}, see {info.url}; cite {info.citation}", file=sys.stderr)
    return True


def _asked(info: CorpusInfo) -> bool:
    _accepted(info)
    if not sys.stdin.isatty():
        print("there is nobody to ask: --accept-licence accepts it", file=sys.stderr)
        return False
    return input("Do you accept this licence? [y/N] ").strip().casefold() in ("y", "yes")


class _Shown:
    """A bar with rate and remaining time in a terminal, plain lines elsewhere."""

    def __init__(self, terminal: bool) -> None:
        from tqdm import tqdm

        self._make = tqdm
        self.terminal = terminal
        self.bar: Any = None

    def log(self, line: str) -> None:
        if self.terminal:
            self._make.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def step(self, done: int, total: int, loss: float) -> None:
        self._advance(done, total, "training", f"loss {loss:.3f}")

    def tick(self, done: int, total: int) -> None:
        self._advance(done, total, "decoding", "")

    def transfer(self, done: int, total: int) -> None:
        self._advance(done, total, "fetching", "")

    def hearing(self, done: int, total: int) -> None:
        self._advance(done, total, "hearing", "")

    def _advance(self, done: int, total: int, what: str, beside: str) -> None:
        if not self.terminal:
            return
        if self.bar is None or self.bar.desc != f"{what}: ":
            if self.bar is not None:
                self.bar.close()
            self.bar = self._make(
                total=total or None,
                initial=done - 1,
                desc=what,
                file=sys.stderr,
                leave=False,
                unit_scale=what == "fetching",
            )
        self.bar.set_postfix_str(beside, refresh=False)
        self.bar.update(done - self.bar.n)
        if 0 < total <= done:
            self.bar.close()
            self.bar = None

    def progress(self) -> Progress:
        """Return whom the loop tells."""
        return Progress(self.log, self.step)


if __name__ == "__main__":
    sys.exit(main())
