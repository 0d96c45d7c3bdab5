"""The pointer to the model that serves, moved atomically and read without a restart."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ser_core.errors import CheckpointError
from ser_core.recognizer import Recognizer


def models_folder(home: str | Path) -> Path:
    """Return the folder that holds trained versions."""
    return Path(home) / "models"


def pointer_path(home: str | Path) -> Path:
    """Return the path of the pointer."""
    return models_folder(home) / "champion.json"


def read_pointer(home: str | Path) -> dict[str, Any] | None:
    """Return the pointer's fields, or None where nothing was promoted yet.

    Raises:
        CheckpointError: the pointer is there but can't be read.
    """
    path = pointer_path(home)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version, folder = str(values["version"]), str(values["folder"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} can't be read ({error}). Restore it, or delete it to serve the shipped model."
        ) from error
    inside = (models_folder(home) / folder).resolve()
    if not inside.is_relative_to(models_folder(home).resolve()):
        raise CheckpointError(f"{path} points outside its folder, to {folder}.")
    return dict(values) | {"version": version, "folder": folder}


def champion_folder(home: str | Path, default: str | Path) -> Path:
    """Return the checkpoint that serves: the promoted one, else the shipped ``default``."""
    pointer = read_pointer(home)
    return Path(default) if pointer is None else models_folder(home) / pointer["folder"]


def write_pointer(
    home: str | Path,
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
    target = models_folder(home) / folder
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
    replace_json(pointer_path(home), values)
    return values


def replace_json(path: Path, values: Any) -> None:
    """Write JSON beside ``path``, sync it, and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


class Serving:
    """The Recognizer that serves now; a promoted one is picked up at the next question.

    Args:
        home: SER_HOME.
        default: the shipped checkpoint.
        device: see ``choose_device``.
        pinned: serve ``default`` whatever the pointer says (SER_MODEL was given).
    """

    def __init__(
        self, home: str | Path, default: str | Path, device: str = "auto", *, pinned: bool = False
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
            found = pointer_path(self.home).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

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
                    self._recognizer = Recognizer(folder, self.device)
                    self.problem = None
                except CheckpointError as error:
                    self.problem = str(error)
                    if self._recognizer is None and not self.pinned:
                        self._recognizer = Recognizer(self.default, self.device)
                    elif self._recognizer is None:
                        raise
                self._stamp = stamp
            return self._recognizer
