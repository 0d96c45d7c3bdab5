"""What a store remembers of a place: the shards it knows there, and how much it has sent.

Lost or damaged, it costs time and no label: shards are fetched and rows sent once more, and events
fold by their id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from label_store.clips import write_whole
from label_store.errors import SaveError


@dataclass(slots=True)
class Note:
    """What is known of one place.

    Attributes:
        shards: names of the shards and records there that were folded in or sent.
        lines: event file without its generation -> how many of its rows are there.
        forgotten: ids of the tombstones that were carried out there.
        checked: shards there in which nothing is left of what these ask to forget.
    """

    shards: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)


def origin(place: str) -> str:
    """Return letters and digits that stand for a place."""
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def note_path(labels: Path, place: str) -> Path:
    """Return where the note on a place lies, in a store's ``labels`` folder."""
    return labels / "sync" / f"{origin(place)}.json"


def read_note(labels: Path, place: str) -> Note:
    """Return what is remembered of a place; nothing where the note is missing or damaged."""
    try:
        values = json.loads(note_path(labels, place).read_text(encoding="utf-8"))
        return Note(
            set(map(str, values["shards"])),
            {str(name): int(count) for name, count in values["lines"].items()},
            set(map(str, values["forgotten"])),
            set(map(str, values["checked"])),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Note()


def write_note(labels: Path, place: str, note: Note) -> None:
    """Remember what is known of a place.

    Raises:
        SaveError: the disk did not take it; what was remembered before still stands.
    """
    path = note_path(labels, place)
    values = {
        "place": place,
        "shards": sorted(note.shards),
        "lines": note.lines,
        "forgotten": sorted(note.forgotten),
        "checked": sorted(note.checked),
    }
    try:
        write_whole(path, json.dumps(values, indent=0).encode())
    except OSError as error:
        raise SaveError(f"{path} can't be written: {error.strerror or error}.") from error
