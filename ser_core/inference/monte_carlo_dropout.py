"""Monte-Carlo dropout: the same clip, answered by the classifier under several dropout masks.

Where the samples differ the model does not know; where they agree on being undecided the clip
itself is unclear. A label of the former teaches more (Gal and Ghahramani 2016,
https://arxiv.org/abs/1506.02142; Houlsby et al. 2011, https://arxiv.org/abs/1112.5745).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ser_core.errors import SpecificationError
from ser_core.inference.prediction import Prediction
from ser_core.inference.recognizer import AudioSource, Recognizer
from ser_core.inference.runtime import Lengths, Logits
from ser_core.inference.runtime import Samples as Waveform
from ser_core.inference.torch_runtime import TorchRuntime

Array = NDArray[np.float64]
PASSES = 32


@dataclass(frozen=True)
class DropoutPrediction:
    """A prediction and its Monte-Carlo dropout samples.

    Attributes:
        prediction: as the recognizer gives it.
        samples: calibrated probabilities ``[pass, emotion]``; None where there was no answer.
    """

    prediction: Prediction
    samples: Array | None


class _KeepsEmbeddings:
    """A runtime that holds on to what went into the classifier."""

    def __init__(self, runtime: TorchRuntime) -> None:
        self._runtime = runtime
        self.held: list[Array] = []

    def __call__(self, waveform: Waveform, lengths: Lengths) -> Logits:
        logits, embeddings = self._runtime.with_embeddings(waveform, lengths)
        self.held.append(embeddings)
        return logits


def predict_with_dropout(
    recognizer: Recognizer,
    source: AudioSource,
    rng: np.random.Generator,
    *,
    name: str | None = None,
    passes: int = PASSES,
) -> DropoutPrediction:
    """Return the prediction of a clip and Monte-Carlo dropout samples, for one pass of the network.

    The embedding in front of the classifier is computed once, without dropout, and dropped
    ``passes`` times at the rate that the backbone was trained with. One mask serves all windows of
    the clip: a sample is one network. A backbone without dropout gives equal samples.

    Args:
        recognizer: the model.
        source: as for ``Recognizer.predict``.
        rng: draws the masks.
        name: the name to report; None means the source's own.
        passes: samples, 2 or more.

    Raises:
        AudioError: the clip can't be decoded or holds no sound.
        SpecificationError: fewer than two passes.
    """
    _check(passes)
    runtime = _KeepsEmbeddings(recognizer.torch_runtime())
    prediction = recognizer.predict(source, name=name, runtime=runtime)
    if not runtime.held:
        return DropoutPrediction(prediction, None)
    embeddings = np.concatenate(runtime.held)
    return DropoutPrediction(
        prediction, dropout_samples(recognizer, embeddings, rng, passes=passes)
    )


def dropout_samples(
    recognizer: Recognizer, embeddings: Array, rng: np.random.Generator, *, passes: int = PASSES
) -> Array:
    """Return calibrated probabilities ``[pass, emotion]`` under dropped embeddings of one clip.

    Args:
        recognizer: whose classifier, dropout rate and calibration.
        embeddings: ``[window, width]``; logits are averaged over windows, as in a prediction.
        rng: draws the masks.
        passes: samples, 2 or more.

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


def information(samples: Array) -> float:
    """Return what the samples differ in, in nats: entropy of their mean minus their mean entropy.

    Args:
        samples: probabilities ``[pass, emotion]``.

    >>> round(information(np.array([[1.0, 0.0], [0.0, 1.0]])), 3)
    0.693
    >>> information(np.array([[0.5, 0.5], [0.5, 0.5]]))
    0.0
    """
    whole = special.entr(samples.mean(axis=0)).sum()
    return max(0.0, float(whole - special.entr(samples).sum(axis=-1).mean()))


def _check(passes: int) -> None:
    if passes < 2:
        raise SpecificationError(f"{passes} passes were asked for; 2 or more can differ.")
