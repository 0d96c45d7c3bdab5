"""A training run started from the page: one process, its log in a file, a polite stop.

The run outlives the tab and the page that started it: whoever opens the tab next sees it go on,
and may stop it. How far it has come is read from the trainer's ``progress.json``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.files import write_json
from ser_core.home import Home
from ui.errors import PageError
from ui.identity import Annotator
from ui.services import ROOT, Services

if TYPE_CHECKING:
    from trainer.lifecycle.lock import Holder
    from trainer.lifecycle.progress import RunProgress

TAIL = 16_000
"""Most bytes of the log that the page shows."""

FINE_TUNE, FIT = "fine-tune", "fit"


@dataclass(frozen=True)
class TrainingRequest:
    """What a person asked to be trained.

    Attributes:
        kind: ``FINE_TUNE`` (the champion, with what is new) or ``FIT`` (from the corpora alone).
        epochs: rounds over the clips, 1 or more.
        force: train even if nothing is new.
        recipe: augmentation as a JSON list, or "" for the preset's own.
    """

    kind: str = FINE_TUNE
    epochs: int = 4
    force: bool = False
    recipe: str = ""


@dataclass(frozen=True)
class RunState:
    """How the run stands.

    Attributes:
        phase: ``none``, ``running``, ``stopping``, ``elsewhere``, ``done``, ``stopped`` or
            ``failed``.
        log: the end of what it printed.
        seconds: since it began.
        done, total: epochs; 0 of 0 before the first.
        share: of all steps that are done, 0 to 1.
        doing: what it does now, such as ``training``.
        who: who started it.
        note: on a run that was started elsewhere: what and since when; on one that ended: how.
    """

    phase: str = "none"
    log: str = ""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    share: float = 0.0
    doing: str = ""
    who: str = ""
    note: str = ""

    @property
    def busy(self) -> bool:
        """Whether a run is at work."""
        return self.phase in ("running", "stopping", "elsewhere")


def words(services: Services, wish: TrainingRequest) -> list[str]:
    """Return the command of a run.

    Raises:
        PageError: the wish makes no sense; the text says how to mend it.
    """
    settings = services.settings
    if not 1 <= wish.epochs <= 1000:
        raise PageError(f"{wish.epochs} epochs were requested; choose 1 to 1000.")
    verb = ["run", *(["--force"] if wish.force else [])]
    if wish.kind == FIT:
        verb = ["fit", "--preset", "default"]
    common = ["--home", str(settings.home.resolve()), "--default", str(settings.model.resolve())]
    flags = ["--epochs", str(wish.epochs), "--device", settings.device]
    if wish.recipe.strip():
        flags += ["--augment", _recipe(wish.recipe)]
    return [sys.executable, "-m", "trainer", *verb, *common, *flags]


def _recipe(text: str) -> str:
    from ser_core.augment import Chain
    from ser_core.errors import SerError

    try:
        steps = json.loads(text)
        Chain.from_json(steps["steps"] if isinstance(steps, dict) and "steps" in steps else steps)
    except (ValueError, TypeError, SerError) as error:
        raise PageError(f"The recipe can't be used: {error}") from error
    held = steps["steps"] if isinstance(steps, dict) else steps
    return json.dumps(held, ensure_ascii=False)


class Runs:
    """The one run that this home may have at a time.

    Args:
        services: the settings; the run works in their home.
        command: from a wish to the words of a command.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        services: Services,
        command: Callable[[Services, TrainingRequest], Sequence[str]] = words,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.services, self._command, self._clock = services, command, clock
        self._paths = Home(services.home)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    @property
    def log(self) -> Path:
        """The file that gets what the run prints."""
        return self._paths.run_log

    def start(self, wish: TrainingRequest, who: Annotator) -> None:
        """Start a run.

        Raises:
            PageError: the person may not, one is at work, or the wish makes no sense.
        """
        require_trainer(who)
        command = self._command(self.services, wish)
        with self._lock:
            if self._state().busy:
                raise PageError(
                    "A training run is already in progress. Wait for it to finish, or stop it."
                )
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as output:
                self._child = subprocess.Popen(
                    command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            # The next page, should this one be killed, finds its run by this.
            started = {"process": self._child.pid, "who": who.name, "started": self._clock()}
            write_json(self._paths.page_run, started)
            self._stopping = False

    def stop(self, who: Annotator) -> None:
        """Ask the run to save what it has and end.

        Raises:
            PageError: the person may not, or no page of this home has a run at work.
        """
        from trainer.lifecycle.lock import holder

        require_trainer(who)
        with self._lock:
            state = self._state()
            if state.phase == "elsewhere":
                raise PageError(f"{state.note} was started elsewhere; stop it there.")
            if not state.busy:
                raise PageError("No training run is in progress.")
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()
            elif (found := holder(self._paths)) is not None:
                os.kill(found.process, signal.SIGTERM)
            self._stopping = True

    def state(self) -> RunState:
        """Return how the run stands."""
        with self._lock:
            return self._state()

    def _state(self) -> RunState:
        from trainer.lifecycle.lock import holder
        from trainer.lifecycle.progress import read_progress

        status = self._child.poll() if self._child is not None else None
        working = self._child is not None and status is None
        found = None if working else holder(self._paths)
        ours = self._ours()
        if found is not None and not _same(found, ours):
            return RunState("elsewhere", note=str(found))
        if ours is None:
            return RunState()
        progress = read_progress(self._paths)
        if progress is not None and progress.process != ours["process"]:
            progress = None
        if working or found is not None:
            phase = "stopping" if self._stopping else "running"
        elif self._child is None:
            phase = _ended(progress)
        else:
            phase = "done" if status == 0 else "stopped" if self._stopping else "failed"
        return self._described(phase, ours, progress)

    def _described(
        self, phase: str, ours: dict[str, Any], progress: RunProgress | None
    ) -> RunState:
        busy = phase in ("running", "stopping")
        until = self._clock() if busy else self._last_sign(progress)
        state = RunState(
            phase,
            tail(self.log),
            seconds=max(0.0, until - ours["started"]),
            who=ours["who"],
        )
        if progress is None:
            return state
        plan = progress.plan
        return replace(
            state,
            done=progress.epoch,
            total=int(plan.get("epochs", 0)),
            share=progress.step / plan["steps"] if plan.get("steps") else 0.0,
            doing=progress.phase,
            note=progress.message,
        )

    def _last_sign(self, progress: RunProgress | None) -> float:
        if progress is not None:
            return progress.updated
        try:
            return self.log.stat().st_mtime
        except OSError:
            return 0.0

    def _ours(self) -> dict[str, Any] | None:
        """Return the run that a page of this home started last."""
        try:
            held: dict[str, Any] = json.loads(self._paths.page_run.read_text(encoding="utf-8"))
            return {
                "process": int(held["process"]),
                "who": str(held["who"]),
                "started": float(held["started"]),
            }
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _same(found: Holder, ours: dict[str, Any] | None) -> bool:
    return found.here and ours is not None and found.process == ours["process"]


def _ended(progress: RunProgress | None) -> str:
    """Return how a run ended that an earlier page had started; "failed" where it was killed."""
    return progress.phase if progress is not None and progress.ended else "failed"


def require_trainer(who: Annotator) -> None:
    """Refuse those who may not train.

    Raises:
        PageError: with the reason.
    """
    if not who.may_train:
        raise PageError(
            "Only people who may train can start, stop, promote or roll back. "
            + (who.reason.split(". ")[0].rstrip(".") + "." if who.reason else "")
        )


def tail(path: Path, most: int = TAIL) -> str:
    """Return the end of a log, from the start of a line; "" where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= most else text.partition("\n")[2]
