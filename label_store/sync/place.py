"""What a place must be able to do: list, read, write new objects, remove."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Protocol

Content = bytes | Path
"""An object's bytes, or the local file that holds them."""


class Place(Protocol):
    """A flat store of immutable objects; every method raises SyncError where it can't be reached.

    Attributes:
        name: how a person names the place.
    """

    name: str

    def names(self) -> list[str]:
        """Return the name of every object, ``labels/...``, ``clips/...``, ``models/...``."""
        ...

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield (name, bytes) of these objects, in any order; those that are gone are left out."""
        ...

    def write(self, objects: Mapping[str, Content]) -> None:
        """Put new objects, in this order; one already there with the same bytes is not an error."""
        ...

    def remove(self, names: Collection[str]) -> None:
        """Remove objects; those already gone are not an error."""
        ...

    def erase_history(self) -> None:
        """Make what was removed before unrecoverable, where the place itself keeps versions."""
        ...


def bytes_of(content: Content) -> bytes:
    """Return an object's bytes."""
    return content if isinstance(content, bytes) else content.read_bytes()
