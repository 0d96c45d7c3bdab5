"""Which model serves, read from two small files, without loading it."""

from __future__ import annotations

import json
from pathlib import Path

from ser_core.home import Home


def champion(home: Path, default: Path, pinned: bool = False) -> dict[str, str]:
    """Return ``name``, ``version`` and ``problem`` of the model that serves.

    Args:
        home: SER_HOME.
        default: the checkpoint that serves until another is promoted.
        pinned: ``default`` serves whatever was promoted.
    """
    pointer = Home(home).champion
    folder, problem = default, ""
    if not pinned and pointer.is_file():
        try:
            folder = pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["folder"]
        except (OSError, ValueError, KeyError, TypeError):
            problem = f"{pointer.name} can't be read; the model before it goes on serving."
    found = described(folder)
    if found is None:
        return {"name": "none", "version": "", "problem": f"No model could be read at {folder}."}
    return found | {"problem": problem}


def described(folder: Path) -> dict[str, str] | None:
    """Return ``name`` and ``version`` of a checkpoint, or None where there is none."""
    try:
        values = json.loads((folder / "specification.json").read_text(encoding="utf-8"))
        return {"name": str(values["name"]), "version": str(values["version"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
