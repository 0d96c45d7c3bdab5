"""Out-of-fold predictions: each clip is predicted by a model that never had its speaker.

The speakers are divided into folds; for each fold a model learns from the others. A label that such
a model contradicts may be wrong (confident learning, arXiv 1911.00068), which can't be said by a
model that was trained on the label.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from label_store.consensus import ConsensusLabel, consensus
from label_store.out_of_fold import (
    FILE,
    FoldModel,
    OutOfFoldPrediction,
    OutOfFoldPredictions,
    write_predictions,
)
from label_store.scores import label_issues
from label_store.store import LabelStore
from label_store.trust import who_counts
from ser_core.checkpoints.calibration import Calibration
from ser_core.corpora.clip import Clip
from ser_core.corpora.splits import Splits, split
from ser_core.emotions import EMOTIONS
from ser_core.files import write_text
from ser_core.home import Home, HomeLike
from ser_core.inference.pipeline import Pipeline
from trainer.data import batches, corrections, labelled_clips
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips, segment_digest
from trainer.data.prepare import Prepared, Ticker, examples_by_side, read_corpora
from trainer.errors import DataError, SettingsError
from trainer.evaluation.inference import predict_examples
from trainer.evaluation.metrics import mean_over_corpora, uar_by_corpus
from trainer.lifecycle.progress import at_work
from trainer.lifecycle.run import require_readable
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks, untracked
from trainer.training.fit import fit

FORMAT = "1"
"""Part of every key: another way of judging means another word."""


@dataclass(frozen=True)
class OutOfFoldRun:
    """What a run came to.

    Attributes:
        path: the file with all predictions.
        predictions: what is in it.
        errors: labels that cleanlab takes for errors.
        without: usable clips without a prediction.
    """

    path: Path
    predictions: OutOfFoldPredictions
    errors: int
    without: int

    def sentence(self) -> str:
        """Return what was found, for a person."""
        figures = ", ".join(f"{fold.uar:.3f}" for fold in self.predictions.folds)
        total = len(self.predictions.clips)
        rest = f" {self.without} clips are without a prediction." if self.without else ""
        return (
            f"{total} clips were predicted by {len(self.predictions.folds)} models that never had "
            f"their speakers (UAR of the folds {figures}).{rest}\n"
            f"cleanlab takes {self.errors} of {total} labels for errors. {self.path} has the "
            "predictions."
        )


def run_out_of_fold(
    home: HomeLike,
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    progress: Callbacks | None = None,
    tick: Ticker | None = None,
    tracked: Callable[[str, Callbacks], AbstractContextManager[Callbacks]] = untracked,
) -> OutOfFoldRun:
    """Train a model for each speaker fold and let each predict the speakers left out of it.

    A run that was stopped goes on with the fold it was at, as long as clips, labels and settings
    are the same.

    Args:
        home: SER_HOME; the predictions go there.
        settings: of each model; ``folds`` says how many, scheme and fold are set here.
        clock: seconds since 1970.
        progress, tick: who is callbacks.
        tracked: takes the name of a fold's run and whom it tells; may track it besides.

    Raises:
        TrainerError, SerError, StoreError: one sentence; the former predictions stay.
    """
    progress = progress or Callbacks()
    if settings.start:
        raise SettingsError(
            "start means nothing to out-of-fold predictions: a fine-tuned model may have had every "
            "speaker before; leave it out"
        )
    settings = dataclasses.replace(settings, scheme="kfold", fold=0, held_out="")
    with at_work(home, "out-of-fold predictions", clock=clock) as file:
        store = LabelStore(Home(home).root)
        found = consensus(store, who_counts(store))
        require_readable(store, progress)
        sides, decoded, classes, usable = _folds(
            home, settings, store, found.labels, progress, tick
        )
        data_hash = batches.data_hash(
            {
                f"{fold} {side}": items
                for fold, one in enumerate(sides)
                for side, items in one.items()
            }
        )
        words = json.dumps([FORMAT, settings.identity(), classes, data_hash], sort_keys=True)
        root = Home(home).out_of_fold_cache
        folder = root / hashlib.sha256(words.encode()).hexdigest()[:12]
        parts = []
        for fold, one in enumerate(sides):
            progress.log(f"speaker fold {fold + 1} of {len(sides)}")
            prepared = Prepared(classes, one, decoded)
            ours = dataclasses.replace(settings, fold=fold)
            file.change(message=f"speaker fold {fold + 1} of {len(sides)}")
            with tracked(f"fold-{fold + 1}", progress) as callbacks:
                parts.append(_fold(folder, home, ours, prepared, file.callbacks(callbacks)))
        predictions = OutOfFoldPredictions(
            _gathered([part["clips"] for part in parts], classes),
            tuple(FoldModel(**part["fold"]) for part in parts),
            datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
            data_hash,
            found.revision,
            settings.to_json() | {"corpora": Path(settings.corpora).name},
        )
        write_predictions(Home(home).root / FILE, predictions)
        for old in root.iterdir():
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)  # a cache of other clips or labels
    labels = {item.digest: item.clip.emotion for one in sides for item in one["test"]}
    return OutOfFoldRun(
        Home(home).root / FILE,
        predictions,
        _errors(predictions, labels, classes),
        len(usable - predictions.clips.keys()),
    )


def _folds(
    home: HomeLike,
    settings: Settings,
    store: LabelStore,
    labels: Sequence[ConsensusLabel],
    progress: Callbacks,
    tick: Ticker | None,
) -> tuple[list[dict[str, list[Example]]], DecodedClips, tuple[str, ...], set[str]]:
    """Return the sides of each fold, the decoded clips, the classes and all usable clips."""
    clips, _ = read_corpora(settings, Home(home).decoded / "unpacked")
    decoded = DecodedClips(Home(home).decoded, trim=settings.trim_silence)
    digests, broken = decoded.prepare(clips, tick)
    asked = set(settings.emotions) or {clip.emotion for clip in clips if clip.path in digests}
    corrected = {
        label.clip_hash: label for label in labels if label.start is None and label.emotion in asked
    }
    known = set(digests.values())
    fresh = [
        labelled_clips.clip_of(label, lambda clip: labelled_clips.session_of(store, clip))
        for sha, label in corrected.items()
        if sha not in known
    ]
    more, lost = decoded.prepare(fresh)
    digests |= more
    if broken or lost:
        progress.log(f"left out: {len(broken) + len(lost)} clips that can't be decoded")
    all_clips = [
        _corrected(clip, corrected.get(segment_digest(digests[clip.path], clip)))
        for clip in (*clips, *fresh)
        if clip.path in digests
    ]
    splits = [
        split(
            all_clips,
            "kfold",
            seed=settings.seed,
            fold=fold,
            folds=settings.folds,
            fingerprints=digests,
        )
        for fold in range(settings.folds)
    ]
    classes = _classes(splits, asked, progress)
    sides = [
        {
            side: items if side == "test" else _taught(items, corrected, classes, settings, side)
            for side, items in examples_by_side(settings, parts, digests, classes).items()
        }
        for parts in splits
    ]
    return sides, decoded, classes, {digests[clip.path] for clip in all_clips}


def _corrected(clip: Clip, label: ConsensusLabel | None) -> Clip:
    return (
        clip if label is None else dataclasses.replace(clip, emotion=label.emotion, annotations={})
    )


def _classes(splits: Sequence[Splits], asked: set[str], progress: Callbacks) -> tuple[str, ...]:
    """Return the emotions that every fold's model can learn: two training clips at the least."""
    counts = [Counter(clip.emotion for clip in parts.train) for parts in splits]
    classes = tuple(
        emotion
        for emotion in EMOTIONS
        if emotion in asked and all(count[emotion] >= 2 for count in counts)
    )
    rare = sorted(asked - set(classes))
    if rare:
        progress.log(f"left out, too few speakers: {', '.join(rare)}")
    if len(classes) < 2:
        raise DataError(
            "fewer than two emotions have clips in every fold; add speakers, or ask for fewer "
            "folds with --folds"
        )
    return classes


def _taught(
    items: Sequence[Example],
    corrected: Mapping[str, ConsensusLabel],
    classes: Sequence[str],
    settings: Settings,
    side: str,
) -> list[Example]:
    """Lay the annotations over the targets, as a fine-tune does."""
    place = {emotion: index for index, emotion in enumerate(classes)}
    taught = []
    for item in items:
        label = corrected.get(item.digest)
        target = corrections.target_of(label.distribution, place) if label else None
        if target is not None:
            weight = settings.correction_weight if side == "train" else 1.0
            item = dataclasses.replace(item, target=target, weight=weight)
        taught.append(item)
    return taught


def _fold(
    folder: Path, home: HomeLike, settings: Settings, prepared: Prepared, progress: Callbacks
) -> dict[str, Any]:
    """Return what one fold's model says; trained only where it is not known yet."""
    part = folder / f"fold-{settings.fold}.json"
    if part.is_file():
        found: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
        return found
    model_name = f"{folder.name}-fold-{settings.fold}"

    def predict(pipeline: Pipeline, fitted: Calibration, held: Prepared) -> Mapping[str, Any]:
        items = held.sides["test"]
        outcomes = predict_examples(pipeline, fitted, items, held.decoded).outcomes
        rows, uar = outcomes.probabilities, mean_over_corpora(uar_by_corpus(outcomes))
        people = {item.clip.person for item in items}
        content = {
            "fold": dataclasses.asdict(FoldModel(model_name, uar, len(items), len(people))),
            "clips": {item.digest: row.tolist() for item, row in zip(items, rows, strict=True)},
        }
        write_text(part, json.dumps(content))
        return {"test": {}}

    checkpoint = folder / model_name
    fit(
        settings,
        checkpoint,
        folder / f"run-{settings.fold}",
        Home(home).decoded,
        prepared=prepared,
        progress=progress,
        finish=predict,
    )
    shutil.rmtree(checkpoint)  # its predictions are kept; the model itself serves nobody
    made: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
    return made


def _gathered(
    parts: Sequence[Mapping[str, Sequence[float]]], classes: Sequence[str]
) -> dict[str, OutOfFoldPrediction]:
    """Join the folds; a clip that two people claim gets none, for some model had either."""
    times = Counter(clip for part in parts for clip in part)
    return {
        clip: OutOfFoldPrediction(dict(zip(classes, row, strict=True)), fold)
        for fold, part in enumerate(parts)
        for clip, row in part.items()
        if times[clip] == 1
    }


def _errors(
    predictions: OutOfFoldPredictions, labels: Mapping[str, str], classes: Sequence[str]
) -> int:
    predicted = sorted(predictions.clips)
    if not predicted:
        return 0
    table = [
        [predictions.clips[clip].probabilities[name] for name in classes] for clip in predicted
    ]
    return int(label_issues([labels[clip] for clip in predicted], table, classes).sum())
