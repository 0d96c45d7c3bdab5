"""Readers of labelled corpora, by name; `read` and `read_all` find the right one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ser_core.corpora.base import Reader, require_folder
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.cremad import CremaD
from ser_core.corpora.emodb import EmoDb
from ser_core.corpora.nemo import Nemo
from ser_core.corpora.ravdess import Ravdess
from ser_core.corpora.ravdess_song import RavdessSong
from ser_core.corpora.savee import Savee
from ser_core.corpora.tess import Tess
from ser_core.corpora.urdu import Urdu
from ser_core.errors import CorpusError

__all__ = ["READERS", "Clip", "Problem", "Reader", "Reading", "read", "read_all"]

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        EmoDb(),
        Ravdess(),
        RavdessSong(),
        CremaD(),
        Tess(),
        Savee(),
        Nemo(),
        Urdu(),
    )
}
"""Every reader by its name. A new corpus is one file and one line here."""


def _by_folder_name(folder: Path) -> Reader | None:
    wanted = folder.name.casefold()
    for reader in READERS.values():
        if wanted in reader.folder_names:
            return reader
    return None


def _detect(folder: Path) -> Reader:
    shares = {name: reader.detect(folder) for name, reader in READERS.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] == 0.0:
        raise CorpusError(
            f"{folder}: its files follow no known corpus. Known are: {', '.join(READERS)}. "
            "Give the name of the reader, or put a table with the columns Filename,Emotion beside "
            "the audio."
        )
    return READERS[best]


def read(folder: str | Path, name: str | None = None) -> Reading:
    """Read one corpus.

    Args:
        folder: where it lies.
        name: a key of READERS; found from the folder's name and its files where not given.

    Returns:
        The clips, and what could not be taken with the reason of each.

    Raises:
        CorpusError: no such folder or reader, or no known corpus in it.
    """
    folder = require_folder(Path(folder))
    if name is not None and name not in READERS:
        raise CorpusError(f"“{name}” is not a corpus known here. Known are: {', '.join(READERS)}.")
    reader = READERS[name] if name is not None else _by_folder_name(folder) or _detect(folder)
    return reader.read(folder)


def read_all(root: str | Path, names: Collection[str] | None = None) -> list[Reading]:
    """Read every corpus folder under ``root``.

    Args:
        root: folder whose folders are corpora, as ``<root>/emodb``.
        names: only these readers; all where not given.

    Raises:
        CorpusError: no such folder, an unknown name, or a named corpus that is not there.
    """
    root = require_folder(Path(root))
    readings: list[Reading] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        reader = _by_folder_name(folder) or _detect(folder)
        if names is None or reader.name in names:
            readings.append(reader.read(folder))
    missing = sorted(set(names or ()) - {reading.corpus for reading in readings})
    if missing:
        raise CorpusError(
            f"{root}: no folder for {', '.join(missing)}. Expected {root / missing[0]}."
        )
    return readings
