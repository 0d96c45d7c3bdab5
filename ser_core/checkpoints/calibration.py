"""From logits to probabilities that mean what they say, and to an honest abstention."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ser_core.errors import CheckpointError

Array = NDArray[np.float64]

FEWEST_OF_A_GROUP = 20
"""Clips below which a quantile of a group is chance."""


@dataclass(frozen=True)
class Calibration:
    """What is fitted on validation speakers after training and shipped beside the weights.

    Attributes:
        temperature: logits are divided by it (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
        conformal_threshold: an emotion is in the set that holds the truth with probability
            ``coverage`` when the probability mass above it is at most this (adaptive prediction
            sets, Romano et al. 2020, https://arxiv.org/abs/2006.02544); 1 keeps every emotion.
        coverage: what the sets were calibrated for.
        entropy_limit: normalised entropy from which a model abstains, 0 to 1.
        energy_limit: logsumexp of the logits below which a clip is unlike the training speech
            (Liu et al. 2020, https://arxiv.org/abs/2010.03759); None where it was not fitted.
    """

    temperature: float = 1.0
    conformal_threshold: float = 1.0
    coverage: float = 0.9
    entropy_limit: float = 0.9
    energy_limit: float | None = None

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise CheckpointError(f"A temperature of {self.temperature} is not above 0.")

    def probabilities(self, logits: Array) -> Array:
        """Return calibrated probabilities for logits ``[..., emotion]``."""
        return softmax(np.asarray(logits, dtype=np.float64) / self.temperature)

    def conformal_set(self, probabilities: Array) -> list[int]:
        """Return the emotions (indices, likeliest first) that hold the truth at ``coverage``."""
        order = np.argsort(-probabilities, kind="stable")
        above = np.cumsum(probabilities[order]) - probabilities[order]
        kept = zip(order, above, strict=True)
        held = [int(i) for i, mass in kept if mass <= self.conformal_threshold]
        return held or [int(order[0])]

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read ``to_json``'s result.

        Raises:
            CheckpointError: not JSON, or other fields than these.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping):
                raise CheckpointError("calibration.json is not a JSON object.")
            return cls(**values)
        except (json.JSONDecodeError, TypeError) as error:
            raise CheckpointError(f"calibration.json can't be read: {error}.") from error


def softmax(logits: Array) -> Array:
    """Return the softmax over the last axis."""
    result: Array = special.softmax(logits, axis=-1)
    return result


def entropy(probabilities: Array) -> Array:
    """Return the entropy over the last axis as a share of its maximum, 0 to 1.

    >>> float(entropy(np.array([0.5, 0.5]))), float(entropy(np.array([1.0, 0.0])))
    (1.0, 0.0)
    """
    nats = special.entr(probabilities).sum(axis=-1)
    # Rounded, so that an even distribution is 1 and none is beyond it.
    result: Array = np.clip(np.round(nats / np.log(probabilities.shape[-1]), 9), 0.0, 1.0)
    return result


def energy(logits: Array) -> Array:
    """Return logsumexp over the last axis: how strongly any emotion answers at all."""
    result: Array = np.asarray(special.logsumexp(logits, axis=-1), dtype=np.float64)
    return result


def fit_temperature(
    logits: Array, labels: NDArray[np.int64], weights: Array | None = None
) -> float:
    """Return the temperature that minimises the negative log-likelihood.

    Args:
        logits: ``[clip, emotion]``, of speakers that the model was not trained on.
        labels: true index of each clip.
        weights: weight of each clip, or None.

    Returns:
        A temperature between 0.05 and 20.
    """
    from scipy.optimize import minimize_scalar

    held = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        true = scaled[np.arange(len(labels)), labels]
        return float(((energy(scaled) - true) * held).sum() / held.sum())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def fit(
    logits: Array,
    labels: NDArray[np.int64],
    *,
    weights: Array | None = None,
    groups: Sequence[str] | None = None,
    coverage: float = 0.9,
    answered: float = 0.92,
) -> Calibration:
    """Fit temperature, conformal threshold and the limits of abstention on validation speakers.

    Args:
        logits: ``[clip, emotion]``.
        labels: true index of each clip.
        weights: weight of each clip in the temperature, or None.
        groups: corpus of each clip, or None. The limits of abstention are then set so that every
            corpus gets its answers: a limit over all clips together falls on the hardest corpus
            alone. One of fewer than ``FEWEST_OF_A_GROUP`` clips has no say.
        coverage: share of clips whose set shall hold the truth.
        answered: share of clean clips that shall get an answer; what the model abstains from is
            split between high entropy and low energy.
    """
    temperature = fit_temperature(logits, labels, weights)
    probabilities = softmax(logits / temperature)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    above = np.cumsum(ranked, axis=1) - ranked
    place = np.argmax(order == labels[:, None], axis=1)
    scores = above[np.arange(len(labels)), place]
    rank = min(1.0, np.ceil((len(labels) + 1) * coverage) / len(labels))
    share = (1 - answered) / 2
    disorder, force = entropy(probabilities), energy(logits)
    masks = _masks(groups, len(labels))
    return Calibration(
        temperature=temperature,
        conformal_threshold=float(np.quantile(scores, rank, method="higher")),
        coverage=coverage,
        entropy_limit=max(float(np.quantile(disorder[mask], 1 - share)) for mask in masks),
        energy_limit=min(float(np.quantile(force[mask], share)) for mask in masks),
    )


def _masks(groups: Sequence[str] | None, count: int) -> list[NDArray[np.bool_]]:
    everything = [np.ones(count, dtype=np.bool_)]
    if groups is None:
        return everything
    names = np.array(groups)
    masks = [names == name for name in sorted(set(groups))]
    return [mask for mask in masks if mask.sum() >= FEWEST_OF_A_GROUP] or everything
