"""Models on splits that others publish, trained for each on nobody who is tested.

    python -m benchmarks.studies.published_splits --corpora FOLDER [--home DIR]
        [--encoder openai/whisper-base | --model FOLDER | --recipes FIRST.toml SECOND.toml]
        [--list cremad=evar/metadata/cremad.csv] [--folds ravdess=5] [--json FILE]

So that tables of others can be compared. What is trained is one of three:

- a head on the encoder as it was pretrained, frozen, by the settings of `models/encoder.toml`
  (``--encoder``, the default), or on the front of a checkpoint that is frozen too (``--model``);
- a model, by the recipes in `models/` one after the other, each going on from the one before
  (``--recipes``), with as many clips an epoch in the last as ``--epoch-clips`` says;
- nothing, where ``--model`` is a checkpoint whose front learned, as those in `models/` did: it has
  met most of these speakers. It is asked about those of them alone that are on its test side, and
  the table says how few they are.

Each learns from the corpus alone:

- ``--list`` takes a corpus' speakers from a file with the columns ``speaker_id,split`` (train,
  valid, test), as EVAR publishes it for CREMA-D (github.com/nttcslab/eval-audio-repr: 63, 9 and 19
  speakers; accuracy). Speakers that are not here are left out, and the table says how many are.
- ``--folds`` divides a corpus' speakers, all sides of the usual split, into so many folds, each
  tested by a head that learned from the others, as EmoBox does with RAVDESS
  (github.com/emo-box/EmoBox: six folds of four of the 24 actors; UAR). Which actors share a fold is
  not EmoBox's choice but ours.

States, and the models that recipes make, are kept under DIR (SER_HOME): a study that was stopped
goes on where it was. FILE is a table for `python -m trainer evaluate --tables`; rows of other
models that are in it stay.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.studies.learners import AsShipped, Heads, Learner, Recipes, Sides, frozen
from ser_core.checkpoints import checkpoint
from ser_core.corpora import read
from ser_core.corpora.committed_sides import TABLES
from ser_core.emotions import EMOTIONS
from ser_core.frontends.encoder import DEFAULT_SOURCE
from ser_core.home import Home
from trainer.data.batches import Example, examples
from trainer.data.decoded import DecodedClips
from trainer.errors import DataError, SettingsError
from trainer.evaluation import bootstrap
from trainer.lifecycle.gain import fold_of
from trainer.reporting.tables import ReportTable
from trainer.reporting.tables import read as read_table

OTHERS = (
    "RAVDESS by actor, UAR, in EmoBox: 0.54 wav2vec2-base, 0.62 WavLM-base, 0.72 WavLM-large, 0.75 "
    "Whisper-large. CREMA-D on EVAR's list, accuracy: 0.655 wav2vec2-base, 0.708 Whisper-base."
)
SIDES = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}


class Study:
    """The clips of one corpus after another, and who learns from them.

    Args:
        learner: who.
        corpora: the folder of corpora.
        decoded: where their clips are kept.
    """

    def __init__(self, learner: Learner, corpora: Path, decoded: DecodedClips) -> None:
        self.learner, self.corpora, self.decoded = learner, corpora, decoded

    def items(self, corpus: str) -> tuple[list[Example], tuple[str, ...]]:
        """Return the usable clips of a corpus, and the emotions of their labels."""
        clips = read(self.corpora / corpus, corpus).clips
        present = {clip.emotion for clip in clips}
        emotions = self.learner.emotions or tuple(one for one in EMOTIONS if one in present)
        digests, _ = self.decoded.prepare(clips)
        return examples(clips, digests, emotions), emotions

    def confusion(self, parts: Sides, emotions: tuple[str, ...], name: str) -> bootstrap.IntArray:
        """Return the confusion of the test part, ``[true, said]``."""
        logits = self.learner.logits(parts, emotions, self.decoded, name)
        test = parts["test"]
        known = sorted({item.label for part in parts.values() for item in part})
        said = np.array(known)[logits[:, known].argmax(axis=1)]
        matrix = np.zeros((len(emotions), len(emotions)), dtype=np.int64)
        np.add.at(matrix, ([item.label for item in test], said), 1)
        return matrix

    def never_met(self, corpus: str, items: Sequence[Example]) -> list[Example]:
        """Return the clips of speakers that a learner as it was shipped did not learn from."""
        if not isinstance(self.learner, AsShipped):
            return list(items)
        sides = TABLES.get(corpus, {})
        return [item for item in items if sides.get(item.clip.speaker) == "test"]

    def by_list(self, corpus: str, sides: Mapping[str, str]) -> tuple[str, ...]:
        """Return the row of a published list of speakers.

        Args:
            corpus: its name.
            sides: speaker -> side.

        Raises:
            DataError: a side has nobody who is here.
        """
        parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
        items, emotions = self.items(corpus)
        for item in items:
            if item.clip.speaker in sides:
                parts[sides[item.clip.speaker]].append(item)
        parts["test"] = self.never_met(corpus, parts["test"])
        here = {side: len({i.clip.speaker for i in part}) for side, part in parts.items()}
        if not all(here.values()):
            raise DataError(f"{corpus}: speakers here of each side of the published list: {here}")
        total = {side: sum(its == side for its in sides.values()) for side in parts}
        matrix = self.confusion(parts, emotions, corpus)
        shown = ("test",) if isinstance(self.learner, AsShipped) else tuple(parts)
        people = ", ".join(f"{here[side]} of {total[side]} {side}" for side in shown)
        return row(f"{corpus}, published list", matrix, people)

    def by_folds(self, corpus: str, folds: int) -> tuple[str, ...]:
        """Return the row of speakers divided into folds: the folds' mean, as EmoBox takes it."""
        items, emotions = self.items(corpus)
        owners = [item.clip.speaker for item in items]
        if isinstance(self.learner, AsShipped):
            test = self.never_met(corpus, items)
            matrix = self.confusion({"train": items, "test": test}, emotions, corpus)
            met = len({item.clip.speaker for item in test})
            return row(f"{corpus}, test speakers", matrix, f"{met} of {len(set(owners))} test")
        fold = fold_of(owners, folds)
        matrices = []
        for number in range(folds):
            other = (number + 1) % folds
            parts = {
                "train": [
                    i for i, its in zip(items, fold, strict=True) if its not in (number, other)
                ],
                "validation": [i for i, its in zip(items, fold, strict=True) if its == other],
                "test": [i for i, its in zip(items, fold, strict=True) if its == number],
            }
            matrices.append(self.confusion(parts, emotions, f"{corpus}-{number + 1}"))
        return row(f"{corpus}, {folds} folds", np.stack(matrices), f"{len(set(owners))} in turn")


def learner_of(args: argparse.Namespace) -> tuple[Learner, DecodedClips]:
    """Return who learns, and where the clips are kept, as the command line asks."""
    home = Home(args.home)
    if args.recipes:
        made = Recipes(args.recipes, args.home, encoder=args.encoder, epoch_clips=args.epoch_clips)
        return made, DecodedClips(home.decoded, trim=made.trim)
    held = checkpoint.load(args.model) if args.model else frozen(args.encoder)
    decoded = DecodedClips(home.decoded, trim=held.specification.trim_silence)
    try:
        return Heads(held, decoded), decoded
    except SettingsError:  # its front learned from these speakers
        return AsShipped(held), decoded


def row(name: str, matrices: bootstrap.IntArray, people: str) -> tuple[str, ...]:
    """Return a row: accuracy and UAR, of several confusions their mean."""
    held = matrices if matrices.ndim == 3 else matrices[None]
    accuracy = np.mean([bootstrap.accuracy(one) for one in held])
    uar = np.mean([bootstrap.uar(one) for one in held])
    return name, f"{accuracy:.3f}", f"{uar:.3f}", str(int(held.sum())), people


def read_list(path: Path) -> dict[str, str]:
    """Return speaker -> side from a published file.

    Raises:
        DataError: a column is missing, a side is unknown, or a speaker is on two sides.
    """
    found: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            speaker, word = line.get("speaker_id"), line.get("split")
            if speaker is None or word not in SIDES:
                raise DataError(
                    f"{path}: expected the columns speaker_id and split (train, valid, test), "
                    f"found {line}"
                )
            if found.setdefault(speaker, SIDES[word]) != SIDES[word]:
                raise DataError(f"{path}: speaker {speaker} is on two sides")
    return found


def with_rows(file: Path | None, learner: Learner, rows: Sequence[tuple[str, ...]]) -> ReportTable:
    """Return the table of a file, where there is one, with a learner's rows new in it."""
    before = read_table(file) if file is not None and file.exists() else None
    fresh = {row[0] for row in rows}
    kept = (
        [one for one in before.rows if one[0] != learner.name or one[1] not in fresh]
        if before
        else []
    )
    notes = [one for one in before.notes if one not in (learner.about, OTHERS)] if before else []
    return ReportTable(
        "On splits that others publish",
        ("model", "split", "accuracy", "UAR", "clips tested", "speakers"),
        (*kept, *((learner.name, *one) for one in rows)),
        (*notes, learner.about, OTHERS),
    )


def main() -> int:
    """Measure, print, and write the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("data"))
    parser.add_argument("--encoder", default=DEFAULT_SOURCE)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", type=Path)
    which.add_argument("--recipes", type=Path, nargs="+", metavar="TOML")
    parser.add_argument("--epoch-clips", type=int, default=0)
    parser.add_argument("--list", nargs="*", default=[], metavar="CORPUS=FILE")
    parser.add_argument("--folds", nargs="*", default=["ravdess=5"], metavar="CORPUS=N")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    learner, decoded = learner_of(args)
    study = Study(learner, args.corpora, decoded)
    rows = []
    for word in args.list:
        corpus, _, file = word.partition("=")
        rows.append(study.by_list(corpus, read_list(Path(file))))
    for word in args.folds:
        corpus, _, number = word.partition("=")
        rows.append(study.by_folds(corpus, int(number)))
    found = with_rows(args.json, learner, rows)
    print(found.to_markdown())
    if args.json:
        args.json.write_text(found.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
