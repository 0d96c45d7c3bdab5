"""Predictions of models that never had a clip's speaker in training, as the trainer wrote them."""

from __future__ import annotations

import threading
from pathlib import Path

from label_store.errors import StoreError
from label_store.out_of_fold import FILE, OutOfFoldPredictions, read_predictions

Stamp = tuple[int, int, int] | None

_LOCK = threading.Lock()
_READ: dict[Path, tuple[Stamp, OutOfFoldPredictions, str]] = {}


class OutOfFoldFile:
    """The out-of-fold predictions of one home; the file is read again when it changes.

    Args:
        home: SER_HOME.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def stamp(self) -> Stamp:
        """Return what changes with the file; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:  # not there: none were made yet
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> OutOfFoldPredictions:
        """Return the predictions; none where there is no file or where it can't be used."""
        return self._known()[1]

    def trouble(self) -> str:
        """Return why the file can't be used, in one sentence; "" where it can, or is not there."""
        return self._known()[2]

    def _known(self) -> tuple[Stamp, OutOfFoldPredictions, str]:
        stamp = self.stamp()
        with _LOCK:
            held = _READ.get(self._path)
            if held is None or held[0] != stamp:
                try:
                    held = (stamp, read_predictions(self._path), "")
                except StoreError as error:
                    held = (stamp, OutOfFoldPredictions(), str(error))
                _READ[self._path] = held
            return held
