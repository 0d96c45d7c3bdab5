"""When a challenger may serve. Nothing heavy is imported: its help is asked for first."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

from trainer.errors import SettingsError


def _asked(default: float, text: str) -> float:
    """Return a field with a flag of the command line, which is named as the field is."""
    found: float = field(default=default, metadata={"help": text})
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """When a challenger may serve.

    Attributes:
        confidence: how sure the bootstrap must be that UAR is not worse, in (0.5, 1).
        margin: fall in UAR that still counts as not worse, in [0, 1].
        floor: most that the recall of any emotion may fall, in [0, 1].
        calibration: rise of the expected calibration error that counts as worse, in [0, 1]; the
            challenger is refused where the bootstrap is as sure of it as ``confidence``.
        draws: bootstrap samples.
        fall: most that the measured UAR itself may fall, in [0, 1]; at 0, many small steps down
            can't add up.
    """

    confidence: float = _asked(0.9, "how sure it must be that UAR is not worse")
    margin: float = _asked(0.01, "fall of UAR that counts as not worse")
    floor: float = _asked(0.1, "most that an emotion's recall may fall")
    calibration: float = _asked(0.02, "rise of the expected calibration error that counts as worse")
    draws: int = 2000
    fall: float = _asked(0.0, "most that the measured UAR may fall")

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1.0:
            raise SettingsError(f"the confidence of a promotion is {self.confidence}; use 0.5 to 1")
        for name in ("margin", "fall", "floor", "calibration"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"{name} is {getattr(self, name)}; use a share from 0 to 1")
        if self.draws < 100:
            raise SettingsError(f"{self.draws} bootstrap draws are too few; use 100 or more")


def flags_of_rule() -> list[Field[Any]]:
    """Return the fields that are asked for on the command line.

    >>> [one.name for one in flags_of_rule()]
    ['confidence', 'margin', 'floor', 'calibration', 'fall']
    """
    return [one for one in fields(Rule) if "help" in one.metadata]
