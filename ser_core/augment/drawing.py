"""Randomness for a training loader: streams that never repeat, and mixup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ser_core.errors import AugmentError

if TYPE_CHECKING:
    from torch import Tensor


def worker_rng(seed: int, worker: int, epoch: int, index: int) -> np.random.Generator:
    """Return the generator for one clip in one epoch, whichever worker loads it.

    The worker's number is left out of the stream on purpose: what is drawn for a clip is a
    function of the seed, the epoch and the clip's index, so that another number of workers, or a
    run that is resumed, draws the same, and no two clips or epochs share a stream.

    Args:
        seed: the run's seed, 0 or more.
        worker: the number of the worker that loads the clip, 0 or more.
        epoch: the epoch's number, 0 or more.
        index: the clip's index in the data set, 0 or more.

    Raises:
        AugmentError: one of them is negative.

    >>> a, b = worker_rng(1, 0, 2, 3), worker_rng(1, 5, 2, 3)
    >>> a.random() == b.random()
    True
    """
    if min(seed, worker, epoch, index) < 0:
        raise AugmentError(
            "Seed, worker, epoch and index must be 0 or more; "
            f"found {seed}, {worker}, {epoch}, {index}."
        )
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, index)))


def mix_plan(
    batch: int, alpha: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Draw whom each clip of a batch is mixed with, and how much of itself it keeps.

    Args:
        batch: how many clips there are, 1 or more.
        alpha: both parameters of the Beta distribution, above 0; small keeps clips nearly pure.
        rng: where the randomness comes from.

    Returns:
        Each clip's partner ``[batch]``, and its own share ``[batch]`` between 0.5 and 1.

    Raises:
        AugmentError: the batch is empty or alpha is not above 0.
    """
    if batch < 1 or not alpha > 0:
        raise AugmentError(f"mixup needs clips and an alpha above 0; found {batch} and {alpha:g}.")
    partners = rng.permutation(batch).astype(np.int64)
    share = rng.beta(alpha, alpha, batch).astype(np.float32)
    return partners, np.maximum(share, 1 - share)


def mixup(
    values: Tensor, targets: Tensor, lengths: Tensor, alpha: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix each clip of a batch with another one, and their targets in the same shares.

    Args:
        values: ``[batch, ...]``, waveforms or feature maps.
        targets: ``[batch, classes]``, soft (one-hot rows are fine).
        lengths: valid frames of each clip, ``[batch]``; what lies behind them is 0.
        alpha: both parameters of the Beta distribution, above 0.
        rng: where the randomness comes from.

    Returns:
        Mixed values, mixed targets and lengths, of the same shapes; a mixture is as long as the
        longer of the two.

    Raises:
        AugmentError: the shapes do not fit or alpha is not above 0.

    Source: H. Zhang et al., "mixup", ICLR 2018, https://arxiv.org/abs/1710.09412
    """
    import torch

    if targets.ndim != 2 or targets.shape[0] != values.shape[0] or values.ndim < 2:
        raise AugmentError(
            "mixup needs values [batch, ...] and targets [batch, classes]; "
            f"found {tuple(values.shape)} and {tuple(targets.shape)}."
        )
    partners, share = mix_plan(values.shape[0], alpha, rng)
    other = torch.from_numpy(partners).to(values.device)
    own = torch.from_numpy(share).to(values.device, values.dtype)
    wide = own.reshape(-1, *(1 for _ in values.shape[1:]))
    mixed = wide * values + (1 - wide) * values[other]
    own = own.to(targets.dtype).unsqueeze(1)
    longer = torch.maximum(lengths, lengths[other])
    return mixed, own * targets + (1 - own) * targets[other], longer
