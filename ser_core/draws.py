"""Draws of a model: the same clip, judged by the classifier under several dropout masks.

Where the draws differ the model does not know; where they agree on being unsure the clip itself
is unclear. A label of the former teaches more (Gal and Ghahramani 2016,
https://arxiv.org/abs/1506.02142; Houlsby et al. 2011, https://arxiv.org/abs/1112.5745).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ser_core.errors import SpecificationError
from ser_core.prediction import Prediction
from ser_core.recognizer import Recognizer, Source

Array = NDArray[np.float64]
PASSES = 32


@dataclass(frozen=True)
class Judged:
    """A prediction and the draws beside it.

    Attributes:
        prediction: as the recognizer gives it.
        draws: calibrated probabilities ``[pass, emotion]``; None where there was nothing to judge,
            or the model ran in another process (a ZeroGPU Space), which keeps its embeddings.
    """

    prediction: Prediction
    draws: Array | None


def judge(
    recognizer: Recognizer,
    source: Source,
    rng: np.random.Generator,
    *,
    name: str | None = None,
    passes: int = PASSES,
) -> Judged:
    """Return the prediction of a clip and draws of it, for one pass through the network.

    The embedding in front of the classifier is computed once, without dropout, and dropped
    ``passes`` times at the rate that the backbone was trained with. One mask serves all windows of
    the clip: a draw is one network. A backbone without dropout gives equal draws.

    Args:
        recognizer: the model.
        source: as for ``Recognizer.predict``.
        rng: draws the masks.
        name: the name to report; None means the source's own.
        passes: draws, 2 or more.

    Raises:
        AudioError: the clip can't be decoded or holds no sound.
        SpecificationError: fewer than two passes.
    """
    with _tapped(recognizer) as held:
        prediction = recognizer.predict(source, name=name)
    if prediction.emotion is None or not held:
        _check(passes)
        return Judged(prediction, None)
    embeddings = np.concatenate(held)
    heard = [window.emotion is not None for window in prediction.windows]
    return Judged(prediction, draw(recognizer, embeddings[heard], rng, passes=passes))


def draw(
    recognizer: Recognizer, embeddings: Array, rng: np.random.Generator, *, passes: int = PASSES
) -> Array:
    """Return calibrated probabilities ``[pass, emotion]`` under dropped embeddings of one clip.

    Args:
        recognizer: whose classifier, dropout rate and calibration.
        embeddings: ``[window, width]``; logits are averaged over windows, as in a prediction.
        rng: draws the masks.
        passes: draws, 2 or more.

    Raises:
        SpecificationError: fewer than two passes.
    """
    _check(passes)
    backbone = recognizer.model.backbone
    rate = float(backbone.parameters_json().get("dropout", 0.0))
    weight = backbone.classifier.weight.detach().double().cpu().numpy()
    bias = backbone.classifier.bias.detach().double().cpu().numpy()
    # The classifier is linear, so the mean over windows may be taken in front of it.
    mean = embeddings.astype(np.float64).mean(axis=0)
    kept = rng.random((passes, len(mean))) >= rate
    logits = (kept * mean / (1 - rate)) @ weight.T + bias
    return recognizer.calibration.probabilities(logits)


def information(draws: Array) -> float:
    """Return what the draws differ in, in nats: entropy of their mean minus their mean entropy.

    Args:
        draws: probabilities ``[pass, emotion]``.

    >>> round(information(np.array([[1.0, 0.0], [0.0, 1.0]])), 3)
    0.693
    >>> information(np.array([[0.5, 0.5], [0.5, 0.5]]))
    0.0
    """
    return max(0.0, float(_entropy(draws.mean(axis=0)) - _entropy(draws).mean()))


def _entropy(rows: Array) -> Array:
    logs = np.log(np.where(rows > 0, rows, 1.0))
    result: Array = -(rows * logs).sum(axis=-1)
    return result


def _check(passes: int) -> None:
    if passes < 2:
        raise SpecificationError(f"{passes} draws were asked for; 2 or more can differ.")


class _Tap(threading.local):
    """What went into the classifier, while this thread asks for it."""

    held: list[Array] | None = None

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self.held is not None and inputs and isinstance(inputs[0], Tensor):
            self.held.append(inputs[0].detach().double().cpu().numpy())


_TAPS: WeakKeyDictionary[nn.Module, _Tap] = WeakKeyDictionary()
_LOCK = threading.Lock()


@contextmanager
def _tapped(recognizer: Recognizer) -> Iterator[list[Array]]:
    """Hold what this thread's predictions bring to the classifier; other threads' are not seen."""
    classifier = recognizer.model.backbone.classifier
    with _LOCK:
        tap = _TAPS.get(classifier)
        if tap is None:
            # Put in once and left there: hooks must not come and go under another thread's pass.
            tap = _TAPS[classifier] = _Tap()
            classifier.register_forward_pre_hook(tap)
    held: list[Array] = []
    tap.held = held
    try:
        yield held
    finally:
        tap.held = None
