"""A clip over time: overlapping windows as blocks side by side, and what they amount to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_core.checkpoints.calibration import entropy

Stretch = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True)
class Window:
    """One stretch of a clip.

    Attributes:
        start, end: seconds.
        emotion: the likeliest, or None where there is no speech to judge.
        probabilities: calibrated, by emotion.
        speech: share of the stretch that is speech, 0 to 1.
    """

    start: float
    end: float
    emotion: str | None
    probabilities: dict[str, float]
    speech: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "emotion": self.emotion,
            "probabilities": {k: round(v, 6) for k, v in self.probabilities.items()},
            "speech": round(self.speech, 3),
        }


@dataclass(frozen=True)
class TimelineBlock:
    """A stretch of one emotion on the time line.

    Attributes:
        start, end: seconds.
        emotion: the likeliest, or None where nothing was judged.
        probability: the emotion's, 0 to 1.
        entropy: how undecided the model was there, 0 to 1.
    """

    start: float
    end: float
    emotion: str | None
    probability: float
    entropy: float = 0.0


@dataclass(frozen=True)
class EmotionShare:
    """What became of one emotion over a clip.

    Attributes:
        emotion: which.
        seconds: speaking time in which it was the likeliest.
        share: the same of all speaking time, 0 to 1.
        uncertain: the share of these seconds in which the model was not sure, 0 to 1.
        longest: its longest unbroken stretch.
    """

    emotion: str
    seconds: float
    share: float
    uncertain: float
    longest: Stretch

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "emotion": self.emotion,
            "seconds": round(self.seconds, 3),
            "share": round(self.share, 4),
            "unsure": round(self.uncertain, 4),
            "longest": {"start": round(self.longest[0], 3), "end": round(self.longest[1], 3)},
        }


@dataclass(frozen=True)
class Change:
    """A moment at which another emotion became the likeliest."""

    at: float
    before: str
    after: str


@dataclass(frozen=True)
class Summary:
    """What a clip longer than the model's window amounts to.

    Attributes:
        speaking, silent: seconds; together the clip's length.
        uncertain: share of the speaking time in which the model was not sure, 0 to 1.
        unjudged: share of the speaking time with too little speech around it to be judged.
        emotions: most speaking time first.
        changes: in order of time; a pause between two stretches of one emotion is not a change.
    """

    speaking: float
    silent: float
    uncertain: float
    unjudged: float
    emotions: tuple[EmotionShare, ...]
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "speaking": round(self.speaking, 3),
            "silent": round(self.silent, 3),
            "unsure": round(self.uncertain, 4),
            "unjudged": round(self.unjudged, 4),
            "emotions": [one.to_json() for one in self.emotions],
            "changes": [
                {"at": round(one.at, 3), "before": one.before, "after": one.after}
                for one in self.changes
            ],
        }


def blocks(
    windows: Sequence[Window],
    most: int | None = None,
    speech: Sequence[Stretch] | None = None,
) -> list[TimelineBlock]:
    """Return overlapping windows as blocks side by side; each moment goes by all windows over it.

    Args:
        windows: in order of time.
        most: most blocks returned; None = as many as the windows' edges make.
        speech: stretches of speech; a block without any of it has no emotion, whatever the
            windows over it say of their other parts. None = all is taken for speech.
    """
    if not windows:
        return []
    edges = np.unique([edge for window in windows for edge in (window.start, window.end)])
    if most is not None and len(edges) > most + 1:
        edges = np.linspace(edges[0], edges[-1], most + 1)
    names = list(windows[0].probabilities)
    starts = np.array([window.start for window in windows])
    ends = np.array([window.end for window in windows])
    judged = np.array([window.emotion is not None for window in windows])
    table = np.array([[window.probabilities[name] for name in names] for window in windows])
    found: list[TimelineBlock] = []
    for start, end in itertools.pairwise(edges.tolist()):
        over = (starts < end - 1e-9) & (ends > start + 1e-9) & judged
        if not over.any():
            found.append(TimelineBlock(start, end, None, 0.0))
            continue
        mean = table[over].mean(axis=0)
        top = int(mean.argmax())
        found.append(TimelineBlock(start, end, names[top], float(mean[top]), float(entropy(mean))))
    if speech is None:
        return found
    silent = _spoken(found, speech) <= 0
    return [
        TimelineBlock(block.start, block.end, None, 0.0) if still else block
        for block, still in zip(found, silent, strict=True)
    ]


def summarise(
    windows: Sequence[Window], speech: Sequence[Stretch], seconds: float, entropy_limit: float
) -> Summary | None:
    """Return what a clip amounts to over time; None where there is one window or no speech.

    Args:
        windows: in order of time.
        speech: stretches of speech.
        seconds: length of the clip.
        entropy_limit: normalised entropy above which a moment counts as uncertain, 0 to 1.
    """
    speaking = sum(end - start for start, end in speech)
    if len(windows) < 2 or speaking <= 0:
        return None
    found = blocks(windows, speech=speech)
    spoken = _spoken(found, speech)
    uncertain = np.array([b.emotion is not None and b.entropy > entropy_limit for b in found])
    unjudged = np.array([b.emotion is None for b in found])
    longest = _longest(found)
    emotions = []
    for name in dict.fromkeys(b.emotion for b in found if b.emotion is not None):
        own = np.array([b.emotion == name for b in found])
        held = float(spoken[own].sum())
        if held <= 0:
            continue
        share_uncertain = float(spoken[own & uncertain].sum()) / held
        emotions.append(EmotionShare(name, held, held / speaking, share_uncertain, longest[name]))
    emotions.sort(key=lambda one: -one.seconds)
    return Summary(
        speaking=speaking,
        silent=max(0.0, seconds - speaking),
        uncertain=float(spoken[uncertain].sum()) / speaking,
        unjudged=float(spoken[unjudged].sum()) / speaking,
        emotions=tuple(emotions),
        changes=_changes(found, spoken),
    )


def _spoken(found: Sequence[TimelineBlock], speech: Sequence[Stretch]) -> NDArray[np.float64]:
    """Return how many seconds of each block are speech."""
    start = np.array([block.start for block in found])
    end = np.array([block.end for block in found])
    total = np.zeros(len(found))
    for first, last in speech:
        total += np.clip(np.minimum(end, last) - np.maximum(start, first), 0.0, None)
    return total


def _longest(found: Sequence[TimelineBlock]) -> dict[str, Stretch]:
    best: dict[str, Stretch] = {}
    for name, group in itertools.groupby(found, key=lambda block: block.emotion):
        run = list(group)
        stretch = (run[0].start, run[-1].end)
        if name is None:
            continue
        held = best.get(name, (0.0, 0.0))
        if stretch[1] - stretch[0] > held[1] - held[0]:
            best[name] = stretch
    return best


def _changes(found: Sequence[TimelineBlock], spoken: NDArray[np.float64]) -> tuple[Change, ...]:
    kept = [b for b, held in zip(found, spoken, strict=True) if b.emotion is not None and held > 0]
    return tuple(
        Change(after.start, str(before.emotion), str(after.emotion))
        for before, after in itertools.pairwise(kept)
        if before.emotion != after.emotion
    )
