"""A folder of recorded noises, from which the effect ``background_noise`` takes its sound."""

from __future__ import annotations

import functools
import hashlib
import threading
from pathlib import Path

import numpy as np

from ser_core.augment.effect import Samples
from ser_core.errors import AugmentError


def noises_in(folder: Path) -> NoiseFolder | None:
    """Return a folder of recordings to mix in; None where there is none, or nothing in it yet.

    It is read again when something comes or goes there.
    """
    return _noises_in(folder, folder.stat().st_mtime_ns) if folder.is_dir() else None


@functools.lru_cache(maxsize=2)
def _noises_in(folder: Path, stamp: int) -> NoiseFolder | None:
    try:
        return NoiseFolder(folder)
    except AugmentError:  # nothing in it yet: the effect is not offered
        return None


class NoiseFolder:
    """The recordings of a folder, decoded once each and kept in memory.

    Args:
        folder: a folder with audio files, at any depth; links that lead out of it are not followed.
        endings: which files count, in lower case.

    Raises:
        AugmentError: the folder is missing or holds no audio file.
    """

    def __init__(
        self,
        folder: Path,
        endings: frozenset[str] = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"}),
    ) -> None:
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise AugmentError(f"The folder of noises “{folder}” does not exist.")
        self.names: tuple[str, ...] = tuple(
            sorted(
                path.relative_to(self.folder).as_posix()
                for path in self.folder.rglob("*")
                if path.suffix.lower() in endings
                and path.is_file()
                and path.resolve().is_relative_to(self.folder)
            )
        )
        if not self.names:
            raise AugmentError(
                f"The folder of noises “{folder}” holds no audio "
                f"({', '.join(sorted(endings))}); put recordings there."
            )
        self._lock = threading.Lock()
        self._hashes: dict[str, str] = {}
        self._decoded: dict[tuple[str, int], Samples] = {}

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def fingerprint(self, name: str) -> str:
        """Return the first 16 digits of the SHA-256 of a recording's bytes.

        Raises:
            AugmentError: no recording of that name was here when the folder was read.
        """
        with self._lock:
            if name not in self.names:
                raise AugmentError(
                    f"There is no recording “{name:.100}” in the folder of noises “{self.folder}”."
                )
            if name not in self._hashes:
                data = (self.folder / name).read_bytes()
                self._hashes[name] = hashlib.sha256(data).hexdigest()[:16]
            return self._hashes[name]

    def samples(self, name: str, fingerprint: str, rate: int) -> Samples:
        """Return a recording as float32 ``[1, time]`` at ``rate``.

        Args:
            name: one of ``names``.
            fingerprint: what ``fingerprint(name)`` said when it was drawn.
            rate: samples per second.

        Raises:
            AugmentError: it is not here, is another recording by now, or holds no sound.
            AudioError: it can't be decoded.
        """
        from ser_core import audio

        if self.fingerprint(name) != fingerprint:
            raise AugmentError(
                f"The recording “{name:.100}” in “{self.folder}” is not the one that was drawn; "
                "its bytes differ. Put the old file back or draw the recipe anew."
            )
        with self._lock:
            if (name, rate) not in self._decoded:
                loaded = audio.load(self.folder / name, sample_rate=rate)
                mono: Samples = np.ascontiguousarray(audio.mono(loaded.samples), np.float32)
                if not (np.isfinite(mono).all() and np.any(mono)):
                    raise AugmentError(f"The recording “{name:.100}” holds no sound; remove it.")
                self._decoded[name, rate] = mono
            return self._decoded[name, rate]
