"""A training run of which nothing stays but what the model learned."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from trainer.data.embeddings import Embeddings
from trainer.data.prepare import Prepared
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.loop import Loop


def train_unsaved(
    model: Model,
    specification: Specification,
    settings: Settings,
    prepared: Prepared,
    embeddings: Embeddings,
    progress: Callbacks | None = None,
) -> None:
    """Train a model in place, quietly, in a folder that is gone afterwards.

    Args:
        model: what is trained, on its device.
        specification: of the model.
        settings: of the run.
        prepared: clips to learn from, and to choose the epoch by.
        embeddings: pooled states, of which the head alone learns.
        progress: is told of what happens; None = nobody is.
    """
    with tempfile.TemporaryDirectory() as folder:
        Loop(
            model,
            specification,
            settings,
            prepared.sides["train"],
            prepared.sides["validation"],
            prepared.decoded,
            Path(folder),
            progress or Callbacks(log=lambda line: None),
            embeddings,
        ).run()
