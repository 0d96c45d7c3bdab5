"""What a model says of a clip, and what it says over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ser_core.timeline import Summary, summarise


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
class Prediction:
    """A model's answer for a clip.

    Attributes:
        file: the clip's name, as it was given.
        emotion: the likeliest emotion; None where nothing could be judged (silence, too short).
        confidence: its calibrated probability.
        probabilities: calibrated, by emotion; uniform where nothing could be judged.
        entropy: normalised entropy of the probabilities, 0 (certain) to 1 (no idea).
        unsure: None, or one sentence on why the answer should not be relied on.
        conformal_set: the emotions that hold the truth with the calibrated coverage.
        windows: the answer over time; one window for a clip no longer than the model's.
        warnings: sentences on clipping, noise, bandwidth, length.
        model: name and version.
        seconds: length of the clip.
        sha256: of the clip's bytes; "" for an array.
        speech: stretches of speech, start and end in seconds.
        entropy_limit: normalised entropy above which the model counts as unsure, 0 to 1.
    """

    file: str
    emotion: str | None
    confidence: float
    probabilities: dict[str, float]
    entropy: float
    unsure: str | None
    conformal_set: tuple[str, ...]
    windows: tuple[Window, ...]
    warnings: tuple[str, ...]
    model: dict[str, str]
    seconds: float
    sha256: str = ""
    speech: tuple[tuple[float, float], ...] = field(default=())
    entropy_limit: float = 1.0

    @cached_property
    def summary(self) -> Summary | None:
        """What the clip amounts to over time; None where it has one window or no speech."""
        return summarise(self.windows, self.speech, self.seconds, self.entropy_limit)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the command line and of ``/predict``."""
        return {
            "file": self.file,
            "emotion": self.emotion,
            "confidence": round(self.confidence, 6),
            "probabilities": {k: round(v, 6) for k, v in self.probabilities.items()},
            "entropy": round(self.entropy, 6),
            "unsure": self.unsure,
            "conformal_set": list(self.conformal_set),
            "windows": [window.to_json() for window in self.windows],
            "warnings": list(self.warnings),
            "model": dict(self.model),
            "seconds": round(self.seconds, 3),
            "sha256": self.sha256,
            "summary": None if self.summary is None else self.summary.to_json(),
        }
