"""Training on feature maps taken once, with made-up ones of the rarer emotions (SMOTE, ADASYN)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from trainer.data.balance import oversample
from trainer.data.batches import Batch, Example, middle
from trainer.data.decoded import DecodedClips
from trainer.errors import SettingsError
from trainer.settings import Settings

_AT_ONCE = 32

MOST_BYTES = 2 * 2**30
"""Memory that all rows may take; the oversampler holds them about twice."""


@dataclass(frozen=True)
class FeatureRows:
    """Feature maps of training clips; the made-up ones come after those of the clips.

    Attributes:
        values: normalised, float32 ``[row, channel, bin, frame]``; statistics have one frame.
        lengths: valid frames, int64 ``[row]``; all of them of a made-up row.
        targets: soft labels, float32 ``[row, emotion]``; a made-up row has the one of its class.
        weights: in the loss, float32 ``[row]``.
        clips: how many rows are clips.
    """

    values: Tensor
    lengths: Tensor
    targets: Tensor
    weights: Tensor
    clips: int

    def __len__(self) -> int:
        return len(self.values)


def feature_maps(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
) -> tuple[Tensor, Tensor]:
    """Return the normalised feature maps of the middle windows, and their valid frames.

    Shape:
        ``[clip, channel, bin, frame]`` and ``[clip]``.
    """
    device = next(model.parameters()).device
    parts: list[Tensor] = []
    valid: list[Tensor] = []
    for first in range(0, len(items), _AT_ONCE):
        waveform, lengths = middle(items[first : first + _AT_ONCE], decoded, specification)
        with torch.inference_mode():
            found = model.features(waveform.to(device), lengths.to(device))
        parts.append(found.values.cpu())
        valid.append(found.lengths.cpu())
    return torch.cat(parts), torch.cat(valid)


def statistics(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
) -> Tensor:
    """Return the normalised statistics of the middle windows, ``[clip, channel, bin, 1]``."""
    return feature_maps(model, specification, items, decoded)[0]


def make_rows(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
    settings: Settings,
    log: Callable[[str], None] = lambda line: None,
) -> FeatureRows:
    """Take the feature maps of training clips once, and oversample the rarer emotions.

    Args:
        model: its front-end must give statistics or spectrograms; it does not learn.
        specification: of the model.
        items: training clips alone.
        decoded: where their samples are.
        settings: ``balance`` says how, ``seed`` what is drawn.
        log: is told how much was made.

    Raises:
        SettingsError: the front-end gives frames of descriptors, which stand in no fixed place, or
            the rows would take more than ``MOST_BYTES``.
        DataError: an emotion has a single clip, or nothing could be made.
    """
    if model.frontend.layout == "sequence":
        raise SettingsError(
            f"{settings.balance} needs one row of statistics for each clip, as the front-end "
            f"“descriptors” gives with its preset “statistics”, or spectrograms; "
            f"{specification.frontend} gives frames of descriptors here."
        )
    labels = np.array([item.label for item in items], dtype=np.int64)
    present = sorted(set(labels.tolist()))
    first, _ = feature_maps(model, specification, items[:1], decoded)
    rows = int(np.bincount(labels).max()) * len(present)
    size = rows * first[0].numel() * first.element_size()
    if size > MOST_BYTES:
        raise SettingsError(
            f"{settings.balance} would hold {rows} feature maps of {tuple(first.shape[1:])} values "
            f"in memory, {size / 2**30:.1f} GiB; {MOST_BYTES / 2**30:g} GiB are allowed. Take "
            "shorter windows (--seconds), fewer mel bins, fewer clips (--max-clips), or balance "
            "by sampling."
        )
    values, lengths = feature_maps(model, specification, items, decoded)
    flat, classes = oversample(
        values.flatten(1).numpy(),
        np.searchsorted(present, labels).astype(np.int64),
        [specification.emotions[index] for index in present],
        settings.balance,
        np.random.default_rng(settings.seed),
        log,
    )
    log(
        f"{settings.balance}: {len(flat) - len(items)} feature maps made from {len(items)} "
        f"training clips, {flat.nbytes / 2**20:.0f} MiB in memory"
    )
    # Shares the oversampler's memory: a second copy could be gigabytes.
    held = torch.from_numpy(np.ascontiguousarray(flat, dtype=np.float32))
    made = len(flat) - len(items)
    targets = torch.zeros(len(flat), len(specification.emotions))
    targets[: len(items)] = torch.tensor([item.target for item in items])
    own = torch.tensor([present[index] for index in classes[len(items) :]], dtype=torch.int64)
    targets[torch.arange(len(items), len(flat)), own] = 1.0
    weights = torch.ones(len(flat))
    weights[: len(items)] = torch.tensor([item.weight for item in items])
    return FeatureRows(
        held.view(-1, *values.shape[1:]),
        torch.cat([lengths, torch.full((made,), values.shape[-1], dtype=lengths.dtype)]),
        targets,
        weights,
        len(items),
    )


def row_batches(
    rows: FeatureRows, settings: Settings, *, epoch: int, skip: int = 0, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Yield the batches of an epoch, as `trainer.data.training_batches` does for waveforms."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(epoch,)))
    order = rng.permutation(len(rows))
    if settings.epoch_clips:
        order = np.resize(order, settings.epoch_clips)
    size = settings.batch_size
    for number in range(skip, batches_of_rows(rows, settings)):
        chosen = torch.from_numpy(order[number * size : (number + 1) * size][rank::world])
        yield Batch(
            rows.values[chosen],
            rows.lengths[chosen],
            rows.targets[chosen],
            rows.weights[chosen],
        )


def batches_of_rows(rows: FeatureRows, settings: Settings) -> int:
    """Return how many batches an epoch has; a last one that is not full is left out."""
    return max(1, (settings.epoch_clips or len(rows)) // settings.batch_size)
