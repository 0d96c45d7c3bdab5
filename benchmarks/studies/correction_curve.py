"""How much corrections teach: the learning curve on a corpus that was not trained on.

    python -m benchmarks.studies.correction_curve --corpora FOLDER [--home DIR] [--model encoder]
        [--stranger savee] [--labels 0 10 50 200 500] [--json FILE]

FOLDER holds the corpora of the model and one that was not trained on. In turn each of that one's
speakers is left out; of the others' clips so many get their right emotion as a correction, and the
head is fitted as `python -m trainer` fits it, with the old corpora beside them and on the same kept
states. The speaker left out is judged, and the validation speakers of the old corpora: what was
learned, and what was forgotten. Middle windows, any of the corpus' emotions.

States are kept under DIR (SER_HOME), as those of `python -m trainer` are: the first run computes
them, which takes a quarter of an hour of one core for all corpora. FILE is a table for
`python -m trainer evaluate --tables`.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.checkpoints.model import Model
from ser_core.corpora import read
from ser_core.home import Home
from trainer.data import corrections
from trainer.data.batches import Example, examples
from trainer.data.corrections import Joined
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.data.prepare import Prepared, prepare
from trainer.evaluation.middle_window import middle_window_uar
from trainer.presets import preset
from trainer.reporting.tables import ReportTable
from trainer.settings import Settings
from trainer.training.depth import set_depth
from trainer.training.unsaved import train_unsaved

ROOT = Path(__file__).resolve().parents[2]
LABELS = (0, 10, 50, 200, 500)


@dataclass(frozen=True)
class Point:
    """What so many labels came to, for one speaker left out."""

    speaker: str
    labels: int
    heard: float
    old: float
    seconds: float


def curve(
    held: Checkpoint,
    prepared: Prepared,
    strangers: Sequence[Example],
    settings: Settings,
    labels: Sequence[int] = LABELS,
) -> list[Point]:
    """Return a point for each speaker left out and each number of labels.

    Args:
        held: the model.
        prepared: the old corpora.
        strangers: clips of the unseen corpus.
        settings: of the fine-tune.
        labels: how many; where there are fewer clips, all of them.
    """
    embeddings = Embeddings(held.model, held.specification, prepared.decoded)
    found = []
    for speaker in sorted({item.clip.speaker for item in strangers}):
        judged = [item for item in strangers if item.clip.speaker == speaker]
        pool = [item for item in strangers if item.clip.speaker != speaker]
        order = np.random.default_rng(settings.seed).permutation(len(pool)).tolist()
        for count in dict.fromkeys(min(number, len(pool)) for number in labels):
            begun = time.perf_counter()
            new = [pool[index] for index in order[:count]]
            model = refitted(held, prepared, new, settings, embeddings) if new else held.model
            seconds = time.perf_counter() - begun
            old = prepared.sides["validation"]
            point = Point(
                speaker,
                count,
                uar(model, embeddings, judged, held),
                uar(model, embeddings, old, held),
                seconds,
            )
            print(
                f"{speaker}: {count} labels, {point.heard:.3f}, old corpora {point.old:.3f}, "
                f"{seconds:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            found.append(point)
    return found


def refitted(
    held: Checkpoint,
    prepared: Prepared,
    new: Sequence[Example],
    settings: Settings,
    embeddings: Embeddings,
) -> Model:
    """Return the model with its head fitted to the old clips and the new ones."""
    sides = dict(prepared.sides) | {"train": [*prepared.sides["train"], *new]}
    joined = Joined(
        dataclasses.replace(prepared, sides=sides), corrected=frozenset(i.digest for i in new)
    )
    shown, settings = corrections.replay(joined, settings, np.random.default_rng(settings.seed))
    model, specification = set_depth(copy.deepcopy(held.model), held.specification, settings)
    train_unsaved(model, specification, settings, shown, embeddings)
    return model


def uar(model: Model, embeddings: Embeddings, items: Sequence[Example], held: Checkpoint) -> float:
    """Return the mean over corpora of the UAR."""
    logits = logits_of_states(model, embeddings.of(items))
    return middle_window_uar(logits, items, held.specification.emotions)


def table(points: Sequence[Point], stranger: str, name: str) -> ReportTable:
    """Return the means over the speakers left out, one row for each number of labels."""
    speakers = list(dict.fromkeys(point.speaker for point in points))
    rows = []
    before = {p.speaker: p for p in points if p.labels == 0}
    for count in dict.fromkeys(point.labels for point in points):
        part = [point for point in points if point.labels == count]
        forgotten = np.mean([p.old - before[p.speaker].old for p in part if p.speaker in before])
        rows.append(
            (
                str(count),
                f"{np.mean([p.heard for p in part]):.3f}",
                *(f"{p.heard:.3f}" for p in part),
                f"{forgotten:+.3f}" if before else "",
            )
        )
    return ReportTable(
        "What corrections teach",
        (
            f"labels of {stranger}'s other speakers",
            "UAR of the one left out, mean",
            *speakers,
            "old corpora's validation speakers",
        ),
        tuple(rows),
        (
            f"{name}, whose head is fitted as `python -m trainer` does it; middle windows. The "
            "last row has every label that the corpus offers.",
        ),
    )


def main() -> int:
    """Measure, print, and write the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("data"))
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "encoder")
    parser.add_argument("--stranger", default="savee")
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    held = checkpoint.load(args.model)
    emotions = held.specification.emotions
    settings = dataclasses.replace(
        preset("fine-tune"),
        corpora=str(args.corpora),
        names=tuple(held.metrics["settings"]["names"]),
        trim_silence=held.specification.trim_silence,
        seed=args.seed,
    )
    prepared = prepare(settings, Home(args.home).decoded, emotions=emotions)
    clips = read(args.corpora / args.stranger, args.stranger).clips
    digests, _ = prepared.decoded.prepare(clips)
    strangers = examples(clips, digests, emotions)
    points = curve(held, prepared, strangers, settings, args.labels)
    name = f"{held.specification.name} {held.specification.version}"
    found = table(points, args.stranger, name)
    print(found.to_markdown())
    if args.json:
        args.json.write_text(found.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
