"""A clip that may be shown, and how the queue chooses among such clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from numpy.typing import ArrayLike

from label_store.errors import StoreError

STRATEGIES: Final = (
    "entropy",
    "margin",
    "bald",
    "disagreement",
    "telling",
    "label-error",
    "balance",
    "random",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that may be shown.

    Attributes:
        clip: the clip's hash.
        file_name, corpus: its name, and where it comes from.
        emotion: the label it has now, or "".
        probabilities: emotion -> probability; for ``label-error`` out of sample.
        samples: probabilities of several draws [draw, class], for ``bald``.
        information: what ``scores.bald`` gave for such draws, where they were not kept.
        speaker_held_out: whether the model never had the speaker in training. For other clips it
            repeats the label it learned, so ``label-error`` passes them over.
        out_of_fold: emotion -> probability by the model of the fold that leaves the speaker out;
            for ``label-error`` where ``probabilities`` are not out of sample.
        unlabelled: whether its corpus has no label for it yet; such clips come first.
    """

    clip: str
    file_name: str = ""
    corpus: str = ""
    emotion: str = ""
    probabilities: Mapping[str, float] | None = None
    samples: ArrayLike | None = field(default=None, compare=False)
    information: float | None = None
    speaker_held_out: bool = True
    out_of_fold: Mapping[str, float] | None = None
    unlabelled: bool = False

    @property
    def out_of_sample(self) -> Mapping[str, float] | None:
        """Probabilities by a model that never had the speaker in training, or None."""
        return (
            self.probabilities if self.speaker_held_out and self.probabilities else self.out_of_fold
        )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How the queue chooses.

    Attributes:
        strategy: one of STRATEGIES.
        random_share: clips drawn at random, whatever the strategy; 0.2..1. Without them, what the
            model is wrongly sure of is never seen.
        balance: weight of class and corpus balance beside the strategy, 0..1.
        overlap: share of clips that several annotators are to label, 0..1.
        overlap_annotators: how many annotators those clips get, 2 or more.
        lease_seconds: how long a shown clip is kept from others, above 0.
        gold_share: share of clips drawn from those with a known answer, 0..0.5.
    """

    strategy: str = "entropy"
    random_share: float = 0.25
    balance: float = 0.0
    overlap: float = 0.1
    overlap_annotators: int = 2
    lease_seconds: float = 300.0
    gold_share: float = 0.05

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise StoreError(
                f"“{self.strategy}” is not a strategy. Known: {', '.join(STRATEGIES)}."
            )
        for name, low in (("random_share", 0.2), ("balance", 0.0), ("overlap", 0.0)):
            if not low <= getattr(self, name) <= 1:
                raise StoreError(f"{name} is {getattr(self, name)}; expected {low} to 1.")
        if not 0 <= self.gold_share <= 0.5:
            raise StoreError(f"gold_share is {self.gold_share}; expected 0 to 0.5.")
        if self.overlap_annotators < 2 or self.lease_seconds <= 0:
            raise StoreError("overlap_annotators has to be 2 or more, lease_seconds above 0.")
