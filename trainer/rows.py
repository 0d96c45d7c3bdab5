"""Training on descriptor statistics: one row for each clip, and made-up rows of rarer emotions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ser_core.model import Model
from ser_core.specification import Specification
from trainer.balance import oversample
from trainer.data import Batch, Example, middle
from trainer.decoded import DecodedClips
from trainer.errors import SettingsError
from trainer.settings import Settings

_AT_ONCE = 32


@dataclass(frozen=True)
class Rows:
    """Statistics of training clips; the made-up rows come after those of the clips.

    Attributes:
        values: normalised feature maps of one frame, float32 ``[row, channel, bin, 1]``.
        targets: soft labels, float32 ``[row, emotion]``; a made-up row has the one of its class.
        weights: in the loss, float32 ``[row]``.
        clips: how many rows are clips.
    """

    values: Tensor
    targets: Tensor
    weights: Tensor
    clips: int

    def __len__(self) -> int:
        return len(self.values)


def statistics(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
) -> Tensor:
    """Return the normalised statistics of the middle windows, ``[clip, channel, bin, 1]``."""
    device = next(model.parameters()).device
    parts: list[Tensor] = []
    for first in range(0, len(items), _AT_ONCE):
        waveform, lengths = middle(items[first : first + _AT_ONCE], decoded, specification)
        with torch.inference_mode():
            parts.append(model.features(waveform.to(device), lengths.to(device)).values.cpu())
    return torch.cat(parts)


def make_rows(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
    settings: Settings,
) -> Rows:
    """Take the statistics of training clips once, and oversample the rarer emotions.

    Args:
        model: its front-end must give statistics (one frame for a clip); it does not learn.
        specification: of the model.
        items: training clips alone.
        decoded: where their samples are.
        settings: ``balance`` says how, ``seed`` what is drawn.

    Raises:
        SettingsError: the front-end gives frames, between which nothing can be interpolated.
        DataError: an emotion has a single clip, or nothing could be made.
    """
    if model.frontend.layout != "vector":
        raise SettingsError(
            f"{settings.balance} needs one row of statistics for each clip, as the front-end "
            f"“descriptors” gives with its preset “statistics”; {specification.frontend} gives "
            "frames here."
        )
    values = statistics(model, specification, items, decoded)
    labels = np.array([item.label for item in items], dtype=np.int64)
    present = sorted(set(labels.tolist()))
    flat, classes = oversample(
        values.flatten(1).double().numpy(),
        np.searchsorted(present, labels).astype(np.int64),
        [specification.emotions[index] for index in present],
        settings.balance,
        np.random.default_rng(settings.seed),
    )
    made = torch.tensor(flat[len(items) :], dtype=torch.float32)
    targets = torch.zeros(len(flat), len(specification.emotions))
    targets[: len(items)] = torch.tensor([item.target for item in items])
    own = torch.tensor([present[index] for index in classes[len(items) :]], dtype=torch.int64)
    targets[torch.arange(len(items), len(flat)), own] = 1.0
    weights = torch.ones(len(flat))
    weights[: len(items)] = torch.tensor([item.weight for item in items])
    return Rows(
        torch.cat([values.clone(), made.view(-1, *values.shape[1:])]),
        targets,
        weights,
        len(items),
    )


def row_batches(
    rows: Rows, settings: Settings, *, epoch: int, skip: int = 0, rank: int = 0, world: int = 1
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
            torch.ones(len(chosen), dtype=torch.int64),
            rows.targets[chosen],
            rows.weights[chosen],
        )


def batches_of_rows(rows: Rows, settings: Settings) -> int:
    """Return how many batches an epoch has; a last one that is not full is left out."""
    return max(1, (settings.epoch_clips or len(rows)) // settings.batch_size)
