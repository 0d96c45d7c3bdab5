"""The champion travels too: a trained model survives a disk that is wiped.

``models/<version>/...`` are the checkpoint's files, put before
``models/champion-<time>-<digest>.json``, which says what they are and that this version serves. The
latest such pointer wins, here and there. What the files mean is not known here: the one who loads
a checkpoint checks it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from label_store.clips import write_whole
from label_store.errors import SaveError, SyncError
from label_store.sync.place import Content, Place
from label_store.sync.shards import digest

POINTER: Final = "champion.json"
KINDS: Final = frozenset({".json", ".safetensors", ".onnx", ".md", ".html", ".png", ".csv"})
"""Endings of files that belong to a checkpoint; a resumable training's state does not travel."""

_POINTER = re.compile(r"models/champion-(\d{8}T\d{6})-([0-9a-f]{12})\.json")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass(frozen=True, slots=True)
class ChampionSync:
    """Keeps ``models/champion.json`` and what it points to in step with a place.

    Args:
        home: the folder that holds ``models``.
        place: where it is kept.
    """

    home: Path
    place: Place

    def __call__(self) -> str:
        """Bring the later champion to the side that lacks it.

        Returns:
            ``sent``, ``received`` or "".

        Raises:
            SyncError: the place can't be reached, or what it has is not what its pointer says.
            SaveError: the disk did not take the checkpoint.
        """
        here = self._pointer()
        names = self.place.names()
        pointers = sorted(found[0] for name in names if (found := _POINTER.fullmatch(name)))
        latest = pointers[-1] if pointers else ""
        if here is not None:
            pointer = self._described(here)
            if pointer > latest or (pointer == latest and latest not in names):
                self._send(here, pointer, set(names))
                return "sent"
            if pointer == latest:
                return ""
        if not latest:
            return ""
        self._receive(latest)
        return "received"

    def _pointer(self) -> dict[str, Any] | None:
        path = self.home / "models" / POINTER
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not _FOLDER.fullmatch(values["folder"]):
                raise ValueError("a folder of another kind")
            _stamp(values)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SyncError(f"{path} can't be read ({error}); the champion stays here.") from error
        return dict(values)

    def _described(self, pointer: Mapping[str, Any]) -> str:
        data = json.dumps(pointer, sort_keys=True).encode()
        return f"models/champion-{_stamp(pointer)}-{digest(data)}.json"

    def _send(self, pointer: Mapping[str, Any], name: str, names: set[str]) -> None:
        folder = self.home / "models" / pointer["folder"]
        files = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in KINDS and not path.name.startswith(".")
        }
        if not files:
            raise SyncError(f"{folder} holds no checkpoint, though {POINTER} points to it.")
        hashes = {inside: _hash(path.read_bytes()) for inside, path in files.items()}
        objects: dict[str, Content] = {}
        for inside, path in files.items():
            # Named by content, for a version may be completed after it was promoted.
            target = f"models/{pointer['folder']}/{hashes[inside][:12]}/{inside}"
            if target not in names:
                objects[target] = path
        objects[name] = json.dumps({"pointer": dict(pointer), "files": hashes}).encode()
        self.place.write(objects)

    def _receive(self, name: str) -> None:
        ((_, data),) = self._read([name])
        try:
            described = json.loads(data)
            pointer, hashes = dict(described["pointer"]), dict(described["files"])
            folder = str(pointer["folder"])
        except (ValueError, KeyError, TypeError) as error:
            raise SyncError(f"{name} at {self.place.name} can't be read: {error}.") from error
        if not _FOLDER.fullmatch(folder) or not all(map(_is_inside, hashes)):
            raise SyncError(f"{name} at {self.place.name} names files outside its folder.")
        models = self.home / "models"
        draft = models / f".incoming-{uuid.uuid4().hex}"
        objects = {f"models/{folder}/{hashes[one][:12]}/{one}": one for one in hashes}
        try:
            for found, content in self._read(list(objects)):
                inside = objects[found]
                if _hash(content) != hashes[inside]:
                    raise SyncError(f"{found} at {self.place.name} is damaged.")
                write_whole(draft / inside, content)
            if not (models / folder).exists():
                draft.replace(models / folder)
            write_whole(models / POINTER, json.dumps(pointer, indent=2).encode() + b"\n")
        except OSError as error:
            raise SaveError(
                f"{models} did not take version {folder}: {error.strerror or error}. Free some "
                "space or make it writable."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _read(self, names: list[str]) -> list[tuple[str, bytes]]:
        found = list(self.place.read(names))
        if len(found) < len(names):
            missing = sorted(set(names) - {name for name, _ in found})
            raise SyncError(f"{self.place.name} lacks {missing[0]}.")
        return found


def _stamp(pointer: Mapping[str, Any]) -> str:
    digits = re.sub(r"[-:]", "", str(pointer["promoted"]))[:15]
    if not re.fullmatch(r"\d{8}T\d{6}", digits):
        raise ValueError(f"no time: {pointer['promoted']!r:.40}")
    return digits


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_inside(name: object) -> bool:
    parts = str(name).split("/")
    return all(_FOLDER.fullmatch(part) for part in parts) and Path(str(name)).suffix in KINDS
