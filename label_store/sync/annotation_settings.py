"""Whose labels train, which clips are gold and the guidelines travel too: a wiped disk loses them.

``settings/<file>-<time>-<digest>`` is a file of the store's ``labels`` folder, or the home's
guidelines, as it stood at that time. The latest wins on both sides, whole: of two changes made
apart, the earlier one is lost. A file that is gone comes back; one that was emptied stays empty.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from label_store.annotators import FILE as ANNOTATORS
from label_store.clips import write_whole
from label_store.errors import SaveError, SyncError
from label_store.gold import FILE as GOLD
from label_store.store import LabelStore
from label_store.sync.place import Place
from label_store.sync.shards import digest

FILES: Final = (GOLD, ANNOTATORS)
GUIDELINES: Final = "guidelines.md"
"""How the clips are to be labelled. Clips that are heard beside it travel as clips do."""

_NAME = re.compile(r"settings/([a-z]+\.[a-z]+)-(\d{8}T\d{6}\.\d{6})-([0-9a-f]{12})")
_TIME: Final = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True, slots=True)
class AnnotationSettingsSync:
    """Keeps the settings of a store's annotators in step with a place.

    Args:
        folder: the store's ``labels`` folder.
        place: where they are kept.
        home: SER_HOME, whose guidelines go along; None = they stay where they are.
    """

    folder: Path
    place: Place
    home: Path | None = None

    @classmethod
    def of(cls, store: LabelStore, place: Place) -> AnnotationSettingsSync:
        """Return what keeps all of them in step, of a store and its home."""
        return cls(store.folder, place, store.home)

    def __call__(self) -> tuple[str, ...]:
        """Bring the later of each file to the side that lacks it.

        Returns:
            What was done, as ``sent gold.csv`` or ``received people.json``.

        Raises:
            SyncError: the place can't be reached, or what it has is not what its name says.
            SaveError: the disk did not take it.
        """
        names = self.place.names()
        done = []
        paths = [self.folder / file for file in FILES]
        paths += [self.home / GUIDELINES] if self.home else []
        for path in paths:
            found = (name for name in names if (f := _NAME.fullmatch(name)) and f[1] == path.name)
            what = self._in_step(path, sorted(found))
            if what:
                done.append(f"{what} {path.name}")
        return tuple(done)

    def _in_step(self, path: Path, there: list[str]) -> str:
        latest, old, what = (there[-1] if there else ""), there[:-1], ""
        try:
            data = path.read_bytes()
            changed = path.stat().st_mtime
        except FileNotFoundError:
            here = ""
        except OSError as error:
            raise SyncError(f"{path.name} can't be read: {error.strerror or error}.") from error
        else:
            here = f"settings/{path.name}-{_stamp(changed)}-{digest(data)}"
        if here and here[-12:] != latest[-12:] and here > latest:
            self.place.write({here: data})
            old, what = there, "sent"
        elif latest and here[-12:] != latest[-12:]:
            self._receive(path, latest)
            what = "received"
        if old:  # names of people may stand in them
            self.place.remove(old)
        return what

    def _receive(self, path: Path, name: str) -> None:
        found = dict(self.place.read([name]))
        if name not in found or digest(found[name]) != name[-12:]:
            raise SyncError(f"{name} at {self.place.name} is gone or damaged.")
        time = datetime.strptime(name[-35:-13], _TIME).replace(tzinfo=UTC).timestamp()
        try:
            write_whole(path, found[name])
            os.utime(path, (time, time))
        except OSError as error:
            raise SaveError(
                f"{path} can't be written: {error.strerror or error}. Make the folder writable "
                "or free some space."
            ) from error


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)
