"""Sound of many clips in one file that is mapped into memory, and where each clip lies in it.

Beside ``samples.i16``, the 16-bit samples one clip behind the other, stands ``index.jsonl``, a
line for each clip. Clips are only ever added: first their samples reach the disk, then their
lines, under a lock. What a killed process left without a line is never read.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

PCM = NDArray[np.int16]
_WIDTH = 2
"""Bytes of a sample."""


class PackedClip(NamedTuple):
    """Where a clip's samples lie.

    Attributes:
        first: of its samples, in the file.
        length: in samples.
        peak: largest absolute sample, 0 to 32768.
    """

    first: int
    length: int
    peak: int


def peak(pcm: PCM) -> int:
    """Return the largest absolute sample.

    >>> peak(np.array([-32768, 5], np.int16)), peak(np.array([], np.int16))
    (32768, 0)
    """
    return int(np.abs(pcm.astype(np.int32)).max(initial=0))


class PackedSamples:
    """16-bit samples by key. Safe to share between threads and processes.

    Args:
        folder: where the two files are; made when something is added, may be deleted at any time.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._samples, self._index = self.folder / "samples.i16", self.folder / "index.jsonl"
        self._places: dict[str, PackedClip] = {}
        self._read = self._inode = 0
        self._map: PCM | None = None
        self._reading = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        # A loader's process maps the file itself: a map would be sent to it as so many bytes.
        return self.__dict__ | {"_map": None, "_reading": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__ |= state | {"_reading": threading.Lock()}

    def find(self, key: str) -> PackedClip | None:
        """Return where a clip's samples lie, None where they are not here."""
        if key not in self._places:
            self.refresh()
        return self._places.get(key)

    def get(self, key: str) -> PCM:
        """Return a clip's samples, ``[time]``, as they lie in the file.

        Raises:
            FileNotFoundError: they are not here.
        """
        place = self.find(key)
        if place is None:
            raise FileNotFoundError(f"{self._samples} does not hold {key}; prepare the clips again")
        end = place.first + place.length
        mapped = self._map
        if mapped is None or len(mapped) < end:
            mapped = self._map = np.memmap(self._samples, np.int16, "r")
        return mapped[place.first : end]

    def add(self, clips: Mapping[str, PCM]) -> None:
        """Add clips; what is here already stays as it is.

        Raises:
            OSError: the disk did not take them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "lock"):
            self.refresh()
            new = {key: pcm for key, pcm in clips.items() if key not in self._places and len(pcm)}
            lines = []
            with self._samples.open("ab") as file:
                file.write(bytes(file.tell() % _WIDTH))  # behind a torn sample
                for key, pcm in new.items():
                    first = file.tell() // _WIDTH
                    file.write(pcm.astype("<i2", copy=False).tobytes())
                    lines.append(json.dumps({"clip": key, "place": [first, len(pcm), peak(pcm)]}))
                file.flush()
                os.fsync(file.fileno())
            with self._index.open("ab+") as file:
                if file.tell() and not self._ends_whole():
                    file.write(b"\n")  # behind a torn line
                file.write("".join(f"{line}\n" for line in lines).encode())
            self.refresh()

    def _ends_whole(self) -> bool:
        with self._index.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

    def refresh(self) -> None:
        """Read the lines that others or this process added."""
        with self._reading:
            self._read_lines()

    def _read_lines(self) -> None:
        try:
            size = self._samples.stat().st_size // _WIDTH
            index = self._index.stat()
            if index.st_size < self._read or index.st_ino != self._inode:  # made anew
                self._read, self._places, self._map = 0, {}, None
                self._inode = index.st_ino
            with self._index.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            self._read, self._places, self._map = 0, {}, None
            return
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                held = json.loads(line)
                place = PackedClip(*map(int, held["place"]))
                key = str(held["clip"])
            except (ValueError, KeyError, TypeError):
                continue  # a torn line: its clip is decoded again
            if place.first >= 0 < place.length and place.first + place.length <= size:
                self._places[key] = place
        self._read += len(whole)
