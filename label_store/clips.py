"""The clips' bytes, each kept once under the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from label_store.errors import EventError, SaveError

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_HASH = re.compile(r"[0-9a-f]{64}")


class ClipFolder:
    """``clips/<ab>/<sha256>.<ext>``: written once, never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, data: bytes, suffix: str) -> str:
        """Keep a clip's bytes and return their SHA-256; bytes kept before are not written again.

        Args:
            data: the clip's file as it is.
            suffix: the file's ending, with or without the dot (".wav").

        Raises:
            EventError: no bytes, or not a file ending.
            SaveError: the disk did not take them.
        """
        suffix = suffix.lower() if suffix.startswith(".") else f".{suffix.lower()}"
        if not _SUFFIX.fullmatch(suffix):
            raise EventError(f"“{suffix[:20]}” is not a file ending; expected one like “.wav”.")
        if not data:
            raise EventError("The clip is empty; record or upload it again.")
        clip = hashlib.sha256(data).hexdigest()
        kept = self.path(clip)
        if kept is not None and kept.stat().st_size == len(data):
            return clip
        target = kept or self.folder / clip[:2] / f"{clip}{suffix}"
        try:
            write_whole(target, data)
        except OSError as error:
            raise SaveError(
                f"The clip could not be kept in {self.folder}: {error.strerror or error}. "
                "Free some space or make the folder writable, then save again."
            ) from error
        return clip

    def path(self, clip: str) -> Path | None:
        """Return where a clip's bytes are, or None where the store does not have them."""
        if not _HASH.fullmatch(clip):
            return None
        try:
            with os.scandir(self.folder / clip[:2]) as found:
                names = sorted(entry.name for entry in found if entry.name.startswith(clip + "."))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self.folder / clip[:2] / names[0] if names else None

    def paths(self) -> dict[str, Path]:
        """Return clip -> file for every clip that the store has; one pass over the folder."""
        found: dict[str, Path] = {}
        if not self.folder.is_dir():
            return found
        for folder in sorted(self.folder.iterdir()):
            if not folder.is_dir():
                continue
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - 50,000 Path objects are slow
                clip = name.partition(".")[0]
                if _HASH.fullmatch(clip):
                    found.setdefault(clip, folder / name)
        return found


def write_whole(target: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Args:
        target: the file; its folder is made where it is missing.
        data: all of its bytes.

    Raises:
        OSError: the disk did not take it; nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk (a no-op where folders can't be synced)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
