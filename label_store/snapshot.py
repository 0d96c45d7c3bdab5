"""The journal as it was read, for the next opening: a file that may be thrown away at any time.

Reading a million rows of CSV takes long; reading what they came to does not. The snapshot is used
only where every event file it was made of still begins with the very bytes that were read then:
a file that nobody touched is known by size, time and inode, any other is hashed up to where it was
read. Otherwise the snapshot is put aside and the rows are read again.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from label_store.clips import write_whole

NAME: Final = "snapshot.bin"
FORMAT: Final = 2
WORTH_IT: Final = 20_000
"""Rows beyond the last snapshot that make a new one worth its writing."""

_MAGIC: Final = b"label-store snapshot\n"


@dataclass(slots=True)
class FileMark:
    """How far an event file was read, and how to know that it is the same file.

    Attributes:
        name: the file's name.
        offset: bytes that were read.
        columns: its header.
        last: number of its last event.
        unusable: it holds no events.
        identity: its size, time of change and inode when it was read.
        digest: hash of its first ``offset`` bytes.
    """

    name: str
    offset: int
    columns: tuple[str, ...]
    last: int
    unusable: bool
    identity: tuple[int, int, int]
    digest: str


@dataclass(slots=True)
class Snapshot:
    """What was read.

    Attributes:
        files: the event files, in order of their index.
        reports: (kind, file, reason) of what was found wrong in them.
        columns: one sequence a field of an entry.
    """

    files: list[FileMark]
    reports: list[tuple[str, str, str]]
    columns: list[Sequence[Any]]


def identity(path: Path) -> tuple[int, int, int]:
    """Return a file's size, time of change in nanoseconds, and inode."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def new_hash() -> Any:
    """Return what hashes a file's bytes as `digest` does, piece by piece."""
    return hashlib.blake2b(digest_size=20)


def digest(path: Path, size: int) -> str:
    """Return a hash of a file's first bytes."""
    found = new_hash()
    with path.open("rb") as file:
        while size > 0:
            block = file.read(min(size, 2**20))
            if not block:
                break
            found.update(block)
            size -= len(block)
    return str(found.hexdigest())


def fits(folder: Path, mark: FileMark) -> bool:
    """Return whether an event file still begins with what was read."""
    path = folder / mark.name
    try:
        if identity(path) == mark.identity:
            return True
        return path.stat().st_size >= mark.offset and digest(path, mark.offset) == mark.digest
    except OSError:
        return False


def write(path: Path, files: Iterable[FileMark], reports: Iterable[Any], rows: list[Any]) -> None:
    """Write a snapshot.

    Args:
        path: where.
        files, reports: see `Snapshot`.
        rows: entries; numbers, and texts without line breaks.

    Raises:
        OSError: the disk did not take it; what was there still is.
    """
    blobs: list[bytes] = []
    kinds: list[list[Any]] = []
    for place in range(len(rows[0])):
        column = list(map(itemgetter(place), rows))
        if isinstance(column[0], int):
            kinds.append(["numbers", _put(blobs, array("q", column).tobytes())])
            continue
        known = {text: code for code, text in enumerate(dict.fromkeys(column))}
        if len(known) > len(column) // 2:
            kinds.append(["texts", _put(blobs, "\n".join(column).encode())])
        else:
            codes = array("I", map(known.__getitem__, column)).tobytes()
            kinds.append(["codes", _put(blobs, codes), _put(blobs, "\n".join(known).encode())])
    head = {
        "format": FORMAT,
        "order": sys.byteorder,
        "rows": len(rows),
        "kinds": kinds,
        "sizes": [len(blob) for blob in blobs],
        "files": [
            [one.name, one.offset, one.columns, one.last, one.unusable, one.identity, one.digest]
            for one in files
        ],
        "reports": list(reports),
    }
    body = b"".join([json.dumps(head).encode(), b"\n", *blobs])
    write_whole(path, _MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)


def _put(blobs: list[bytes], blob: bytes) -> int:
    blobs.append(blob)
    return len(blobs) - 1


def read(path: Path) -> Snapshot | None:
    """Return a snapshot, or None where there is none, or none that is whole and of this format."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return None
    start = len(_MAGIC) + 4
    checksum = int.from_bytes(data[len(_MAGIC) : start], "big")
    if bytes(data[: len(_MAGIC)]) != _MAGIC or zlib.crc32(data[start:]) != checksum:
        return None
    end = start + bytes(data[start : start + 2**24]).index(b"\n")
    head = json.loads(bytes(data[start:end]))
    if head["format"] != FORMAT or head["order"] != sys.byteorder:
        return None
    blobs: list[memoryview] = []
    at = end + 1
    for size in head["sizes"]:
        blobs.append(data[at : at + size])
        at += size
    files = [
        FileMark(name, offset, tuple(columns), last, unusable, tuple(known), hashed)
        for name, offset, columns, last, unusable, known, hashed in head["files"]
    ]
    columns = [_column(kind, blobs) for kind in head["kinds"]]
    return Snapshot(files, [tuple(one) for one in head["reports"]], columns)


def _column(kind: list[Any], blobs: list[memoryview]) -> Sequence[Any]:
    if kind[0] == "numbers":
        numbers = array("q")
        numbers.frombytes(blobs[kind[1]])
        return numbers
    if kind[0] == "texts":
        return bytes(blobs[kind[1]]).decode().split("\n")
    codes = array("I")
    codes.frombytes(blobs[kind[1]])
    known = bytes(blobs[kind[2]]).decode().split("\n")
    return list(map(known.__getitem__, codes))
