"""Predictions of a head from kept states of the windows: no clip goes through the network twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ser_core.audio import Audio
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SerError
from ser_core.files import atomic, load_arrays
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.runtime import Lengths, Logits, Samples
from trainer.data.batches import Example
from trainer.data.embeddings import FORMAT, Embeddings, logits_of_states, pooled_states
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.predictions import Predictions, assemble

_AT_ONCE = 64
"""Clips whose states are computed before they are written."""


def head_predictions(
    model: Model,
    specification: Specification,
    calibrated: Calibration,
    embeddings: Embeddings,
    items: Sequence[Example],
) -> Predictions:
    """Return what a model answers for clips, from the windows that the page would answer from.

    Args:
        model: whose head is asked.
        specification: of it.
        calibrated: its calibration.
        embeddings: states under the same front; the missing ones are computed.
        items: the clips; what counts as right is their likeliest emotion.
    """
    states, abstained = window_states(embeddings, items)
    rows = logits_of_states(model, torch.from_numpy(np.concatenate(states)))
    counts = np.array([len(one) for one in states])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    logits = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    emotions = specification.emotions
    labels = [emotions[item.label] for item in items]
    clips = [item.clip for item in items]
    return assemble(emotions, calibrated, clips, logits, emotions, (), abstained, labels=labels)


def calibrate_head(
    model: Model, specification: Specification, embeddings: Embeddings, items: Sequence[Example]
) -> Calibration:
    """Fit the calibration on the validation clips.

    Args:
        model, specification, embeddings: as for `head_predictions`.
        items: the validation clips.
    """
    return calibrate(head_predictions(model, specification, Calibration(), embeddings, items))


def window_states(
    embeddings: Embeddings, items: Sequence[Example]
) -> tuple[list[NDArray[np.float16]], list[str]]:
    """Return the pooled states of the windows that count for each clip, computing what is missing.

    Args:
        embeddings: whose model is asked and beside whose states these are kept.
        items: the clips.

    Returns:
        States ``[window, size]`` of each clip, and why the page gives it no answer ("" if it
        does).
    """
    folder, missing = _folder(embeddings), missing_windows(embeddings, items)
    for first in range(0, len(missing), _AT_ONCE):
        _compute(embeddings, folder, missing[first : first + _AT_ONCE])
        if embeddings.tick is not None:
            embeddings.tick(min(first + _AT_ONCE, len(missing)), len(missing))
    states, abstained = [], []
    for item in items:
        held = load_arrays(_path(folder, item))
        states.append(held["states"])
        abstained.append(str(held["abstained"]))
    return states, abstained


def missing_windows(embeddings: Embeddings, items: Sequence[Example]) -> list[Example]:
    """Return the clips whose windows' states have to be computed yet, each content once."""
    folder = _folder(embeddings)
    return list({item.digest: item for item in items if not _path(folder, item).is_file()}.values())


def _folder(embeddings: Embeddings) -> Path:
    trim = "trimmed" if embeddings.specification.trim_silence else "untrimmed"
    return embeddings.folder.parent / f"{FORMAT}-windows-{trim}-{embeddings.key}"


class _PooledStates:
    """A runtime that holds on to the pooled states of the windows it is asked about."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self.held: list[NDArray[np.float16]] = []

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        specification = self._embeddings.specification
        pieces = [row[:, :length] for row, length in zip(waveform, lengths.tolist(), strict=True)]
        self.held.append(pooled_states(self._embeddings.model, specification, pieces))
        return np.zeros((len(waveform), len(specification.emotions)))


def _compute(embeddings: Embeddings, folder: Path, items: Sequence[Example]) -> None:
    decoded = embeddings.decoded.whole()
    if decoded is not embeddings.decoded:
        decoded.prepare([item.clip for item in items])
    runtime, rate = _PooledStates(embeddings), decoded.sample_rate
    pipeline = Pipeline(embeddings.specification, runtime)
    found = list(
        pipeline.run(
            items,
            lambda item: Audio(decoded.samples(item.digest), rate, rate),
            workers=2,
            always=True,
        )
    )
    states, first = np.concatenate(runtime.held), 0
    for item, one in found:
        if isinstance(one, SerError):
            raise one
        last = first + len(one.asked(always=True))
        reason = "" if one.activity.abstention is None else one.activity.abstention.reason
        with atomic(_path(folder, item), durable=False) as file:
            np.savez(file, states=states[first:last], abstained=np.array(reason))
        first = last


def _path(folder: Path, item: Example) -> Path:
    return folder / item.digest[:2] / f"{item.digest}.npz"
