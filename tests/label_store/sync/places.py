"""Places for tests: one in memory that can be out of reach, or fail one call in so many."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping

from label_store import SyncError
from label_store.sync.place import Content, Place, bytes_of


class Memory:
    """Objects in a dict."""

    def __init__(self) -> None:
        self.name = "memory"
        self.objects: dict[str, bytes] = {}
        self.down = False

    def names(self) -> list[str]:
        self._reach()
        return sorted(self.objects)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        self._reach()
        yield from [(name, self.objects[name]) for name in names if name in self.objects]

    def write(self, objects: Mapping[str, Content]) -> None:
        self._reach()
        for name, content in objects.items():
            data = bytes_of(content)
            assert self.objects.get(name, data) == data, "an object never changes"
            self.objects[name] = data

    def remove(self, names: Collection[str]) -> None:
        self._reach()
        for name in names:
            self.objects.pop(name, None)

    def erase_history(self) -> None:
        self._reach()

    def _reach(self) -> None:
        if self.down:
            raise SyncError("no route to memory")


class Unreliable:
    """A place of which some calls fail: before anything is done, after a part, or after all."""

    def __init__(self, place: Place, rng: random.Random, share: float = 0.1) -> None:
        self.place, self.rng, self.share = place, rng, share
        self.name = place.name

    def names(self) -> list[str]:
        self._perhaps()
        return self.place.names()

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for found in self.place.read(names):
            self._perhaps(self.share / 10)
            yield found

    def write(self, objects: Mapping[str, Content]) -> None:
        if self.rng.random() < self.share:
            part = self.rng.randint(0, len(objects))
            self.place.write(dict(list(objects.items())[:part]))
            raise SyncError("the connection was lost")
        self.place.write(objects)

    def remove(self, names: Collection[str]) -> None:
        self._perhaps()
        self.place.remove(names)

    def erase_history(self) -> None:
        self._perhaps()
        self.place.erase_history()

    def _perhaps(self, share: float | None = None) -> None:
        if self.rng.random() < (self.share if share is None else share):
            raise SyncError("the connection was lost")
