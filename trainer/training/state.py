"""What a stopped run needs to go on, in one file that is written whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ser_core.files import atomic
from trainer.errors import StorageError

STATE = "state.pt"


def write(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the state of a run; on disk when this returns.

    Args:
        folder: of the run; made where it is missing.
        values: tensors and plain Python values.

    Raises:
        StorageError: the disk is full; the state before stays.
    """
    try:
        with atomic(folder / STATE) as file:
            torch.save(dict(values), file)
    except (OSError, RuntimeError) as error:
        # torch says RuntimeError where the disk is full.
        _tidy(folder)
        why = getattr(error, "strerror", None) or "the disk may be full"
        raise StorageError(
            f"the state of the run can't be written to {folder} ({why}); make room and "
            "give the same command again. Nothing was promoted."
        ) from error


def read(folder: Path) -> dict[str, Any] | None:
    """Return the state in a run's folder, or None where there is none.

    Raises:
        StorageError: the file is damaged (cut off, or something else).
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise StorageError(_damaged(path)) from error
    if not isinstance(values, dict):
        raise StorageError(_damaged(path))
    return values


def _damaged(path: Path) -> str:
    return (
        f"the state of the run in {path} is damaged, so the run can't go on from it; remove the "
        f"folder {path.parent} and give the same command again to begin anew."
    )


def remove(folder: Path) -> None:
    """Remove the state of a run that went through, and its folder if nothing else is in it."""
    (folder / STATE).unlink(missing_ok=True)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
