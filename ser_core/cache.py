"""A folder of computed arrays that never hands out a stale one.

An entry's name is the hash of everything that decides its content: the source's hash, all
parameters, and the version of the code that computes it. Change one and it is another entry. The
folder stays below its size: what was not used for longest goes first. A torn or foreign file is
thrown away and computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def key(content: str, parameters: Mapping[str, Any], version: str) -> str:
    """Return the name of an entry: a SHA-256 over what decides its content, in hex.

    Args:
        content: hash of the source's bytes.
        parameters: every parameter, fit for JSON; their order does not matter.
        version: of the code that computes the array; raise it when the code's result changes.

    Raises:
        TypeError: a parameter is not fit for JSON.
        ValueError: a parameter is NaN or infinite.

    >>> key("ab", {"n_mels": 64, "hop": 160}, "1") == key("ab", {"hop": 160, "n_mels": 64}, "1")
    True
    >>> key("ab", {"n_mels": 64}, "1") == key("ab", {"n_mels": 64}, "2")
    False
    """
    whole = json.dumps(
        [content, parameters, version], sort_keys=True, allow_nan=False, ensure_ascii=True
    )
    return hashlib.sha256(whole.encode()).hexdigest()


class ArrayCache:
    """Arrays on disk, shared by threads and processes.

    Args:
        folder: where the files lie; made when it is first written to.
        max_bytes: size that the folder is kept below.
    """

    def __init__(self, folder: Path, max_bytes: int = 4 * 2**30) -> None:
        if max_bytes <= 0:
            raise ValueError(f"max_bytes is {max_bytes}; a positive number of bytes is expected")
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._size: int | None = None

    def get(self, name: str) -> Array | None:
        """Return the array of that name, or None where there is no whole one.

        Args:
            name: what `key` returned.
        """
        path = self._path(name)
        try:
            array: Array = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):  # another process may have evicted it by now
            os.utime(path)
        return array

    def put(self, name: str, array: Array) -> None:
        """Store an array under a name, whole or not at all, and evict what exceeds the size.

        Args:
            name: what `key` returned.
            array: any shape; no objects.

        Raises:
            OSError: the folder can't be written to.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}.draft")
        try:
            with draft.open("xb") as file:
                np.save(file, array, allow_pickle=False)
            size = draft.stat().st_size
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        with self._lock:
            if self._size is not None:
                self._size += size
            if self._size is None or self._size > self.max_bytes:
                self._evict(path)

    def get_or(
        self,
        content: str,
        parameters: Mapping[str, Any],
        version: str,
        compute: Callable[[], Array],
    ) -> Array:
        """Return the stored array, or compute and store it.

        Args:
            content: hash of the source's bytes.
            parameters: every parameter of the computation.
            version: of the computing code.
            compute: makes the array.
        """
        name = key(content, parameters, version)
        array = self.get(name)
        if array is None:
            array = compute()
            self.put(name, array)
        return array

    def size(self) -> int:
        """Return the bytes that the folder holds now."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> None:
        """Remove every entry."""
        with self._lock:
            for _, _, path in self._entries():
                path.unlink(missing_ok=True)
            self._size = 0

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.npy"

    def _entries(self) -> list[tuple[int, int, Path]]:
        entries = []
        for path in self.folder.glob("??/*.npy"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                entries.append((state.st_mtime_ns, state.st_size, path))
        return entries

    def _evict(self, newest: Path) -> None:
        """Look at the folder (other processes write too) and go a tenth below the limit."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        if total > self.max_bytes:
            for _, size, path in entries:
                if total <= 0.9 * self.max_bytes:
                    break
                if path != newest:
                    path.unlink(missing_ok=True)
                    total -= size
        self._size = total
