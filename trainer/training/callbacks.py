"""Whom a run tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Callbacks:
    """What a run calls while it goes on; every field may be replaced.

    Attributes:
        log: takes a line for a person.
        step: takes steps done, steps in all, and the last loss.
        epoch: takes the figures of an epoch; may raise to stop the run (pruning).
        phase: takes what the run does from now on, such as ``training``.
        plan: takes what is decided before the first step: epochs, steps, clips.
    """

    log: Callable[[str], None] = print
    step: Callable[[int, int, float], None] = field(default=lambda done, total, loss: None)
    epoch: Callable[[dict[str, float]], None] = field(default=lambda figures: None)
    phase: Callable[[str], None] = field(default=lambda name: None)
    plan: Callable[[Mapping[str, Any]], None] = field(default=lambda values: None)


def untracked(name: str, callbacks: Callbacks) -> AbstractContextManager[Callbacks]:
    """Let a run tell nobody but those whom it tells already."""
    return nullcontext(callbacks)
