"""What new labels taught, measured on new labels that the judged head never had."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ser_core.checkpoints.checkpoint import Checkpoint
from trainer.data import corrections
from trainer.data.batches import Example
from trainer.data.corrections import Joined
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import FloatArray, IntArray
from trainer.lifecycle.promotion import Gain
from trainer.settings import Settings
from trainer.training.depth import set_depth
from trainer.training.unsaved import train_unsaved

FOLDS = 4
FEWEST = 20
"""New labels below which a difference says nothing."""


def gain_in_folds(
    champion: Checkpoint, joined: Joined, settings: Settings, embeddings: Embeddings
) -> Gain | None:
    """Train a head for each fold of the new labels without it, and judge both heads on it.

    Clips of one speaker (or of one session, where nobody is named) go together; where all are
    one speaker's, clips are divided, and the sentence says so.

    Args:
        champion: what the fine-tune starts from.
        joined: the clips, corrections included.
        settings: of the fine-tune, depth "head".
        embeddings: states under the champion, which every head shares.

    Returns:
        The figures, or None with fewer than ``FEWEST`` new labels in training.
    """
    train = joined.prepared.sides["train"]
    new = [item for item in train if item.digest in joined.corrected]
    if len(new) < FEWEST:
        return None
    owners = [item.clip.person or item.digest for item in new]
    by_speaker = len(set(owners)) > 1
    folds = fold_of(owners if by_speaker else [item.digest for item in new])
    size = len(champion.specification.emotions)
    labels = np.array([item.label for item in new], dtype=np.int64)
    before = logits_of_states(champion.model, embeddings.of(new)).argmax(axis=1)
    after = np.zeros_like(before)
    for fold in sorted(set(folds.tolist())):
        held = [item for item, its in zip(new, folds, strict=True) if its == fold]
        logits = _judged_without(held, champion, joined, settings, embeddings)
        after[folds == fold] = logits.argmax(axis=1)
    return Gain(
        _uar(labels, before, size),
        _uar(labels, after, size),
        len(new),
        len(set(owners)),
        "speakers" if by_speaker else "clips of one speaker",
    )


def fold_of(owners: Sequence[str], folds: int = FOLDS) -> IntArray:
    """Return a fold for each clip: whole owners, the largest first, to the smallest fold so far.

    >>> fold_of(["a", "a", "a", "b", "c"], 2).tolist()
    [0, 0, 0, 1, 1]
    """
    sizes = Counter(owners)
    filled = [0] * min(folds, len(sizes))
    place: dict[str, int] = {}
    for owner, count in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        place[owner] = filled.index(min(filled))
        filled[place[owner]] += count
    return np.array([place[owner] for owner in owners], dtype=np.int64)


def _judged_without(
    held: Sequence[Example],
    champion: Checkpoint,
    joined: Joined,
    settings: Settings,
    embeddings: Embeddings,
) -> FloatArray:
    """Return logits of held clips by a head that was fine-tuned without them."""
    out = {item.digest for item in held}
    sides = dict(joined.prepared.sides)
    sides["train"] = [item for item in sides["train"] if item.digest not in out]
    rest = dataclasses.replace(
        joined,
        prepared=dataclasses.replace(joined.prepared, sides=sides),
        corrected=joined.corrected - out,
    )
    prepared, settings = corrections.replay(rest, settings, np.random.default_rng(settings.seed))
    model, specification = set_depth(
        copy.deepcopy(champion.model), champion.specification, settings
    )
    train_unsaved(model, specification, settings, prepared, embeddings)
    return logits_of_states(model, embeddings.of(held))


def _uar(labels: IntArray, predicted: IntArray, size: int) -> float:
    matrix = np.zeros((size, size), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return float(bootstrap.uar(matrix))
