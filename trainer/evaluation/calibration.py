"""Fit a checkpoint's calibration on predictions of the validation speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from ser_core.checkpoints import calibration
from ser_core.checkpoints.calibration import Calibration
from ser_core.inference.abstention import NO_SPEECH, SILENT
from trainer.errors import DataError
from trainer.evaluation.predictions import Predictions


def calibrate(
    predictions: Predictions, log: Callable[[str], None] = lambda line: None
) -> Calibration:
    """Fit temperature, conformal sets and the limits of abstention.

    Clips that get no answer whatever the model don't count, unless there are no others. In the
    temperature a corpus counts by the square root of its clips: counted alike, the few speakers of
    a small corpus would decide for all; counted by clips, they would count for nothing.

    Args:
        predictions: of the validation clips, with their logits.
        log: takes a line.

    Raises:
        DataError: there are no logits.
    """
    if predictions.logits is None:
        raise DataError("nothing can be calibrated without the logits of the validation clips")
    answered = np.array([why not in (SILENT, NO_SPEECH) for why in predictions.abstained])
    if not answered.any():
        log(
            f"no speech was found in any of the {len(answered)} validation clips; the calibration "
            "is fitted on all of them"
        )
        answered[:] = True
    part = predictions.outcomes.select(answered)
    sizes = Counter(part.corpus)
    weights = np.array([sizes[name] ** -0.5 for name in part.corpus])
    return calibration.fit(
        predictions.logits[answered], part.labels, weights=weights, groups=part.corpus
    )
