"""The models that a visitor may choose from: each is loaded once, when it is first asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core.errors import CheckpointError
from ser_core.home import Home
from ui.champion_line import champion, described

if TYPE_CHECKING:
    from ser_core.checkpoints.champion import Serving
    from ser_core.inference.recognizer import Recognizer

OWN = ""
"""The studio's own model: the champion, else the one that it was started with."""


@dataclass(frozen=True)
class OfferedModel:
    """A model that a visitor may choose.

    Attributes:
        key: what is asked for: ``OWN`` or the name of a shipped model.
        name, version: as its specification says.
    """

    key: str
    name: str
    version: str


class ServedModels:
    """The studio's own model and the shipped ones, shared by all visitors.

    Args:
        serving: the studio's own.
        shipped: folder of the models that came with the studio.
    """

    def __init__(self, serving: Serving, shipped: Path) -> None:
        self._serving, self._shipped = serving, shipped
        self._lock = threading.Lock()
        self._loaded: dict[Path, Recognizer] = {}

    def offered(self) -> tuple[OfferedModel, ...]:
        """Return the models to choose from, the studio's own first, without loading any."""
        serving = self._serving
        own = champion(serving.home, serving.default, serving.pinned)
        found = [OfferedModel(OWN, own["name"], own["version"])]
        known = {own["version"]}
        for name in self.names():
            one = described(self._shipped / name)
            if one is not None and one["version"] not in known:
                known.add(one["version"])
                found.append(OfferedModel(name, one["name"], one["version"]))
        return tuple(found)

    def names(self) -> tuple[str, ...]:
        """Return the names of the shipped models."""
        from ser_core.checkpoints.shipped import shipped_models

        return shipped_models(self._shipped)

    def get(self, key: str) -> Recognizer:
        """Return a model, loaded now if it is not yet.

        Args:
            key: ``OWN``, ``champion`` where one was promoted, or the name of a shipped model.

        Raises:
            CheckpointError: there is no such model here, or it can't be read.
        """
        if key == OWN or (key == "champion" and self._promoted()):
            return self._serving.recognizer
        if key not in self.names():
            known = ("champion",) * self._promoted() + self.names()
            raise CheckpointError(
                f"There is no model “{key[:60]}” here. Choose {', '.join(known)}, or none for the "
                "one that serves."
            )
        folder = self._shipped / key
        own = self._serving.recognizer
        if own.folder.resolve() == folder.resolve():
            return own
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = self._serving.opened(folder)
            return self._loaded[folder]

    def _promoted(self) -> bool:
        serving = self._serving
        return not serving.pinned and Home(serving.home).champion.is_file()
