"""What heads say of speakers that they never had: every training speaker can calibrate a model.

A validation side has one speaker of some corpora, and a temperature fitted on one person suits that
person. Where only the head learned, a head is trained in seconds without any given speaker.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.checkpoints.model import Model, build
from trainer.data.batches import Example
from trainer.data.embeddings import Embeddings, Ticker, logits_of_states
from trainer.data.prepare import Prepared
from trainer.errors import SettingsError
from trainer.evaluation.predictions import Predictions, assemble
from trainer.lifecycle.gain import fold_of
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.depth import set_depth
from trainer.training.more_heads import with_more_heads
from trainer.training.new_model import scale
from trainer.training.unsaved import train_unsaved

FOLDS = 4
JUDGING = 10
"""One in so many of a fold's other speakers chooses the epoch."""


def out_of_fold_predictions(
    held: Checkpoint,
    prepared: Prepared,
    progress: Callbacks,
    *,
    tick: Ticker | None = None,
    folds: int = FOLDS,
) -> Predictions:
    """Predict training and validation clips by heads that never had their speakers.

    The heads are trained as the checkpoint's own was, by the settings that it was saved with.

    Args:
        held: a checkpoint of which only the head learned.
        prepared: the clips; those of the test side are not touched.
        progress: who is told.
        tick: called with clips done and clips in all while states are computed.
        folds: parts of the speakers, each predicted by heads that learned from the others.

    Raises:
        SettingsError: more than the head learned from these speakers, or nothing tells how.
    """
    settings = trained_by(held)
    decoded = prepared.decoded
    embeddings = Embeddings(
        held.model, held.specification, decoded, recipe=settings.augment, tick=tick
    )
    items = [*prepared.sides["train"], *prepared.sides["validation"]]
    fold = fold_of([_owner(item) for item in items], folds)
    logits = np.zeros((len(items), len(held.specification.emotions)))
    for number in sorted(set(fold.tolist())):
        progress.log(f"speaker fold {number + 1} of {folds}")
        others = [item for item, its in zip(items, fold, strict=True) if its != number]
        judging = fold_of([_owner(item) for item in others], JUDGING) == 0
        sides = {
            "train": [item for item, judges in zip(others, judging, strict=True) if not judges],
            "validation": [item for item, judges in zip(others, judging, strict=True) if judges],
        }
        ours = dataclasses.replace(prepared, sides=sides | {"test": []})
        model = head_of(held, ours, settings, embeddings, progress)
        own = [item for item, its in zip(items, fold, strict=True) if its == number]
        logits[fold == number] = logits_of_states(model, embeddings.of(own))
    emotions = held.specification.emotions
    labels = [emotions[item.label] for item in items]
    clips = [item.clip for item in items]
    silent = [""] * len(items)
    return assemble(emotions, Calibration(), clips, logits, emotions, (), silent, labels=labels)


def trained_by(held: Checkpoint) -> Settings:
    """Return the settings that a checkpoint's head was trained by.

    Raises:
        SettingsError: there are none, or they let more than the head learn.
    """
    values = held.metrics.get("settings")
    if not isinstance(values, dict):
        raise SettingsError(
            "the checkpoint doesn't say by which settings it was trained, so its head can't be "
            "trained again on other speakers; calibrate it on the validation speakers"
        )
    free = ("corpora", "device", "threads", "workers", "start")
    settings = Settings().with_values(
        {name: value for name, value in values.items() if name not in free},
        "the settings in metrics.json",
    )
    if settings.depth != "head" or values.get("start"):
        raise SettingsError(
            "the layers in front of the head learned from these speakers too, so that no other "
            "head would meet them for the first time; calibrate it on the validation speakers"
        )
    return settings


def _owner(item: Example) -> str:
    return item.clip.person or item.digest


def head_of(
    held: Checkpoint,
    prepared: Prepared,
    settings: Settings,
    embeddings: Embeddings,
    progress: Callbacks,
) -> Model:
    """Return a model whose head learned from these clips alone.

    Args:
        held: whose front and settings are taken; its head isn't.
        prepared: clips to learn from, and to choose the epoch by.
        settings: of the training.
        embeddings: states under the checkpoint's front.
        progress: is told of the steps.
    """
    specification = dataclasses.replace(
        held.specification, backbone_parameters=dict(settings.backbone_parameters)
    )
    model = build(specification)
    # States are kept under the checkpoint's front; this one's is never asked.
    model, specification = set_depth(model, specification, settings)
    scale(model, specification, prepared, embeddings)
    quiet = Callbacks(log=lambda line: None, step=progress.step)
    train_unsaved(model, specification, settings, prepared, embeddings, quiet)
    if settings.heads > 1:
        with tempfile.TemporaryDirectory() as folder:
            model, _ = with_more_heads(
                model, specification, settings, prepared, Path(folder), quiet, embeddings
            )
    return model
