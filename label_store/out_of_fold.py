"""Out-of-fold predictions of clips: the file that the trainer writes.

One JSON object a line: first what was done, then a line for each clip.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from label_store.clips import write_whole
from label_store.errors import SaveError, StoreError

FILE: Final = "opinions.jsonl"
FORMAT: Final = "speaker-fold-opinions-1"
COMMAND: Final = "python -m trainer out-of-fold"


@dataclass(frozen=True, slots=True)
class FoldModel:
    """One model, and how accurate it is on the speakers left out of its training.

    Attributes:
        model: name of the model.
        uar: mean over corpora of the unweighted average recall, 0..1.
        clips, speakers: how many it judged.
    """

    model: str
    uar: float
    clips: int
    speakers: int


@dataclass(frozen=True, slots=True)
class OutOfFoldPrediction:
    """What was predicted for one clip.

    Attributes:
        probabilities: emotion -> probability; sums to 1.
        fold: which model predicted it, an index into the folds.
    """

    probabilities: Mapping[str, float]
    fold: int


@dataclass(frozen=True, slots=True)
class OutOfFoldPredictions:
    """All predictions of one run.

    Attributes:
        clips: SHA-256 of a clip's bytes -> its prediction.
        folds: the models.
        created: when, UTC in ISO 8601.
        data_hash: of the clips, labels and folds.
        label_revision: number of the latest label event that was counted.
        settings: of the training, as JSON.
    """

    clips: Mapping[str, OutOfFoldPrediction] = field(default_factory=dict)
    folds: Sequence[FoldModel] = ()
    created: str = ""
    data_hash: str = ""
    label_revision: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_predictions(path: Path, found: OutOfFoldPredictions) -> None:
    """Write all predictions, or none.

    Raises:
        SaveError: the disk did not take them; the former file still stands.
    """
    head = {
        "format": FORMAT,
        "created": found.created,
        "data_hash": found.data_hash,
        "label_revision": found.label_revision,
        "clips": len(found.clips),
        "folds": [asdict(fold) for fold in found.folds],
        "settings": dict(found.settings),
    }
    lines = [json.dumps(head, ensure_ascii=False)]
    for clip, predicted in sorted(found.clips.items()):
        shares = {name: round(share, 6) for name, share in predicted.probabilities.items()}
        lines.append(json.dumps({"clip": clip, "fold": predicted.fold, "probabilities": shares}))
    try:
        write_whole(path, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise SaveError(
            f"{path} can't be written: {error.strerror or error}. Make the folder writable or free "
            f"some space, then `{COMMAND}` goes on from the folds that are done."
        ) from error


def read_predictions(path: Path) -> OutOfFoldPredictions:
    """Return a file's predictions; none where the file does not exist.

    Raises:
        StoreError: the file is damaged, incomplete or of another kind; none of it counts.

    >>> len(read_predictions(Path("nowhere.jsonl")).clips)
    0
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        head = json.loads(lines[0]) if lines else {}
        if head["format"] != FORMAT:
            raise ValueError(f"the format {head['format']!s:.40}; expected {FORMAT}")
        folds = tuple(FoldModel(**fold) for fold in head["folds"])
        clips = dict(_prediction(line, len(folds)) for line in lines[1:])
        if len(clips) != head["clips"]:
            raise ValueError(f"{len(clips)} of {head['clips']} clips")
        return OutOfFoldPredictions(
            clips,
            folds,
            str(head["created"]),
            str(head["data_hash"]),
            int(head["label_revision"]),
            dict(head["settings"]),
        )
    except FileNotFoundError:
        return OutOfFoldPredictions()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path.name} can't be read as out-of-fold predictions: {error!r:.120}. None of it "
            f"counts; remove it, or let `{COMMAND}` write it anew."
        ) from error


def _prediction(line: str, folds: int) -> tuple[str, OutOfFoldPrediction]:
    row = json.loads(line)
    shares = {str(name): float(share) for name, share in row["probabilities"].items()}
    wrong = not all(math.isfinite(share) and share >= 0 for share in shares.values())
    if len(shares) < 2 or wrong or sum(shares.values()) <= 0:
        raise ValueError(f"probabilities out of range, of clip {row['clip']!s:.12}")
    fold = int(row["fold"])
    if not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds}")
    return str(row["clip"]), OutOfFoldPrediction(shares, fold)
