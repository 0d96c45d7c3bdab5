"""Neutral speech of named speakers, kept because somebody asked for it, until it is deleted."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from label_store.clips import sync_folder, write_whole
from label_store.errors import SaveError, StoreError

LONGEST_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class KeptVoice:
    """A speaker's neutral speech.

    Attributes:
        name: the speaker, as it was given; a corpus's is ``corpus/speaker``.
        by: who asked to keep it.
        path: the recording.
    """

    name: str
    by: str
    path: Path


class KeptVoices:
    """The voices of one home, in its folder ``voices``; they are sent nowhere.

    Args:
        home: SER_HOME.
    """

    def __init__(self, home: str | Path) -> None:
        self.folder = Path(home) / "voices"

    def keep(self, name: str, data: bytes, *, by: str) -> KeptVoice:
        """Keep a recording under a name; one that was there gives way.

        Args:
            name: the speaker.
            data: the recording as FLAC.
            by: who asks.

        Raises:
            StoreError: the name is empty or too long.
            SaveError: the disk did not take it.
        """
        name = _plain(name)
        if not 0 < len(name) <= LONGEST_NAME:
            raise StoreError(
                f"A speaker's name of {len(name)} letters can't be kept; 1 to {LONGEST_NAME} are "
                "expected."
            )
        sound, words = self._places(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(sound, data)
            text = json.dumps({"name": name, "by": by}, ensure_ascii=False)
            write_whole(words, text.encode())
        except OSError as error:
            raise SaveError(f"{sound} can't be written: {error.strerror or error}.") from error
        return KeptVoice(name, by, sound)

    def all(self) -> list[KeptVoice]:
        """Return every kept voice, by name."""
        found = []
        for file in sorted(self.folder.glob("*.json")):
            try:
                held = json.loads(file.read_text(encoding="utf-8"))
                one = KeptVoice(str(held["name"]), str(held["by"]), file.with_suffix(".flac"))
            except (OSError, ValueError, KeyError, TypeError):  # being deleted, or foreign
                continue
            if one.path.is_file():
                found.append(one)
        return sorted(found, key=lambda one: one.name)

    def get(self, *names: str) -> KeptVoice | None:
        """Return the first voice that is kept under one of these names, or None."""
        for name in map(_plain, names):
            sound, words = self._places(name)
            if name and sound.is_file():
                try:
                    by = str(json.loads(words.read_text(encoding="utf-8")).get("by", ""))
                except (OSError, ValueError, AttributeError):
                    continue
                return KeptVoice(name, by, sound)
        return None

    def delete(self, name: str) -> bool:
        """Delete the voice of that name; return whether there was one.

        Raises:
            SaveError: it can't be removed.
        """
        there = False
        for path in self._places(_plain(name)):
            there = there or path.exists()
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SaveError(
                    f"{path} can't be removed: {error.strerror or error}. Make its folder "
                    "writable, then ask again."
                ) from error
        if there:
            sync_folder(self.folder)
        return there

    def forget(self, person: str) -> int:
        """Delete the voices of a person, and those that the person asked to keep.

        Returns:
            How many there were.
        """
        person = _plain(person)
        mine = [one for one in self.all() if person in (one.name, one.by)]
        return sum(self.delete(one.name) for one in mine)

    def _places(self, name: str) -> tuple[Path, Path]:
        # A name may hold what no file name may.
        key = hashlib.sha256(name.encode()).hexdigest()[:24]
        return self.folder / f"{key}.flac", self.folder / f"{key}.json"


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
