"""A trained head and others from other seeds, put side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from trainer.data.embeddings import Embeddings
from trainer.data.prepare import Prepared
from trainer.settings import Settings
from trainer.training.average_heads import another_head, average_heads
from trainer.training.callbacks import Callbacks
from trainer.training.loop import Loop


def with_more_heads(
    model: Model,
    specification: Specification,
    settings: Settings,
    prepared: Prepared,
    run_folder: Path,
    progress: Callbacks,
    embeddings: Embeddings,
) -> tuple[Model, Specification]:
    """Train the other heads that the settings ask for, and return the mean of all.

    Args:
        model: whose head is the first, trained already.
        specification: of it.
        settings: ``heads`` says how many; each head's seed is one more than the one's before.
        prepared: the clips.
        run_folder: where the runs keep their state.
        progress: who is told.
        embeddings: states that all heads share.
    """
    models = [model]
    for number in range(1, settings.heads):
        progress.log(f"head {number + 1} of {settings.heads}")
        seeded = dataclasses.replace(settings, seed=settings.seed + number)
        models.append(another_head(model, seeded.seed))
        Loop(
            models[-1],
            specification,
            seeded,
            prepared.sides["train"],
            prepared.sides["validation"],
            prepared.decoded,
            run_folder / f"head-{number}",
            progress,
            embeddings,
        ).run()
    return average_heads(models, specification)
