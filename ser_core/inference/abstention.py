"""Why a clip gets no answer, or one that should not be relied on: in a few words and a sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser_core.checkpoints.calibration import Calibration, energy, entropy

SILENT = "silent or too short"
NO_SPEECH = "nobody speaks"
UNFAMILIAR = "unlike the training speech"
AMBIGUOUS = "several emotions about equally likely"


class Abstention(NamedTuple):
    """Why a model abstains.

    Attributes:
        reason: one of the constants of this module, to count by.
        message: a sentence for the page.
    """

    reason: str
    message: str


def of_model(calibration: Calibration, logits: NDArray[np.float64]) -> Abstention | None:
    """Return why a model abstains from its own answer, or None.

    Args:
        calibration: whose limits count.
        logits: of one clip, ``[emotion]``.
    """
    limit = calibration.energy_limit
    if limit is not None and float(energy(logits)) < limit:
        return Abstention(
            UNFAMILIAR, "This does not sound like the speech that the model was trained on."
        )
    if float(entropy(calibration.probabilities(logits))) > calibration.entropy_limit:
        return Abstention(AMBIGUOUS, "Several emotions are about equally likely.")
    return None
