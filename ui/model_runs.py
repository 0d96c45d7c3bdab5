"""A training run started from the page: one process, its log in a file, a polite stop.

The run outlives the tab that started it: whoever opens the tab next sees it go on.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ui.analysis import PageError
from ui.identity import Annotator
from ui.services import ROOT, Services

LOG = "page-run.log"
TAIL = 16_000
"""Most bytes of the log that the page shows."""

FINE_TUNE, FIT = "fine-tune", "fit"
_EPOCH = re.compile(r"^epoch (\d+)/(\d+):", re.MULTILINE)


@dataclass(frozen=True)
class Wish:
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
class State:
    """How the run stands.

    Attributes:
        phase: ``none``, ``running``, ``stopping``, ``elsewhere``, ``done``, ``stopped`` or
            ``failed``.
        log: the end of what it printed.
        seconds: since it began.
        done, total: epochs; 0 of 0 before the first.
        who: who started it.
        note: on a run that was started elsewhere: what and since when.
    """

    phase: str = "none"
    log: str = ""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    who: str = ""
    note: str = ""

    @property
    def busy(self) -> bool:
        """Whether a run is at work."""
        return self.phase in ("running", "stopping", "elsewhere")


def words(services: Services, wish: Wish) -> list[str]:
    """Return the command of a run.

    Raises:
        PageError: the wish makes no sense; the text says how to mend it.
    """
    settings = services.settings
    if not 1 <= wish.epochs <= 1000:
        raise PageError(f"{wish.epochs} epochs were asked for; 1 to 1000 are possible.")
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
    """The one run that this page may have.

    Args:
        services: the settings; the run works in their home.
        command: from a wish to the words of a command.
        clock: seconds, ever growing.
    """

    def __init__(
        self,
        services: Services,
        command: Callable[[Services, Wish], Sequence[str]] = words,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.services, self._command, self._clock = services, command, clock
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._began = self._ended = 0.0
        self._who = ""
        self._stopping = False

    @property
    def log(self) -> Path:
        """The file that gets what the run prints."""
        return self.services.home / "models" / "runs" / LOG

    def start(self, wish: Wish, who: Annotator) -> None:
        """Start a run.

        Raises:
            PageError: the person may not, one is at work, or the wish makes no sense.
        """
        require_trainer(who)
        command = self._command(self.services, wish)
        with self._lock:
            if self._state().busy:
                raise PageError("A training run is at work already. Wait for its end, or stop it.")
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as output:
                self._process = subprocess.Popen(
                    command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            self._began, self._ended = self._clock(), 0.0
            self._who, self._stopping = who.name, False

    def stop(self, who: Annotator) -> None:
        """Ask the run to save what it has and end.

        Raises:
            PageError: the person may not, or this page has no run at work.
        """
        require_trainer(who)
        with self._lock:
            state = self._state()
            if self._process is None or state.phase not in ("running", "stopping"):
                where = f"{state.note} was started elsewhere; stop it there." if state.note else ""
                raise PageError(where or "No training run is at work.")
            self._process.terminate()
            self._stopping = True

    def state(self) -> State:
        """Return how the run stands."""
        with self._lock:
            return self._state()

    def _state(self) -> State:
        status = self._process.poll() if self._process is not None else None
        if self._process is None or status is not None:
            other = self._elsewhere()
            if other:
                return State("elsewhere", note=other)
        if self._process is None:
            return State()
        if status is not None and not self._ended:
            self._ended = self._clock()
        text = tail(self.log)
        done, total = epochs(text)
        phase = "stopping" if self._stopping else "running"
        if status is not None:
            phase = "done" if status == 0 else "stopped" if self._stopping else "failed"
        seconds = (self._ended or self._clock()) - self._began
        return State(phase, text, seconds, done, total, self._who)

    def _elsewhere(self) -> str:
        """Return what another process does in this home, or "" (its lock dies with it)."""
        from filelock import FileLock, Timeout

        folder = self.services.home / "models"
        # Looking takes the lock for a moment, so look only where somebody left a name.
        if not (folder / "training.json").is_file():
            return ""
        try:
            with FileLock(folder / "training.lock", timeout=0):
                return ""
        except Timeout:
            return _holder(folder / "training.json")


def _holder(path: Path) -> str:
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return f"{held['purpose']} (process {held['process']}, since {held['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another training run"


def require_trainer(who: Annotator) -> None:
    """Refuse those who may not train.

    Raises:
        PageError: with the reason.
    """
    if not who.may_train:
        raise PageError(
            "Only those who may train can start, stop, promote or roll back here. "
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


def epochs(log: str) -> tuple[int, int]:
    """Return epochs done and in all, as the log tells them.

    >>> epochs("epoch 1/4: loss 2.1\\nepoch 2/4: loss 1.9")
    (2, 4)
    """
    found = _EPOCH.findall(log)
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)
