"""Whose labels train and which clips are gold travel too, for a disk that is wiped loses them.

``settings/<file>-<time>-<digest>`` is a file of the store's ``labels`` folder as it stood at that
time. The latest wins on both sides, whole: of two changes made apart, the earlier one is lost.
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
from label_store.sync.place import Place
from label_store.sync.shards import digest

FILES: Final = (GOLD, ANNOTATORS)
_NAME = re.compile(r"settings/([a-z]+\.[a-z]+)-(\d{8}T\d{6}\.\d{6})-([0-9a-f]{12})")
_TIME: Final = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True, slots=True)
class AnnotationSettingsSync:
    """Keeps the settings of a store's annotators in step with a place.

    Args:
        folder: the store's ``labels`` folder.
        place: where they are kept.
    """

    folder: Path
    place: Place

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
        for file in FILES:
            there = sorted(name for name in names if (f := _NAME.fullmatch(name)) and f[1] == file)
            what = self._in_step(file, there)
            if what:
                done.append(f"{what} {file}")
        return tuple(done)

    def _in_step(self, file: str, there: list[str]) -> str:
        latest, old, what = (there[-1] if there else ""), there[:-1], ""
        try:
            data = (self.folder / file).read_bytes()
            changed = (self.folder / file).stat().st_mtime
        except FileNotFoundError:
            here = ""
        except OSError as error:
            raise SyncError(f"{file} can't be read: {error.strerror or error}.") from error
        else:
            here = f"settings/{file}-{_stamp(changed)}-{digest(data)}"
        if here and here[-12:] != latest[-12:] and here > latest:
            self.place.write({here: data})
            old, what = there, "sent"
        elif latest and here[-12:] != latest[-12:]:
            self._receive(file, latest)
            what = "received"
        if old:  # names of people may stand in them
            self.place.remove(old)
        return what

    def _receive(self, file: str, name: str) -> None:
        found = dict(self.place.read([name]))
        if name not in found or digest(found[name]) != name[-12:]:
            raise SyncError(f"{name} at {self.place.name} is gone or damaged.")
        time = datetime.strptime(name[-35:-13], _TIME).replace(tzinfo=UTC).timestamp()
        try:
            write_whole(self.folder / file, found[name])
            os.utime(self.folder / file, (time, time))
        except OSError as error:
            raise SaveError(
                f"{self.folder / file} can't be written: {error.strerror or error}. Make the "
                "folder writable or free some space."
            ) from error


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)
