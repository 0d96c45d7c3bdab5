"""Where a verb works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ser_core.home import Home


@dataclass(frozen=True)
class Context:
    """Where things are: SER_HOME and the shipped checkpoint (or SER_MODEL)."""

    home: Home
    default: Path
