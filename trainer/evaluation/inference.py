"""Clips by the thousand through the one inference pipeline, as the page would answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ser_core.audio import Audio
from ser_core.checkpoints.calibration import Calibration
from ser_core.errors import SerError
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.windows import SpeechActivity
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips
from trainer.evaluation.predictions import Predictions, Samples, assemble

BATCH = 32


class ClipLogits(NamedTuple):
    """What a model makes of clips.

    Attributes:
        logits: ``[clip, emotion]``. A clip that gets no answer at the page has them all the same,
            of its whole length, so that it can be scored: a model isn't better for abstaining.
        abstained: why the page gives no answer whatever the model, "" where it does, [clip].
    """

    logits: npt.NDArray[np.float64]
    abstained: tuple[str, ...]


def clip_logits(
    pipeline: Pipeline,
    count: int,
    load: Callable[[int], Samples],
    *,
    detect: Callable[[int, Audio], SpeechActivity] | None = None,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> ClipLogits:
    """Run clips through a pipeline.

    Args:
        pipeline: of the model.
        count: how many clips there are.
        load: number of a clip -> its waveform ``[channel, time]`` at the model's rate; called from
            several threads.
        detect: number and sound -> where somebody speaks, for those who remember it.
        workers: threads that load while the network is at work.
        progress: called with the number of clips done since the last call.
    """
    rate = pipeline.specification.sample_rate
    logits = np.zeros((count, len(pipeline.specification.emotions)))
    abstained: list[str] = []
    found = pipeline.run(
        range(count),
        lambda index: Audio(load(index), rate, rate),
        detect=detect,
        workers=workers,
        always=True,
    )
    for index, one in found:
        if isinstance(one, SerError):
            raise one
        logits[index] = one.logits
        abstained.append(one.activity.abstention.reason if one.activity.abstention else "")
        if progress is not None:
            progress(1)
    return ClipLogits(logits, tuple(abstained))


def predict_examples(
    pipeline: Pipeline,
    calibrated: Calibration,
    items: Sequence[Example],
    decoded: DecodedClips,
    *,
    workers: int = 2,
) -> Predictions:
    """Return what a model in memory answers for the clips of one side of a split.

    Args:
        pipeline: of the model.
        calibrated: its calibration.
        items: the clips; what counts as right is their likeliest emotion.
        decoded: where their sound is; they are predicted with their silent ends, as at the page.
        workers: threads that load while the network is at work.
    """
    whole = decoded.whole()
    clips = [item.clip for item in items]
    if whole is not decoded:
        whole.prepare(clips)
    found = clip_logits(
        pipeline, len(items), lambda index: whole.samples(items[index].digest), workers=workers
    )
    emotions = pipeline.specification.emotions
    labels = [emotions[item.label] for item in items]
    return assemble(
        emotions, calibrated, clips, found.logits, emotions, (), found.abstained, labels=labels
    )
