"""Calibrate a checkpoint on validation speakers, heard as the page hears them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ser_core import calibration
from ser_core.calibration import Calibration
from trainer.errors import DataError
from trainer.hearing import SILENT, WORDLESS
from trainer.observe import Observed


def recalibrate(observed: Observed) -> Calibration:
    """Fit temperature, conformal sets and the limits of doubt.

    A training run calibrates on the middle of each clip; at the page a clip is the mean of its
    windows, which is surer. Clips that the page refuses don't count. In the temperature a corpus
    counts by the square root of its clips: counted alike, the few speakers of a small corpus would
    decide for all; counted by clips, nobody would hear them.

    Args:
        observed: validation clips, with their logits.

    Raises:
        DataError: there are no logits, or no clip with an answer.
    """
    if observed.logits is None:
        raise DataError("nothing can be calibrated without the logits of the validation clips")
    answered = np.array([doubt not in (SILENT, WORDLESS) for doubt in observed.doubts])
    if not answered.any():
        raise DataError("the page answers none of the validation clips: nobody speaks in them")
    part = observed.outcomes.select(answered)
    sizes = Counter(part.corpus)
    weights = np.array([sizes[name] ** -0.5 for name in part.corpus])
    return calibration.fit(
        observed.logits[answered], part.labels, weights=weights, groups=part.corpus
    )
