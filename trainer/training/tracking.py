"""Experiment trackers, each imported only when it is asked for by name."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from trainer.errors import TrackingError

TRACKERS = ("none", "wandb", "wandb-offline", "trackio", "tensorboard")


class Tracker(Protocol):
    """Where the figures of a run go."""

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Take the figures of a step or an epoch."""

    def finish(self) -> None:
        """Write what is left; the run is over."""


class Silent:
    """Tracks nothing."""

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Take the figures and forget them."""

    def finish(self) -> None:
        """Do nothing."""


class _Remote:
    """wandb and trackio share this interface."""

    def __init__(self, run: Any, finish: Any) -> None:
        self._run, self._finish = run, finish

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self._run.log(dict(figures), step=step)

    def finish(self) -> None:
        self._finish()


class _Board:
    """Event files that ``tensorboard --logdir FOLDER`` shows."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def finish(self) -> None:
        self._writer.close()


def build_tracker(
    name: str, *, project: str, run: str, settings: Mapping[str, Any], folder: Path
) -> Tracker:
    """Start a tracker.

    Args:
        name: one of TRACKERS. "wandb" sends over the network; "wandb-offline" writes to
            ``folder`` for a later ``wandb sync``; "trackio" keeps a local database
            (``TRACKIO_DIR``); "tensorboard" writes event files to ``folder``.
        project, run: what the tracker calls them.
        settings: saved with the run.
        folder: where files go.

    Raises:
        TrackingError: the name is unknown, or the tracker isn't installed or doesn't start.
    """
    if name not in TRACKERS:
        raise TrackingError(f"“{name}” is not a tracker; known are {', '.join(TRACKERS)}")
    if name == "none":
        return Silent()
    if name == "tensorboard":
        return _board(project, run, settings, folder)
    library = _import(name.partition("-")[0])
    failures = (OSError, RuntimeError, ValueError, TypeError, getattr(library, "Error", OSError))
    try:
        if name == "trackio":
            return _Remote(
                library.init(project=project, name=run, config=dict(settings), embed=False),
                library.finish,
            )
        folder.mkdir(parents=True, exist_ok=True)
        started = library.init(
            project=project,
            name=run,
            config=dict(settings),
            dir=str(folder),
            mode="offline" if name == "wandb-offline" else "online",
        )
    except failures as error:
        raise TrackingError(f"{name} doesn't start: {error}") from error
    return _Remote(started, started.finish)


def _board(project: str, run: str, settings: Mapping[str, Any], folder: Path) -> _Board:
    _import("tensorboard")  # torch's own module says less clearly what is missing
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(str(folder / "tensorboard" / project / run))
    except OSError as error:
        raise TrackingError(f"tensorboard doesn't start: {error}") from error
    # Indented by four, so that the page shows it as it is.
    words = json.dumps(dict(settings), indent=2, ensure_ascii=False)
    writer.add_text("settings", "\n".join(f"    {line}" for line in words.splitlines()), 0)
    return _Board(writer)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TrackingError(
            f"{name} is not installed; `pip install -r requirements-extra.txt` brings it"
        ) from error
