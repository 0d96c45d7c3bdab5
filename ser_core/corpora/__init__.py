"""Readers of labelled corpora, by name; `read` and `read_all` find the right one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ser_core.corpora.audit import counts, examine
from ser_core.corpora.base import Reader, require_folder
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.cremad import CremaD
from ser_core.corpora.emodb import EmoDb
from ser_core.corpora.kaggle import Kaggle
from ser_core.corpora.nemo import Nemo
from ser_core.corpora.ravdess import Ravdess
from ser_core.corpora.ravdess_song import RavdessSong
from ser_core.corpora.savee import Savee
from ser_core.corpora.table import Table
from ser_core.corpora.tess import Tess
from ser_core.corpora.urdu import Urdu
from ser_core.errors import CorpusError

__all__ = [
    "ARCHIVE_ENDINGS",
    "READERS",
    "Clip",
    "Problem",
    "Reader",
    "Reading",
    "counts",
    "examine",
    "read",
    "read_all",
]

_GRAMMARS: tuple[Reader, ...] = (
    EmoDb(),
    Ravdess(),
    RavdessSong(),
    CremaD(),
    Tess(),
    Savee(),
    Nemo(),
    Urdu(),
)
READERS: dict[str, Reader] = {one.name: one for one in (*_GRAMMARS, Kaggle(_GRAMMARS), Table())}
"""Every reader by its name. A new corpus is one file and one line here."""

ARCHIVE_ENDINGS: frozenset[str] = frozenset({".zip"})
"""Endings, lower case, of the archives that are unpacked."""


def _by_name(label: str) -> Reader | None:
    wanted = label.casefold()
    return next((one for one in READERS.values() if wanted in one.folder_names), None)


def _detect(folder: Path) -> Reader:
    if READERS["table"].detect(folder):
        return READERS["table"]
    shares = {one.name: one.detect(folder) for one in _GRAMMARS}
    best = max(shares, key=lambda name: shares[name])
    # A mixture is one only where no corpus alone explains the names.
    if shares[best] < 0.95 and READERS["kaggle"].detect(folder) > shares[best]:
        return READERS["kaggle"]
    if shares[best] == 0.0:
        raise CorpusError(
            f"{folder}: its files follow no known corpus. Known are: {', '.join(READERS)}. "
            "Give the name of the reader, or put a table with the columns Filename,Emotion beside "
            "the audio."
        )
    return READERS[best]


def _opened(path: Path, cache: Path | None) -> Path:
    """Return the folder of a corpus, unpacked first where it is an archive."""
    if path.suffix.casefold() not in ARCHIVE_ENDINGS or path.is_dir():
        return require_folder(path)
    if cache is None:
        raise CorpusError(
            f"{path}: an archive. Unpack it, or give a cache folder to unpack it into."
        )
    from ser_core.unpack import unpack

    folder = unpack(path, cache)
    # The one folder that wraps a whole corpus is no part of its clips' keys.
    while len(inside := [one for one in folder.iterdir() if one.name != "__MACOSX"]) == 1:
        known = inside[0].name.casefold() == path.stem.casefold() or _by_name(inside[0].name)
        if not inside[0].is_dir() or not known:
            break
        folder = inside[0]
    return folder


def read(
    folder: str | Path, name: str | None = None, *, cache: str | Path | None = None
) -> Reading:
    """Read one corpus.

    Args:
        folder: where it lies; a folder, or a zip archive of one.
        name: a key of READERS; found from the folder's name and its files where not given.
        cache: folder into which an archive is unpacked.

    Returns:
        The clips, and what could not be taken with the reason of each.

    Raises:
        CorpusError: no such folder or reader, no known corpus in it, or an unsafe archive.
    """
    if name is not None and name not in READERS:
        raise CorpusError(f"“{name}” is not a corpus known here. Known are: {', '.join(READERS)}.")
    path = Path(folder)
    opened = _opened(path, None if cache is None else Path(cache))
    if name is not None:
        return READERS[name].read(opened)
    reader = _by_name(path.stem if path.is_file() else path.name) or _by_name(opened.name)
    return (reader or _detect(opened)).read(opened)


def read_all(
    root: str | Path,
    names: Collection[str] | None = None,
    *,
    cache: str | Path | None = None,
) -> list[Reading]:
    """Read every corpus under a folder.

    Args:
        root: folder whose folders (and zip archives, given a cache) are corpora: ``<root>/emodb``.
        names: only these, by reader or by folder name; all where not given.
        cache: folder into which archives are unpacked.

    Returns:
        One reading for each corpus, in the order of their folders. A folder in which no corpus is
        found yields a reading without clips whose problem says so.

    Raises:
        CorpusError: no such folder, or a named corpus that is not there.
    """
    root = require_folder(Path(root))
    store = None if cache is None else Path(cache)
    readings: list[Reading] = []
    found: set[str] = set()
    for path in sorted(root.iterdir()):
        archive = path.is_file() and path.suffix.casefold() in ARCHIVE_ENDINGS
        if path.name.startswith(".") or not (path.is_dir() or archive):
            continue
        if store is not None and path.resolve() == store.resolve():
            continue
        label = path.stem if archive else path.name
        known = _by_name(label)
        if names is not None and known is not None and not {known.name, label} & set(names):
            continue
        try:
            opened = _opened(path, store)
            reader = known or _detect(opened)
            if names is not None and not {reader.name, label} & set(names):
                continue
            readings.append(reader.read(opened))
            found |= {reader.name, label}
        except CorpusError as error:
            if names is not None and (known is not None or label in names):
                raise
            if names is None:
                problem = Problem(path.name, "unknown-corpus", str(error))
                readings.append(Reading(label, (), (problem,)))
    missing = sorted(set(names or ()) - found)
    if missing:
        raise CorpusError(
            f"{root}: no corpus called {', '.join(missing)}. Expected it in {root / missing[0]}."
        )
    return readings
