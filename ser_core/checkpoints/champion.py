"""The pointer to the model that serves, moved atomically and read without a restart."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ser_core.errors import CheckpointError
from ser_core.files import write_json
from ser_core.home import Home, HomeLike
from ser_core.inference.recognizer import Recognizer


def read_pointer(home: HomeLike) -> dict[str, Any] | None:
    """Return the pointer's fields, or None where nothing was promoted yet.

    Raises:
        CheckpointError: the pointer is there but can't be read.
    """
    path = Home(home).champion
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version, folder = str(values["version"]), str(values["folder"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} can't be read ({error}). Restore it, or delete it to serve the shipped model."
        ) from error
    inside = (Home(home).models / folder).resolve()
    if not inside.is_relative_to(Home(home).models.resolve()):
        raise CheckpointError(f"{path} points outside its folder, to {folder}.")
    return dict(values) | {"version": version, "folder": folder}


def champion_folder(home: HomeLike, default: str | Path) -> Path:
    """Return the checkpoint that serves: the promoted one, else the shipped ``default``."""
    pointer = read_pointer(home)
    return Path(default) if pointer is None else Home(home).models / pointer["folder"]


def write_pointer(
    home: HomeLike,
    version: str,
    *,
    reason: str,
    folder: str | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Point to ``version``; a reader sees the old pointer or the new one, never half of either.

    Args:
        home: SER_HOME.
        version: the version that serves from now on.
        reason: why, one sentence.
        folder: its folder inside ``models/``; None means the version's name.
        now: the time to record; None means the clock's.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    folder = version if folder is None else folder
    target = Home(home).models / folder
    if not (target / "specification.json").is_file():
        raise CheckpointError(f"There is no checkpoint at {target} to promote.")
    before = read_pointer(home)
    values = {
        "version": version,
        "folder": folder,
        "promoted": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "reason": reason,
        "previous": before["version"] if before else "",
    }
    write_json(Home(home).champion, values)
    return values


class Serving:
    """The Recognizer that serves now; a promoted one is picked up at the next question.

    Args:
        home: SER_HOME.
        default: the shipped checkpoint.
        device: see ``choose_device``.
        pinned: serve ``default`` whatever the pointer says (SER_MODEL was given).
    """

    def __init__(
        self, home: HomeLike, default: str | Path, device: str = "auto", *, pinned: bool = False
    ) -> None:
        self.home, self.default, self.device, self.pinned = (
            Path(home),
            Path(default),
            device,
            pinned,
        )
        self._lock = threading.Lock()
        self._recognizer: Recognizer | None = None
        self._stamp: tuple[int, int] | None = None
        self.problem: str | None = None
        """Why the promoted model could not be served, if it could not."""

    def _now(self) -> tuple[int, int] | None:
        if self.pinned:
            return None
        try:
            found = Home(self.home).champion.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    def opened(self, folder: str | Path) -> Recognizer:
        """Return a checkpoint ready to answer, on the same device as the one that serves."""
        return Recognizer(folder, self.device, graphs=Home(self.home).graphs)

    @property
    def recognizer(self) -> Recognizer:
        """The current Recognizer.

        A promoted checkpoint that can't be read is reported in ``problem`` and the model that
        served before goes on serving.

        Raises:
            CheckpointError: no model was ever served and none can be read.
        """
        with self._lock:
            stamp = self._now()
            if self._recognizer is None or stamp != self._stamp:
                try:
                    folder = (
                        self.default if self.pinned else champion_folder(self.home, self.default)
                    )
                    self._recognizer = self.opened(folder)
                    self.problem = None
                except CheckpointError as error:
                    self.problem = str(error)
                    if self._recognizer is None and not self.pinned:
                        self._recognizer = self.opened(self.default)
                    elif self._recognizer is None:
                        raise
                self._stamp = stamp
            return self._recognizer
