"""How far a run has come, in a file that the page reads: ``models/runs/progress.json``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ser_core.files import write_json
from ser_core.home import Home, HomeLike
from trainer.errors import InterruptedRunError
from trainer.lifecycle.lock import only_one
from trainer.training.callbacks import Callbacks

PREPARING, DONE, STOPPED, FAILED = "preparing", "done", "stopped", "failed"
"""Phases before the first step and after the last; between them the run names its own."""


@dataclass(frozen=True)
class RunProgress:
    """How a run stands.

    Attributes:
        purpose: what kind of run it is.
        process: its process id.
        started, updated: seconds since 1970.
        phase: ``preparing``, ``training``, ``evaluating`` ...; ``done``, ``stopped`` (it can go
            on) or ``failed`` at the end.
        plan: what was decided at the start: epochs, steps, clips by side, model.
        epoch: epochs that went through.
        step: steps done, of ``plan["steps"]``.
        loss: of the last step, or None.
        validation: figures of each epoch so far.
        message: how it ended, one or two sentences; or a note.
    """

    purpose: str
    process: int
    started: float
    updated: float
    phase: str = PREPARING
    plan: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    loss: float | None = None
    validation: list[dict[str, Any]] = field(default_factory=list)
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether the run itself said that it ended."""
        return self.phase in (DONE, STOPPED, FAILED)


def read_progress(home: HomeLike) -> RunProgress | None:
    """Return how the run at work stands, or the last one; None where there is none to be read."""
    try:
        values = json.loads(Home(home).progress.read_text(encoding="utf-8"))
        return RunProgress(**values)
    except (OSError, ValueError, TypeError):
        return None


class ProgressFile:
    """Writes how a run stands.

    Args:
        home: SER_HOME.
        purpose: what kind of run it is.
        clock: seconds since 1970.
        every: least seconds between two writes for steps alone.
    """

    def __init__(
        self,
        home: HomeLike,
        purpose: str,
        *,
        clock: Callable[[], float] = time.time,
        every: float = 1.0,
    ) -> None:
        self._path, self._clock, self._every = Home(home).progress, clock, every
        now = clock()
        self.now = RunProgress(purpose, os.getpid(), now, now)
        self._write()

    def change(self, **values: Any) -> None:
        """Set fields and write."""
        self.now = replace(self.now, **values)
        self._write()

    def step(self, done: int, total: int, loss: float) -> None:
        """Note a step; written only now and then."""
        plan = self.now.plan if total == self.now.plan.get("steps") else self._plan(steps=total)
        self.now = replace(self.now, step=done, loss=_finite(loss), plan=plan)
        if self._clock() - self.now.updated >= self._every or done == total:
            self._write()

    def epoch(self, figures: Mapping[str, float]) -> None:
        """Note the figures of an epoch."""
        row = {name: _finite(value) for name, value in figures.items()}
        epoch = int(figures.get("epoch", self.now.epoch + 1))
        # An epoch that starts over, as the next trial of a search does, begins a new list.
        before = self.now.validation if epoch > self.now.epoch else []
        self.change(epoch=epoch, validation=[*before, row])

    def callbacks(self, others: Callbacks) -> Callbacks:
        """Return callbacks that write the file and then tell ``others``."""

        def step(done: int, total: int, loss: float) -> None:
            self.step(done, total, loss)
            others.step(done, total, loss)

        def epoch(figures: dict[str, float]) -> None:
            self.epoch(figures)
            others.epoch(figures)

        def phase(name: str) -> None:
            self.change(phase=name)
            others.phase(name)

        def plan(values: Mapping[str, Any]) -> None:
            self.change(plan=self._plan(**values))
            others.plan(values)

        return Callbacks(others.log, step, epoch, phase, plan)

    def _plan(self, **values: Any) -> dict[str, Any]:
        return {**self.now.plan, **values}

    def _write(self) -> None:
        self.now = replace(self.now, updated=self._clock())
        write_json(self._path, asdict(self.now), durable=False)


@contextmanager
def at_work(
    home: HomeLike,
    purpose: str,
    *,
    clock: Callable[[], float] = time.time,
) -> Iterator[ProgressFile]:
    """Hold the home's training lock and write the run's progress for a ``with`` block.

    Args:
        home: SER_HOME.
        purpose: what kind of run it is.
        clock: seconds since 1970.

    Yields:
        What writes the file; its `ProgressFile.callbacks` are for the run.

    Raises:
        LockedError: another trainer is at work.
    """
    with only_one(home, purpose, clock=clock):
        file = ProgressFile(home, purpose, clock=clock)
        try:
            yield file
        except (InterruptedRunError, KeyboardInterrupt) as error:
            file.change(phase=STOPPED, message=str(error))
            raise
        except BaseException as error:
            file.change(phase=FAILED, message=str(error))
            raise
        file.change(phase=DONE)


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
