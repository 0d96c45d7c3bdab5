"""How well a runtime of a checkpoint recognises labelled clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ser_core import audio
from ser_core.checkpoints.specification import Specification
from ser_core.corpora import Clip
from ser_core.errors import SerError
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.runtime import Runtime


def recall(runtime: Runtime, specification: Specification, clips: Sequence[Clip]) -> float:
    """Return the unweighted average recall over the emotions that occur.

    Args:
        runtime: runs the network.
        specification: of the model.
        clips: labelled with emotions of the model.

    Raises:
        SerError: a clip can't be decoded, or none is given.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    found = Pipeline(specification, runtime).run(
        clips,
        lambda clip: audio.load(clip.path, sample_rate=specification.sample_rate),
        workers=2,
        always=True,
    )
    for clip, one in found:
        if isinstance(one, SerError):
            raise one
        top = int(one.logits.argmax())
        right[clip.emotion].append(specification.emotions[top] == clip.emotion)
    if not right:
        raise SerError("There are no clips to measure the recall on.")
    return sum(sum(hits) / len(hits) for hits in right.values()) / len(right)
