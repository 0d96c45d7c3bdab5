"""What each part of the default model's recipe is worth: a table of runs with one change each.

    python -m benchmarks.studies.ablations --corpora FOLDER [--backbone cnn] [--seeds 2]
        [--recipe-seeds 3] [--rows "no mixup"]

The recipe is models/default.toml at a reduced length (--epochs, --epoch-clips) and with a light
backbone, so that a row takes minutes; every row sees the same number of clips. Judged are the
validation speakers alone: the test speakers stay shut. Every row is kept under --home, so that the
same command goes on where it was stopped, and what is there is written after each row. Without
--corpora it lists the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_core.files import write_text
from trainer.errors import InterruptedRunError
from trainer.evaluation.metrics import mean_over_corpora
from trainer.experiments.study import Row, Study, Variant
from trainer.presets import preset
from trainer.reporting.tables import ReportTable
from trainer.settings import Settings
from trainer.settings_file import read_toml

ROOT = Path(__file__).resolve().parents[2]
BASE = "the recipe"
MASKS = ("frequency_mask", "time_mask")


def without(settings: Settings, *names: str) -> tuple[dict[str, Any], ...]:
    """Return the recipe on feature maps without the steps of these names."""
    return tuple(step for step in settings.feature_augment if step["name"] not in names)


def changes(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the rows: what is changed in the recipe, by name."""
    rows: dict[str, dict[str, Any]] = {
        BASE: {},
        "silent ends kept": {"trim_silence": False},
        "no mixup": {"mixup": 0.0},
        "no SpecAugment": {"feature_augment": without(settings, *MASKS)},
        "no frequency shift": {"feature_augment": without(settings, "frequency_shift")},
        "no augmentation of the sound": {"augment": ()},
        "no augmentation at all": {"augment": (), "feature_augment": (), "mixup": 0.0},
        "no class or corpus balance": {"balance": "none"},
        "class weights, no corpus balance": {"balance": "class-weights"},
        "corpus power 0": {"corpus_power": 0.0},
        "corpus power 0.5": {"corpus_power": 0.5},
        "corpus power 1": {"corpus_power": 1.0},
        "half of the label from listeners": {"soft_labels": 0.5},
        "whole windows instead of crops": {"crop_seconds": ()},
        "silence behind short clips": {"short_clips": "silence"},
        "short clips repeated": {"short_clips": "repeat"},
        "no averaged weights": {"average": 0.0},
        "no label smoothing": {"label_smoothing": 0.0},
        "normalised by bin": {"normalisation": "zscore_bin"},
    }
    same = {n for n, delta in rows.items() if n != BASE and settings.with_values(delta) == settings}
    return {name: delta for name, delta in rows.items() if name not in same}


def base(args: argparse.Namespace) -> Settings:
    """Return the recipe at the reduced length."""
    file = read_toml(args.config)
    settings = preset(file.pop("preset", "default")).with_values(file, str(args.config))
    values: dict[str, Any] = {
        "corpora": str(args.corpora or ""),
        "epochs": args.epochs,
        "epoch_clips": args.epoch_clips,
        "threads": args.threads,
        "half_weights": False,
    }
    if args.backbone and args.backbone != settings.backbone:
        values |= {"backbone": args.backbone, "backbone_parameters": {}}
    if args.max_clips:
        values["max_clips"] = args.max_clips
    return settings.with_values(values, "the command line")


def table(runs: dict[str, list[Row]], settings: Settings) -> ReportTable:
    """Return the table: mean over seeds, the difference from the recipe, and UAR by corpus."""
    corpora = sorted({name for rows in runs.values() for row in rows for name in row.validation})
    whole = {
        name: [mean_over_corpora(row.validation) for row in rows] for name, rows in runs.items()
    }
    reference = float(np.mean(whole[BASE])) if BASE in whole else float("nan")
    lines = []
    for name, rows in runs.items():
        value = float(np.mean(whole[name]))
        spread = f"{np.ptp(whole[name]):.3f}" if len(rows) > 1 else ""
        against = "" if name == BASE or np.isnan(reference) else f"{value - reference:+.3f}"
        by_corpus = [float(np.mean([row.validation[c] for row in rows])) for c in corpora]
        lines.append((name, f"{value:.3f}", against, spread, *(f"{v:.3f}" for v in by_corpus)))
    return ReportTable(
        "Ablations of the recipe",
        ("one change", "validation UAR", "difference", "spread of seeds", *corpora),
        tuple(lines),
        (
            f"{settings.backbone}, {settings.epochs} epochs of {settings.epoch_clips} clips, "
            f"{_seeds(runs)}; UAR on the validation speakers, each corpus by its own emotions, the "
            "mean counts each the same. The spread is the largest minus the smallest of the seeds; "
            "a difference smaller than that says nothing.",
        ),
    )


def _seeds(runs: dict[str, list[Row]]) -> str:
    """Say how often each row was trained.

    >>> _seeds({"the recipe": [None, None], "no mixup": [None]})
    'the recipe with 2 seeds, the rest with 1 seed'
    """
    most = len(runs.get(BASE, ()))
    rest = max((len(rows) for name, rows in runs.items() if name != BASE), default=most)
    messages = [f"{count} seed{'s' * (count > 1)}" for count in (most, rest)]
    return f"{BASE} with {messages[0]}, the rest with {messages[1]}"


def main(words: Sequence[str] | None = None) -> int:
    """Train the rows that are asked for; return 75 where a signal stopped it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, help="folder of corpora; without it rows are told")
    parser.add_argument("--config", type=Path, default=ROOT / "models" / "default.toml")
    parser.add_argument("--home", type=Path, default=ROOT / "benchmarks" / "results" / "ablations")
    parser.add_argument("--backbone", default="cnn", help="'' keeps the recipe's own")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--epoch-clips", type=int, default=4000)
    parser.add_argument("--max-clips", type=int, default=0, help="a quick try on so many clips")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--recipe-seeds", type=int, default=0, help="more seeds for the recipe: how far chance goes"
    )
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rows", nargs="*", help="names of rows; all without it")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    args = parser.parse_args(words)
    settings = base(args)
    rows = changes(settings)
    if unknown := sorted(set(args.rows or ()) - set(rows)):
        parser.error(f"no row {', '.join(unknown)}; known are {', '.join(rows)}")
    if args.corpora is None:
        for name, delta in rows.items():
            print(f"{name:<34} {json.dumps(delta)}")
        return 0
    chosen = [name for name in rows if not args.rows or name in args.rows]
    held = Study(
        args.home / "rows", args.home / "decoded", args.home / "memory", log=_log, tick=None
    )
    runs: dict[str, list[Row]] = {}
    try:
        for seed in range(max(args.seeds, args.recipe_seeds)):
            for name in [name for name in chosen if seed < args.seeds or name == BASE]:
                changed = settings.with_values(rows[name], name)
                changed = dataclasses.replace(changed, seed=settings.seed + seed)
                runs.setdefault(name, []).append(held.row(Variant(f"{name} {seed}", changed)))
                found = table(runs, settings)
                write_text(args.out / "ablations.json", found.to_json())
                write_text(args.out / "ablations.md", found.to_markdown() + "\n")
    except InterruptedRunError as error:
        _log(str(error))
        return 75
    print(found.to_text())
    return 0


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
