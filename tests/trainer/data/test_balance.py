"""Balancing: who is drawn how often, and rows that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data import balance
from trainer.errors import (
    DataError,
)

LABELS = np.array([0] * 60 + [1] * 12 + [2] * 8, dtype=np.int64)
NAMES = ("joy", "fear", "anger")


def test_sampling_evens_the_emotions_inside_a_corpus(rng: np.random.Generator) -> None:
    chance = balance.sampling_weights(LABELS, NAMES)
    drawn = balance.balanced_indices(chance, 900, rng)
    assert np.bincount(LABELS[drawn]).tolist() == pytest.approx([300, 300, 300], abs=2)
    assert set(drawn.tolist()) == set(range(80))


def test_duplication_keeps_every_clip_and_evens_the_classes(rng: np.random.Generator) -> None:
    order = balance.duplicate_minority(LABELS, NAMES, rng)
    assert np.bincount(LABELS[order]).tolist() == [60, 60, 60]
    assert set(order.tolist()) == set(range(80))


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_made_up_rows_lie_between_rows_of_their_class(
    method: str, rng: np.random.Generator
) -> None:
    rows = rng.standard_normal((80, 3)) + LABELS[:, None]
    more, labels = balance.oversample(rows, LABELS, NAMES, method, rng)
    assert (more[:80] == rows).all()
    counts = np.bincount(labels)
    assert counts.min() > 0.8 * counts.max()
    for index in range(3):
        own, made = rows[index == LABELS], more[80:][labels[80:] == index]
        assert (made >= own.min(axis=0) - 1e-9).all()
        assert (made <= own.max(axis=0) + 1e-9).all()


def test_a_class_without_a_clip_is_named() -> None:
    with pytest.raises(DataError, match="no training clip for anger"):
        balance.class_weights(LABELS[:72], NAMES)


def test_adasyn_leaves_a_class_near_the_largest_to_smote(rng: np.random.Generator) -> None:
    # Too near the largest for ADASYN, whose shares all round to nothing; the third class overlaps.
    labels = np.repeat([0, 1, 2], [40, 39, 20])
    rows = rng.standard_normal((99, 3)) + np.array([0.0, 30.0, 0.0])[labels][:, None]
    lines: list[str] = []
    more, classes = balance.oversample(rows, labels, NAMES, "adasyn", rng, lines.append)
    assert (more[:99] == rows).all()
    assert np.bincount(classes)[1] == 40
    assert np.bincount(classes)[2] > 30
    assert len(lines) == 1
    assert NAMES[1] in lines[0]
