"""Files that are made to be taken away once: in one folder, gone within the hour."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

KEPT_SECONDS = 3000.0
"""How long an upload or a file to take away is kept, in seconds; swept every ten minutes, so gone
in an hour."""

SWEEP_SECONDS = 600.0
_PREFIX = "studio-files-"
_UPLOADS = "studio-uploads-"


def new_folder(name: str, root: Path | None = None) -> Path:
    """Return a new, empty folder that is removed within the hour.

    Args:
        name: what its name begins with.
        root: where; None means the system's folder of temporary files.
    """
    base = Path(tempfile.gettempdir()) if root is None else root
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-", dir=base))


def uploads_folder(root: Path | None = None) -> Path:
    """Return a new folder for what visitors send to this process.

    Gradio empties its folder when a page closes; in one that is shared, the uploads of another page
    would go with it.

    Args:
        root: as for `new_folder`.
    """
    base = Path(tempfile.gettempdir()) if root is None else root
    base.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{_UPLOADS}{os.getpid()}-", dir=base))


def sweep(root: Path | None = None, *, now: float | None = None) -> int:
    """Remove the folders that are older than `KEPT_SECONDS`, and what ended servers were sent.

    Args:
        root: as for `new_folder`.
        now: seconds since the epoch; None asks the clock.

    Returns:
        How many were removed.
    """
    base = Path(tempfile.gettempdir()) if root is None else root
    oldest = (time.time() if now is None else now) - KEPT_SECONDS
    removed = 0
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another server may sweep the same
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
                removed += 1
    for folder in base.glob(f"{_UPLOADS}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < oldest and not _runs(folder.name):
                shutil.rmtree(folder)
                removed += 1
    return removed


def _runs(name: str) -> bool:
    number = name.removeprefix(_UPLOADS).partition("-")[0]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def sweep_forever(stop: threading.Event, root: Path | None = None) -> None:
    """Sweep every ten minutes until ``stop`` is set."""
    sweep(root)
    while not stop.wait(SWEEP_SECONDS):
        sweep(root)
