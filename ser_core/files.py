"""The one way a file is written: whole or not at all, under its final name."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic(path: str | Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its place only when the ``with`` block succeeds.

    A reader sees the old file or the new one, never half of either. If the block raises, the old
    file stays and nothing is left behind.

    Args:
        path: where the file goes; missing folders are made.
        durable: the content is on disk when the block ends (fsync). A cache can do without.

    Yields:
        A binary file, open for writing.

    Raises:
        OSError: the folder can't be written to or the disk is full.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".part", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        partial.chmod(0o644)  # mkstemp makes private files; another user's server may read these
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(target.parent)


def write_bytes(path: str | Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file; see `atomic`."""
    with atomic(path, durable=durable) as file:
        file.write(content)


def write_text(path: str | Path, text: str, *, durable: bool = True) -> None:
    """Write a whole UTF-8 file; see `atomic`."""
    write_bytes(path, text.encode(), durable=durable)


def write_json(path: str | Path, values: Any, *, durable: bool = True) -> None:
    """Write values as indented JSON; see `atomic`.

    Raises:
        ValueError: a value is NaN or infinite, which JSON can't hold.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", durable=durable)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too, where the system lets a folder be opened for it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_parsing = threading.Lock()


def load_array(path: str | Path) -> Any:
    """Read a ``.npy`` file from any thread.

    NumPy parses the header with ``ast``, whose recursion count CPython 3.11 shares between threads:
    two reads at once may end in “AST constructor recursion depth mismatch”
    (https://github.com/python/cpython/issues/106905).

    Args:
        path: the file.

    Returns:
        The array, with the type and shape that it was saved with.

    Raises:
        OSError, ValueError: it can't be read, or is not an array.
    """
    import numpy as np

    with _parsing:
        return np.load(path, allow_pickle=False)


def load_arrays(path: str | Path) -> dict[str, Any]:
    """Read every array of a ``.npz`` file, by name, from any thread (see ``load_array``).

    Raises:
        OSError, ValueError: it can't be read, or holds something else.
    """
    import numpy as np

    with _parsing, np.load(path, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}
