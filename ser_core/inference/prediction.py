"""What a model answers for a clip, and over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ser_core.inference.timeline import Summary, Window, summarise


@dataclass(frozen=True)
class Prediction:
    """A model's answer for a clip.

    Attributes:
        file: the clip's name, as it was given.
        emotion: the likeliest emotion; None where nothing could be judged (silence, too short).
        confidence: its calibrated probability.
        probabilities: calibrated, by emotion; uniform where nothing could be judged.
        entropy: normalised entropy of the probabilities, 0 (certain) to 1 (no idea).
        abstained: None, or one sentence on why the answer should not be relied on.
        conformal_set: the emotions that hold the truth with the calibrated coverage.
        windows: the answer over time; one window for a clip no longer than the model's.
        warnings: sentences on clipping, noise, bandwidth, length.
        model: name and version.
        seconds: length of the clip.
        sha256: of the clip's bytes; "" for an array.
        speech: stretches of speech, start and end in seconds.
        entropy_limit: normalised entropy above which the model abstains, 0 to 1.
    """

    file: str
    emotion: str | None
    confidence: float
    probabilities: dict[str, float]
    entropy: float
    abstained: str | None
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
            "unsure": self.abstained,
            "conformal_set": list(self.conformal_set),
            "windows": [window.to_json() for window in self.windows],
            "warnings": list(self.warnings),
            "model": dict(self.model),
            "seconds": round(self.seconds, 3),
            "sha256": self.sha256,
            "summary": None if self.summary is None else self.summary.to_json(),
        }
