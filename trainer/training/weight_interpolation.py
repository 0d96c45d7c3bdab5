"""Weights between what a fine-tune started from and what it came to, chosen on validation clips.

A short fine-tune on few clips gains on these and loses on the rest; the mean of the weights before
and after often keeps both. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022
(https://arxiv.org/abs/2109.01903).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the fine-tune that are tried; the least of equals is kept."""


@dataclass(frozen=True)
class Interpolation:
    """What was chosen.

    Attributes:
        share: of the fine-tune in the weights, more than 0, at most 1.
        scores: share -> figure on the validation clips; share 0 is the start, shown for comparison.
    """

    share: float
    scores: dict[float, float]

    def sentence(self) -> str:
        """Say what was chosen and what the others gave.

        >>> Interpolation(0.5, {0.0: 0.6, 0.5: 0.62}).sentence()
        'weights: 50 % of the fine-tune (validation UAR 0.600 at 0 %, 0.620 at 50 %)'
        """
        shown = ", ".join(f"{score:.3f} at {share:.0%}" for share, score in self.scores.items())
        text = f"weights: {self.share:.0%} of the fine-tune (validation UAR {shown})"
        return text.replace("%", " %")


def interpolated(
    start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return ``(1 - share) * start + share * tuned``; whole numbers are those of ``tuned``.

    >>> import torch
    >>> interpolated({"w": torch.zeros(2)}, {"w": torch.ones(2)}, 0.25)
    {'w': tensor([0.2500, 0.2500])}
    """
    return {
        name: start[name].to(value).lerp(value, share) if value.is_floating_point() else value
        for name, value in tuned.items()
    }


def choose(
    start: Mapping[str, Tensor],
    tuned: Mapping[str, Tensor],
    score: Callable[[Mapping[str, Tensor]], float],
) -> Interpolation:
    """Return the share whose weights score best.

    Args:
        start, tuned: state dicts of one model.
        score: takes a state dict; more is better.
    """
    scores = {share: score(interpolated(start, tuned, share)) for share in (0.0, *SHARES)}
    return Interpolation(max(SHARES, key=scores.__getitem__), scores)
