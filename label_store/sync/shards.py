"""Shards: immutable pieces of the journal, named by what they hold.

``labels/events-shard-<writer>-<first number>-<last number>-<digest>.csv`` is one;
``events-merged-`` in place of ``events-shard-`` marks one that was made of several.
``labels/gone-<digest>.json`` lists shards whose rows stand in others now.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Literal

from label_store.event import COLUMNS, decode, encode_unchecked
from label_store.event_rows import HEADER, parse_row

MOST_BYTES: Final = 8 * 2**20
"""Rows beyond this go into a shard of their own."""

Kind = Literal["shard", "merged"]
"""Rows as they were sent, or several shards put together."""

_SHARD = re.compile(
    r"labels/events-(shard|merged)-([A-Za-z0-9_-]+)-(\d+)-(\d+)-([0-9a-f]{12})\.csv"
)
_RECORD = re.compile(r"labels/gone-([0-9a-f]{12})\.json")
_CLIP = re.compile(r"clips/[0-9a-f]{2}/(([0-9a-f]{64})(\.[a-z0-9]{1,8}))")


def digest(data: bytes) -> str:
    """Return what stands in a shard's name for its bytes."""
    return hashlib.sha256(data).hexdigest()[:12]


def is_shard(name: str) -> bool:
    """Return whether an object is a shard.

    >>> is_shard("labels/events-shard-w1-1-9-0123456789ab.csv"), is_shard("labels/labels.csv")
    (True, False)
    """
    return _SHARD.fullmatch(name) is not None


def is_merged(name: str) -> bool:
    """Return whether a shard was made of several."""
    found = _SHARD.fullmatch(name)
    return found is not None and found[1] == "merged"


def is_record(name: str) -> bool:
    """Return whether an object lists shards that were replaced."""
    return _RECORD.fullmatch(name) is not None


def clip_of(name: str) -> tuple[str, str] | None:
    """Return a clip's SHA-256 and file ending from its object's name, or None.

    >>> clip_of("clips/ab/" + "ab" * 32 + ".wav")[1]
    '.wav'
    """
    found = _CLIP.fullmatch(name)
    return (found[2], found[3]) if found else None


def is_whole(name: str, data: bytes) -> bool:
    """Return whether a shard's or record's bytes are those that its name promises."""
    found = _SHARD.fullmatch(name)
    record = _RECORD.fullmatch(name)
    promised = found[5] if found else record[1] if record else ""
    return digest(data) == promised


def rows_of(data: bytes) -> list[bytes]:
    """Return a shard's rows in COLUMNS, without line ends; those that can't be read are left out.

    Args:
        data: the shard, of this or another version of the columns.
    """
    header, *rows = data.split(b"\n")
    rows = [row for row in rows if row]
    if header + b"\n" == HEADER:
        return rows
    columns = parse_row(header.removeprefix(b"\xef\xbb\xbf"))
    found = []
    for row in rows:
        cells = parse_row(row)
        if len(cells) == len(columns):
            event = decode(dict(zip(columns, cells, strict=True)))
            found.append(encode_unchecked(event).rstrip(b"\n"))
    return found


def id_of(row: bytes) -> str:
    """Return the id of a row's event."""
    return row.split(b",", 2)[1].decode("utf-8", "replace") if row.count(b",", 0, 400) > 1 else ""


def number_of(row: bytes) -> int:
    """Return the number of a row's event, 0 where it has none."""
    cell = row.partition(b",")[0]
    return int(cell) if cell.isdigit() else 0


def cell(row: bytes, column: str) -> str:
    """Return one cell of a row in COLUMNS, "" where it can't be read."""
    cells = parse_row(row)
    return cells[COLUMNS.index(column)] if len(cells) == len(COLUMNS) else ""


def shards(rows: Iterable[bytes], writer: str, kind: Kind = "shard") -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the shards that hold these rows, each of at most `MOST_BYTES`.

    Args:
        rows: in COLUMNS, without line ends.
        writer: who sends them.
        kind: whether they are new, or made of other shards.
    """
    part: list[bytes] = []
    size = 0
    for row in rows:
        if part and size + len(row) > MOST_BYTES:
            yield _shard(part, writer, kind)
            part, size = [], 0
        part.append(row)
        size += len(row) + 1
    if part:
        yield _shard(part, writer, kind)


def _shard(rows: list[bytes], writer: str, kind: Kind) -> tuple[str, bytes]:
    data = HEADER + b"\n".join([*rows, b""])
    numbers = [number_of(row) for row in rows]
    name = f"events-{kind}-{writer}-{min(numbers)}-{max(numbers)}-{digest(data)}.csv"
    return f"labels/{name}", data


def record(gone: Collection[str]) -> tuple[str, bytes]:
    """Return (name, bytes) of the object that says that these shards were replaced."""
    data = json.dumps({"gone": sorted(gone)}).encode()
    return f"labels/gone-{digest(data)}.json", data


def read_record(data: bytes) -> set[str]:
    """Return the shards that a record lists."""
    return {str(name) for name in json.loads(data)["gone"] if is_shard(str(name))}
