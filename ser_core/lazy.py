"""Tables of classes that are imported when they are looked up, so that naming them is cheap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

Found = TypeVar("Found")


class LazyTable(Mapping[str, Found]):
    """A read-only table of names; a value is imported when it is looked up.

    Args:
        places: name -> ``"module:attribute"``.

    >>> table = LazyTable({"path": "pathlib:PurePosixPath"})
    >>> list(table), table["path"]("a/b").name
    (['path'], 'b')
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)

    def __getitem__(self, name: str) -> Found:
        module, _, attribute = self._places[name].partition(":")
        found: Found = getattr(import_module(module), attribute)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
