"""The models that come with the studio, by name."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "models"


def shipped_models(folder: Path = _FOLDER) -> tuple[str, ...]:
    """Return their names, ``default`` first."""
    found = sorted(path.parent.name for path in folder.glob("*/specification.json"))
    return tuple(sorted(found, key=lambda name: (name != "default", name)))


def locate(model: str | Path, folder: Path = _FOLDER) -> Path:
    """Return the checkpoint that a folder or a shipped model's name stands for.

    A folder that is there comes first; a word that is neither is returned as a path, so that
    whoever opens it can say what is missing.

    Args:
        model: folder, or a name in ``shipped_models``.
        folder: where the shipped models lie.

    >>> locate("default").name
    'default'
    """
    path = Path(model)
    if not path.is_dir() and str(model) in shipped_models(folder):
        return folder / str(model)
    return path
