"""Keeping what lies behind a clip's end out of everything that is computed from it."""

from __future__ import annotations

import torch
from torch import Tensor

from ser_core.frontends.base import hide, hide_


def strided(valid: Tensor, stride: int) -> Tensor:
    """Return valid frames behind a layer with a stride that keeps a last, partial step.

    >>> strided(torch.tensor([1, 4, 5]), 2)
    tensor([1, 2, 3])
    """
    return torch.div(valid + stride - 1, stride, rounding_mode="floor").clamp_min(1)


def pooled(valid: Tensor, size: int) -> Tensor:
    """Return valid frames behind a pooling that drops a last, partial window, 1 or more.

    >>> pooled(torch.tensor([1, 4, 5]), 2)
    tensor([1, 2, 2])
    """
    return torch.div(valid, size, rounding_mode="floor").clamp_min(1)


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Average over the valid frames, and over bins where there are any.

    Args:
        values: ``[batch, channel, frame]`` or ``[batch, channel, bin, frame]``.
        valid: valid frames of each item, 1 or more, int64 ``[batch]``.

    Returns:
        ``[batch, channel]``.
    """
    flat = values.mean(dim=2) if values.dim() == 4 else values
    return hide(flat, valid).sum(dim=-1) / valid[:, None].to(flat.dtype)


__all__ = ["hide", "hide_", "masked_mean", "pooled", "strided"]
