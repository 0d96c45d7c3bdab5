"""What is in a folder, looked up once for every reader that asks while a corpus is read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_found: ContextVar[dict[Hashable, Any] | None] = ContextVar("found", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Remember what `remembered` looks up, until the end of the block."""
    if _found.get() is not None:  # inside another look
        yield
        return
    token = _found.set({})
    try:
        yield
    finally:
        _found.reset(token)


def remembered(key: Hashable, look: Callable[[], T]) -> T:
    """Return what ``look`` finds: within `one_look` it is asked once for each key."""
    held = _found.get()
    if held is None:
        return look()
    if key not in held:
        held[key] = look()
    found: T = held[key]
    return found
