"""Emotions that labels name and a model lacks: how many labels, and whether they are enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from label_store.consensus import ConsensusLabel
from ser_core.emotions import EMOTIONS
from trainer.data.labelled_clips import FEWEST_LABELS, FEWEST_SPEAKERS, clip_of


@dataclass(frozen=True)
class NewEmotion:
    """An emotion that labels name and a model lacks.

    Attributes:
        emotion: which.
        labels: how many have a recording.
        speakers: speakers or sessions that they are of.
    """

    emotion: str
    labels: int
    speakers: int

    @property
    def enough(self) -> bool:
        """Whether an output for it can be learned."""
        return self.labels >= FEWEST_LABELS and self.speakers >= FEWEST_SPEAKERS

    def __str__(self) -> str:
        found = f"{self.labels} labels of {self.emotion} by {self.speakers} speakers or sessions"
        if self.enough:
            return f"{found}: the model gets an output for it"
        return (
            f"{found}: the model has no output for it; {FEWEST_LABELS} labels by "
            f"{FEWEST_SPEAKERS} add one"
        )


def new_emotions(
    labels: Iterable[ConsensusLabel], emotions: Collection[str], session: Callable[[str], str]
) -> list[NewEmotion]:
    """Return the emotions that labels name and a model lacks, in the order of all emotions.

    Args:
        labels: of trusted annotators.
        emotions: the model's.
        session: content hash to the session that a clip came in.
    """
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        if label.emotion not in emotions and label.path is not None:
            clip = clip_of(label, session)
            owners[label.emotion].append(clip.person or session(label.clip_hash))
    return [
        NewEmotion(emotion, len(owners[emotion]), len(set(owners[emotion])))
        for emotion in EMOTIONS
        if emotion in owners
    ]
