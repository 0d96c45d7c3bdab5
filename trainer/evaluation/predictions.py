"""What a model answers for labelled clips, and what is scored of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_core.checkpoints import calibration
from ser_core.checkpoints.calibration import Calibration
from ser_core.corpora.clip import Clip
from ser_core.inference import abstention
from trainer.evaluation.metrics import Outcomes

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that could not be evaluated, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Predictions:
    """What a model answers, and which clips it could not be asked about.

    Attributes:
        outcomes: labels and probabilities.
        left_out: clips that were not asked about.
        abstained: why the page would abstain, "" where it would not, [clip]; empty where only
            the entropy is to be judged.
        sets: the emotions of each conformal set, bool [clip, emotion], or None.
        coverage: what the sets were calibrated for.
        logits: of the model's own emotions, [clip, emotion], or None.
    """

    outcomes: Outcomes
    left_out: tuple[LeftOut, ...]
    abstained: tuple[str, ...] = ()
    sets: npt.NDArray[np.bool_] | None = None
    coverage: float = 0.9
    logits: npt.NDArray[np.float64] | None = None


def name_of(clip: Clip) -> str:
    """Return a clip's name across corpora, ``corpus/key``."""
    return f"{clip.corpus}/{clip.key}"


def clip_rng(clip: Clip, *words: object) -> np.random.Generator:
    """Return a generator that depends on the clip and the words alone.

    So every model gets a clip with the same noise, whatever else is in the list.
    """
    text = "\0".join([name_of(clip), *map(str, words)])
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()[:16]))


def assemble(
    emotions: Sequence[str],
    calibrated: Calibration,
    clips: Sequence[Clip],
    logits: npt.NDArray[np.float64],
    columns: Sequence[str],
    left_out: tuple[LeftOut, ...] = (),
    abstained: Sequence[str] = (),
    *,
    labels: Sequence[str] | None = None,
) -> Predictions:
    """Turn logits into what is scored.

    Args:
        emotions: the model's, the order of the logits.
        calibrated: the model's calibration.
        clips: labelled clips, each with an emotion of ``columns``.
        logits: [clip, emotion].
        columns: emotions of the outcome, the model's among them.
        left_out: passed on.
        abstained: why no answer was given before the model was asked, "" where one was, [clip].
        labels: the true emotions; None means the clips' own.
    """
    place = [columns.index(emotion) for emotion in emotions]
    true = [clip.emotion for clip in clips] if labels is None else labels
    raw, chances = np.zeros((2, len(clips), len(columns)))
    raw[:, place] = calibration.softmax(logits)
    own = calibrated.probabilities(logits)
    chances[:, place] = own
    sets = np.zeros((len(clips), len(columns)), dtype=np.bool_)
    for row, held in enumerate(own):
        sets[row, [place[i] for i in calibrated.conformal_set(held)]] = True
    outcomes = Outcomes(
        tuple(columns),
        np.array([columns.index(emotion) for emotion in true], dtype=np.int64),
        chances,
        raw,
        tuple(clip.corpus for clip in clips),
        tuple(clip.sex for clip in clips),
        tuple(clip.person for clip in clips),
        tuple(name_of(clip) for clip in clips),
    )
    reasons = abstentions(calibrated, logits, abstained)
    return Predictions(outcomes, left_out, reasons, sets, calibrated.coverage, logits)


def abstentions(
    calibrated: Calibration, logits: npt.NDArray[np.float64], before: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return why the page would abstain from each answer, in a few words; "" where it doesn't.

    Args:
        calibrated: whose limits count.
        logits: [clip, emotion].
        before: reasons known before the model was asked, [clip]; they come first.
    """
    found = [abstention.of_model(calibrated, row) for row in logits]
    own = ["" if one is None else one.reason for one in found]
    return tuple(
        first or second for first, second in zip(before or [""] * len(own), own, strict=True)
    )
