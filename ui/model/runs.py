"""A training run started from the page: one process, its log in a file, a polite stop.

The run outlives the tab and the page that started it: whoever opens the tab next, on this page or
on another one of the same home, sees it go on and may stop it. One that was killed before its end
is called interrupted, and may be started again as it was asked for: the trainer goes on from what
it had saved. How far a run has come is read from the trainer's ``progress.json``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core.files import write_json
from ser_core.home import Home
from ui.errors import PageError
from ui.identity import Annotator
from ui.model import run_lock
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
class StartedRun:
    """The run that a page of this home started last, as it is written down.

    Attributes:
        process: its process id.
        who: who asked for it.
        started: seconds since 1970.
        host: the machine it runs on; "" in a home of before it was noted.
        wish: what was asked; None in a home of before it was noted.
        stopping: whether somebody asked it to end.
    """

    process: int
    who: str
    started: float
    host: str = ""
    wish: TrainingRequest | None = None
    stopping: bool = False

    @property
    def here(self) -> bool:
        """Whether it runs on this machine, so that a signal reaches it."""
        return self.host in ("", socket.gethostname())


@dataclass(frozen=True)
class RunState:
    """How the run stands.

    Attributes:
        phase: ``none``, ``running``, ``stopping``, ``elsewhere``, ``done``, ``stopped``,
            ``interrupted`` (killed before its end) or ``failed``.
        log: the end of what it printed.
        seconds: since it began.
        done, total: epochs; 0 of 0 before the first.
        share: of all steps that are done, 0 to 1.
        doing: what it does now, such as ``training``.
        who: who started it.
        note: on a run that was started elsewhere: what and since when; on one that ended: how.
        can_go_on: whether it ended before its end and it is known what was asked for.
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
    can_go_on: bool = False

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
        at_work = "A training run is already in progress. Wait for it to finish, or stop it."
        with self._lock:
            if self._state().busy:
                raise PageError(at_work)
            try:
                with run_lock.handed_on(self._paths.page_run_lock) as inherited:
                    self._begin(command, wish, who, inherited)
            except BlockingIOError as error:  # another page of this home was quicker
                raise PageError(at_work) from error

    def _begin(
        self,
        command: Sequence[str],
        wish: TrainingRequest,
        who: Annotator,
        inherited: Sequence[int],
    ) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            child = self._child = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                pass_fds=inherited,
            )
        # The next page, should this one be killed, finds its run by this.
        started = StartedRun(child.pid, who.name, self._clock(), socket.gethostname(), wish)
        write_json(self._paths.page_run, asdict(started))

    def go_on(self, who: Annotator) -> None:
        """Start the run again that was stopped or interrupted; it goes on from what it had saved.

        Raises:
            PageError: the person may not, or there is no such run.
        """
        require_trainer(who)
        ours = self._ours()
        if ours is None or ours.wish is None or not self.state().can_go_on:
            raise PageError("No run was stopped or interrupted; start a new one.")
        self.start(ours.wish, who)

    def stop(self, who: Annotator) -> None:
        """Ask the run to save what it has and end.

        Raises:
            PageError: the person may not, or no page of this home has a run at work.
        """
        require_trainer(who)
        with self._lock:
            state, ours = self._state(), self._ours()
            if state.phase == "elsewhere":
                raise PageError(f"{state.note} was started elsewhere; stop it there.")
            if not state.busy or ours is None:
                raise PageError("No training run is in progress.")
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()
            else:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(ours.process, signal.SIGTERM)
            write_json(self._paths.page_run, asdict(replace(ours, stopping=True)))

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
        alive = working or found is not None or run_lock.held(self._paths.page_run_lock)
        if alive and not ours.here:  # its libraries are still being loaded there
            return RunState("elsewhere", note=f"A training run on {ours.host}")
        progress = read_progress(self._paths)
        if progress is not None and progress.process != ours.process:
            progress = None
        mine = self._child is not None and self._child.pid == ours.process
        if alive:
            phase = "stopping" if ours.stopping else "running"
        elif mine and status == 0:
            phase = "done"
        elif ours.stopping:
            phase = "stopped"
        elif progress is not None and progress.ended:
            phase = progress.phase
        else:
            # Killed: by a signal, or nobody is left who could know how it ended.
            phase = "failed" if mine and (status or 0) > 0 else "interrupted"
        return self._described(phase, ours, progress)

    def _described(self, phase: str, ours: StartedRun, progress: RunProgress | None) -> RunState:
        busy = phase in ("running", "stopping")
        until = self._clock() if busy else self._last_sign(progress)
        state = RunState(
            phase,
            tail(self.log),
            seconds=max(0.0, until - ours.started),
            who=ours.who,
            can_go_on=phase in ("stopped", "interrupted") and ours.wish is not None,
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

    def _ours(self) -> StartedRun | None:
        """Return the run that a page of this home started last."""
        try:
            held = json.loads(self._paths.page_run.read_text(encoding="utf-8"))
            wish = held.get("wish")
            return StartedRun(
                int(held["process"]),
                str(held["who"]),
                float(held["started"]),
                str(held.get("host", "")),
                None
                if wish is None
                else TrainingRequest(
                    str(wish["kind"]),
                    int(wish["epochs"]),
                    bool(wish["force"]),
                    str(wish["recipe"]),
                ),
                bool(held.get("stopping")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _same(found: Holder, ours: StartedRun | None) -> bool:
    return found.here and ours is not None and found.process == ours.process


def require_trainer(who: Annotator) -> None:
    """Refuse those who may not train.

    Raises:
        PageError: with the reason.
    """
    if not who.may_train:
        raise PageError(
            (
                "Only people who may train can start, stop, promote or roll back. "
                + (who.reason.split(". ")[0].rstrip(".") + "." if who.reason else "")
            ).strip()
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
