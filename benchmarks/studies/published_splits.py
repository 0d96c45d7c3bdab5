"""The encoder as it was pretrained on splits that others publish, with a head of its own for each.

    python -m benchmarks.studies.published_splits --corpora FOLDER [--home DIR]
        [--encoder openai/whisper-base | --model FOLDER]
        [--list cremad=evar/metadata/cremad.csv] [--folds ravdess=5] [--json FILE]

So that tables of others can be compared: a head is trained on the corpus alone, and on nobody who
is tested. The encoder is frozen and the head is that of `models/encoder.toml`; --model takes both
from a checkpoint whose front is frozen too. One whose front learned from these speakers, as that of
`models/encoder` did, is refused: they would not meet it for the first time.

- ``--list`` takes a corpus' speakers from a file with the columns ``speaker_id,split`` (train,
  valid, test), as EVAR publishes it for CREMA-D (github.com/nttcslab/eval-audio-repr: 63, 9 and 19
  speakers; accuracy). Speakers that are not here are left out, and the table says how many are.
- ``--folds`` divides a corpus' speakers, all sides of the usual split, into so many folds, each
  tested by a head that learned from the others, as EmoBox does with RAVDESS
  (github.com/emo-box/EmoBox: six folds of four of the 24 actors; UAR). Which actors share a fold is
  not EmoBox's choice but ours.

States are kept under DIR (SER_HOME), as those of `python -m trainer` are. FILE is a table for
`python -m trainer evaluate --tables`.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.corpora import read
from ser_core.frontends.encoder import DEFAULT_SOURCE
from ser_core.home import Home
from trainer.data.batches import Example, examples
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.data.prepare import Prepared
from trainer.errors import DataError
from trainer.evaluation import bootstrap
from trainer.experiments.out_of_fold_head import head_of, trained_by
from trainer.lifecycle.gain import fold_of
from trainer.presets import preset, with_encoder
from trainer.reporting.tables import ReportTable
from trainer.settings import Settings
from trainer.settings_file import read_toml
from trainer.training.callbacks import Callbacks

ROOT = Path(__file__).resolve().parents[2]
SIDES = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}


class Study:
    """A front, its kept states, and the clips of one corpus after another.

    Args:
        held: the checkpoint.
        corpora: the folder of corpora.
        home: SER_HOME, where states are kept.
    """

    def __init__(self, held: Checkpoint, corpora: Path, home: Path) -> None:
        self.held, self.corpora = held, corpora
        self.settings: Settings = trained_by(held)
        self.decoded = DecodedClips(Home(home).decoded, trim=held.specification.trim_silence)
        self.embeddings = Embeddings(
            held.model, held.specification, self.decoded, recipe=self.settings.augment
        )

    def items(self, corpus: str) -> list[Example]:
        """Return the usable clips of a corpus."""
        clips = read(self.corpora / corpus, corpus).clips
        digests, _ = self.decoded.prepare(clips)
        return examples(clips, digests, self.held.specification.emotions)

    def confusion(
        self, train: Sequence[Example], judging: Sequence[Example], test: Sequence[Example]
    ) -> bootstrap.IntArray:
        """Return the confusion of a head trained on some clips, ``[true, said]``."""
        sides = {"train": list(train), "validation": list(judging), "test": []}
        emotions = self.held.specification.emotions
        prepared = Prepared(emotions, sides, self.decoded)
        quiet = Callbacks(log=lambda line: None)
        model = head_of(self.held, prepared, self.settings, self.embeddings, quiet)
        logits = logits_of_states(model, self.embeddings.of(test))
        known = sorted({item.label for item in [*train, *test]})
        said = np.array(known)[logits[:, known].argmax(axis=1)]
        matrix = np.zeros((len(emotions), len(emotions)), dtype=np.int64)
        np.add.at(matrix, ([item.label for item in test], said), 1)
        return matrix

    def by_list(self, corpus: str, sides: Mapping[str, str]) -> tuple[str, ...]:
        """Return the row of a published list of speakers.

        Args:
            corpus: its name.
            sides: speaker -> side.

        Raises:
            DataError: a side has nobody who is here.
        """
        parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
        for item in self.items(corpus):
            if item.clip.speaker in sides:
                parts[sides[item.clip.speaker]].append(item)
        here = {side: len({i.clip.speaker for i in part}) for side, part in parts.items()}
        if not all(here.values()):
            raise DataError(f"{corpus}: speakers here of each side of the published list: {here}")
        asked = {side: sum(its == side for its in sides.values()) for side in parts}
        matrix = self.confusion(*(parts[side] for side in ("train", "validation", "test")))
        people = ", ".join(f"{here[side]} of {asked[side]} {side}" for side in parts)
        return row(f"{corpus}, published list", matrix, people)

    def by_folds(self, corpus: str, folds: int) -> tuple[str, ...]:
        """Return the row of speakers divided into folds: the folds' mean, as EmoBox takes it."""
        items = self.items(corpus)
        owners = [item.clip.speaker for item in items]
        fold = fold_of(owners, folds)
        matrices = []
        for number in range(folds):
            other = (number + 1) % folds
            test = [item for item, its in zip(items, fold, strict=True) if its == number]
            judging = [item for item, its in zip(items, fold, strict=True) if its == other]
            rest = [i for i, its in zip(items, fold, strict=True) if its not in (number, other)]
            matrices.append(self.confusion(rest, judging, test))
        return row(f"{corpus}, {folds} folds", np.stack(matrices), f"{len(set(owners))} in turn")


def frozen(encoder: str) -> Checkpoint:
    """Return a model around a pretrained encoder by the settings of ``models/encoder.toml``.

    Args:
        encoder: its name on the Hub, or a local folder.
    """
    values = read_toml(ROOT / "models" / "encoder.toml")
    name = values.pop("preset")
    settings = with_encoder(preset(name).with_values(values), encoder)
    emotions = checkpoint.describe(ROOT / "models" / "encoder").specification.emotions
    specification = Specification(
        frontend=settings.frontend,
        frontend_parameters=settings.frontend_arguments(),
        backbone=settings.backbone,
        backbone_parameters=dict(settings.backbone_parameters),
        emotions=emotions,
        seconds=settings.seconds,
        trim_silence=settings.trim_silence,
        normalisation={"kind": settings.normalisation},
        name=Path(encoder).name,
        version="frozen",
    )
    model = build(specification)
    specification = dataclasses.replace(
        specification, frontend_parameters=model.frontend.parameters_json()
    )
    metrics = {"settings": settings.to_json()}
    return Checkpoint(Path(encoder), model, specification, Calibration(), metrics, "")


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


def main() -> int:
    """Measure, print, and write the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("data"))
    front = parser.add_mutually_exclusive_group()
    front.add_argument("--encoder", default=DEFAULT_SOURCE)
    front.add_argument("--model", type=Path)
    parser.add_argument("--list", nargs="*", default=[], metavar="CORPUS=FILE")
    parser.add_argument("--folds", nargs="*", default=["ravdess=5"], metavar="CORPUS=N")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    held = checkpoint.load(args.model) if args.model else frozen(args.encoder)
    study = Study(held, args.corpora, args.home)
    rows = []
    for word in args.list:
        corpus, _, file = word.partition("=")
        rows.append(study.by_list(corpus, read_list(Path(file))))
    for word in args.folds:
        corpus, _, number = word.partition("=")
        rows.append(study.by_folds(corpus, int(number)))
    found = ReportTable(
        "Heads trained on one corpus alone, as others test encoders",
        ("split", "accuracy", "UAR", "clips tested", "speakers"),
        tuple(rows),
        (
            f"The front of {held.specification.name} {held.specification.version}, with a head of "
            "its own for each row, made by its settings. RAVDESS by actor, UAR, in EmoBox: 0.54 "
            "wav2vec2-base, 0.62 WavLM-base, 0.72 WavLM-large, 0.75 Whisper-large. CREMA-D on "
            "EVAR's list, accuracy: 0.655 wav2vec2-base, 0.708 Whisper-base.",
        ),
    )
    print(found.to_markdown())
    if args.json:
        args.json.write_text(found.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
