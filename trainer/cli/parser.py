"""The words of ``python -m trainer``: verbs and flags. Importing it imports no torch."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial

from trainer.cli.flags import add_settings
from trainer.experiments.tune import SAMPLERS
from trainer.lifecycle.rule import flags_of_rule
from trainer.presets import SETTINGS_PRESETS
from trainer.training.tracking import TRACKERS


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        work: ``"module:function"``, imported when the verb runs; takes context, settings, words.
        help: one line.
        preset: what its settings start from where nobody says; None where it takes no settings.
        fetches: whether corpora in S3 are fetched before it begins.
    """

    work: str
    help: str
    preset: str | None = ""
    fetches: bool = True


VERBS: dict[str, Verb] = {
    "run": Verb(
        "trainer.cli.fine_tune:run",
        "fine-tune the champion on what is new; promote it if it is better (the default verb)",
        "fine-tune",
        fetches=False,
    ),
    "fit": Verb(
        "trainer.cli.fit:fit_verb", "train a model from the corpora", "default", fetches=False
    ),
    "evaluate": Verb("trainer.cli.evaluate:evaluate_verb", "evaluate a model on the test speakers"),
    "compare": Verb("trainer.cli.compare:compare_verb", "compare models or backbones in one table"),
    "tune": Verb("trainer.cli.tune:tune_verb", "search for better settings"),
    "out-of-fold": Verb(
        "trainer.cli.out_of_fold:out_of_fold_verb",
        "predict each clip by a model that never had its speaker, to find wrong labels",
        "statistics",
    ),
    "promote": Verb("trainer.cli.versions:promote", "let a version serve if it is good enough"),
    "rollback": Verb(
        "trainer.cli.versions:rollback", "let the version before serve again", preset=None
    ),
    "history": Verb(
        "trainer.cli.versions:history", "list versions and what was decided", preset=None
    ),
    "download": Verb(
        "trainer.cli.download:download_verb", "fetch a corpus into SER_HOME/corpora", preset=None
    ),
}

VERB_ALIASES: dict[str, str] = {"opinions": "out-of-fold"}
"""Verbs' former names."""


def named(word: str) -> str:
    """Return the verb that a word names, or "".

    >>> named("opinions"), named("--every")
    ('out-of-fold', '')
    """
    word = VERB_ALIASES.get(word, word)
    return word if word in VERBS else ""


def build_parser(home: str, default: str, verb: str) -> argparse.ArgumentParser:
    """Return the parser.

    Args:
        home: SER_HOME where no flag says so.
        default: checkpoint that serves while none was promoted, where no flag says so.
        verb: the one that gets its flags; the others are only named.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home", default=home, metavar="DIR", help=f"SER_HOME (default {home or '.'})"
    )
    common.add_argument(
        "--default",
        default=default,
        metavar="DIR",
        help="checkpoint that serves while none was promoted (SER_MODEL; the shipped one)",
    )
    learning = argparse.ArgumentParser(add_help=False, parents=[common])
    learning.add_argument("--config", metavar="FILE", help="TOML file of settings")
    learning.add_argument(
        "--encoder",
        default="",
        metavar="NAME",
        help="pretrained speech encoder: its name on the Hub, or a local folder",
    )
    learning.add_argument(
        "--preset",
        metavar=f"{{{','.join(SETTINGS_PRESETS)}}}",
        help="named settings to start from; the file and the flags go over them",
    )
    tracked = argparse.ArgumentParser(add_help=False)
    tracked.add_argument(
        "--track", choices=TRACKERS, default="none", help="experiment tracker (default none)"
    )
    rule = _rule()
    figures = argparse.ArgumentParser(add_help=False)
    group = figures.add_argument_group("more figures")
    group.add_argument("--robustness", action="store_true", help="UAR under each augmentation")
    group.add_argument(
        "--cross-corpus", action="store_true", help="train on each corpus, test on each (trains)"
    )
    group.add_argument(
        "--leave-one-out", action="store_true", help="test on each corpus left out (trains)"
    )
    parents = {
        "run": [learning, tracked, rule],
        "fit": [learning, tracked, figures],
        "evaluate": [learning, tracked, figures],
        "compare": [learning, tracked],
        "tune": [learning, tracked],
        "out-of-fold": [learning, tracked],
        "promote": [learning, rule],
    }
    parser = argparse.ArgumentParser(
        "python -m trainer", description="Train, evaluate and promote models; without a verb: run."
    )
    # A shortened flag would change its meaning with the next setting that begins alike.
    add = partial(
        parser.add_subparsers(dest="verb", required=True, metavar="VERB").add_parser,
        allow_abbrev=False,
    )
    flags = {
        "run": _run_flags,
        "fit": _fit_flags,
        "evaluate": _evaluate_flags,
        "compare": _compare_flags,
        "tune": _tune_flags,
        "promote": _promote_flags,
        "download": _download_flags,
    }
    for name, held in VERBS.items():
        if name != verb:
            add(name, help=held.help)
            continue
        plain = [common] if held.preset is None else [learning]
        one = add(name, parents=parents.get(name, plain), help=held.help, description=held.help)
        if held.preset is not None:
            add_settings(one, held.preset)
        if name in flags:
            flags[name](one)
    return parser


def _rule() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    rule = parser.add_argument_group("promotion")
    for one in flags_of_rule():
        rule.add_argument(
            f"--{one.name}",
            type=float,
            metavar="X",
            default=one.default,
            help=f"{one.metadata['help']} (default {one.default:g})",
        )
    return parser


def _run_flags(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("this run")
    group.add_argument("--every", metavar="TIME", help="run again and again: 30min, 6h, 1d")
    group.add_argument(
        "--min-new",
        type=int,
        default=0,
        metavar="N",
        help="new labels needed for a run (default 0)",
    )
    group.add_argument(
        "--trusted",
        nargs="*",
        metavar="NAME",
        help="annotators whose labels count; without it the Corpus tab's list",
    )
    group.add_argument(
        "--min-annotations",
        type=int,
        default=1,
        metavar="N",
        help="annotators who must agree on a label (default 1)",
    )
    group.add_argument(
        "--min-votes", dest="min_annotations", type=int, default=1, help=argparse.SUPPRESS
    )
    group.add_argument(
        "--keep", type=int, default=5, metavar="N", help="versions to keep (default 5)"
    )
    group.add_argument("--force", action="store_true", help="train even if nothing is new")


def _fit_flags(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("this model")
    group.add_argument("--out", metavar="DIR", help="folder of the checkpoint; else a new version")
    group.add_argument("--version", default="", metavar="NAME", help="name of the version")
    group.add_argument("--push", default="", metavar="S3", help="s3:// place to send it to")


def _evaluate_flags(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "model", nargs="?", default="", help="version, folder or s3:// place; else the champion"
    )
    group = one.add_argument_group("the whole report", "remembered part by part under cache/")
    group.add_argument(
        "--complete",
        action="store_true",
        help="--unseen-corpora, --conditions, --non-speech and --voices",
    )
    group.add_argument(
        "--unseen-corpora",
        nargs="*",
        metavar="CORPUS",
        help="all clips of corpora that were not trained on; every such one without names",
    )
    group.add_argument("--never-heard", dest="unseen_corpora", nargs="*", help=argparse.SUPPRESS)
    group.add_argument(
        "--unseen-clips",
        type=int,
        default=0,
        metavar="N",
        help="clips to sample of each of them, by emotion (default 0: all)",
    )
    group.add_argument(
        "--conditions", action="store_true", help="telephone, noise, reverb and quiet beside clean"
    )
    group.add_argument(
        "--condition-clips",
        type=int,
        default=0,
        metavar="N",
        help="test clips to sample for them, by corpus and emotion (default 0: all)",
    )
    group.add_argument(
        "--non-speech", action="store_true", help="how often it abstains on sounds without speech"
    )
    group.add_argument(
        "--voices",
        action="store_true",
        help="without and with the speaker's voice, where the model takes account of it",
    )
    group.add_argument(
        "--sounds", type=int, default=25, metavar="N", help="sounds of a kind (default 25)"
    )
    group.add_argument(
        "--tables", nargs="*", metavar="FILE", help="tables of other studies to show (JSON)"
    )
    group.add_argument("--remarks", metavar="FILE", help="Markdown for the card: what was tried")
    group.add_argument(
        "--calibrate",
        nargs="?",
        const="validation",
        choices=("validation", "out-of-fold"),
        help="fit calibration and abstention anew, on the validation speakers or, where only the "
        "head learned, on all but the test speakers by heads that never had them",
    )
    group.add_argument(
        "--write",
        action="store_true",
        help="write metrics.json and README.md of the checkpoint (with --calibrate, that too)",
    )
    for ending in ("json", "csv", "html"):
        group.add_argument(f"--{ending}", metavar="FILE", help=f"write the report as {ending}")


def _compare_flags(one: argparse.ArgumentParser) -> None:
    one.add_argument("models", nargs="*", help="versions, folders or s3:// places")
    one.add_argument(
        "--backbones",
        type=_list,
        default=[],
        metavar="A,B",
        help="train these: cnn,attention,lstm,gru,mlp",
    )
    group = one.add_argument_group(
        "under one budget", "every row is kept under cache/studies/: the same command goes on"
    )
    group.add_argument(
        "--minutes", type=float, default=0, metavar="X", help="training time of each backbone"
    )
    group.add_argument("--test", action="store_true", help="evaluate the test speakers too")
    group.add_argument(
        "--random-split",
        type=_list,
        default=[],
        metavar="A,B",
        help="backbones to train on a leaky split too",
    )
    group.add_argument(
        "--leave-one-out-of",
        type=_list,
        default=[],
        metavar="A,B",
        help="backbones to train without each corpus",
    )
    group.add_argument(
        "--study", default="backbones", metavar="NAME", help="name of the study's folder"
    )
    for ending in ("json", "csv", "markdown"):
        group.add_argument(f"--{ending}", metavar="FILE", help=f"write the table as {ending}")


def _tune_flags(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("the search")
    group.add_argument(
        "--space", metavar="FILE", help="JSON: setting -> list, or low, high and log"
    )
    group.add_argument("--sampler", choices=SAMPLERS, default="tpe", help="(default tpe)")
    group.add_argument("--trials", type=int, default=20, metavar="N", help="trials (default 20)")
    group.add_argument(
        "--study", default="study", metavar="NAME", help="the same name goes on with it"
    )
    group.add_argument("--no-pruning", action="store_true", help="finish every trial")


def _promote_flags(one: argparse.ArgumentParser) -> None:
    one.add_argument("version", help="name of the version")
    one.add_argument("--anyway", action="store_true", help="without comparing it first")


def _download_flags(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "location", nargs="?", default="", help="a known corpus, s3://, https:// or an archive"
    )
    one.add_argument("--accept-licence", action="store_true", help="accept it without being asked")
    one.add_argument("--name", default="", metavar="NAME", help="name of its folder")
    one.add_argument("--reader", default="", metavar="NAME", help="name of its reader")


def _list(text: str) -> list[str]:
    aliases = {"lstm": "bilstm", "gru": "bigru"}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [aliases.get(part, part) for part in parts]
