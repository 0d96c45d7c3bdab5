"""Readers of labelled corpora, by name; `read` and `read_all` find the right one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.audit import counts, examine, summary
from ser_core.corpora.base import Reader, require_folder
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.one_look import one_look
from ser_core.corpora.registry import GRAMMARS, READERS
from ser_core.corpora.table import TableCorpus, find_tables
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
    "open_corpus",
    "read",
    "read_all",
    "read_folders",
    "summary",
]

ARCHIVE_ENDINGS: frozenset[str] = frozenset({".zip"})
"""Endings, lower case, of the archives that are unpacked."""


def _by_name(label: str) -> Reader | None:
    expected = label.casefold()
    return next((one for one in READERS.values() if expected in one.folder_names), None)


def _detect(folder: Path) -> Reader:
    table, folders = READERS["table"], READERS["folders"]
    shares = {one.name: one.detect(folder) for one in GRAMMARS}
    best = max(shares, key=lambda name: shares[name])
    if table.detect(folder) and not (shares[best] >= 0.95 and _own_tables_only(folder, best)):
        return table
    # A mixture is one only where no corpus alone explains the names.
    if shares[best] < 0.95 and READERS["kaggle"].detect(folder) > shares[best]:
        return READERS["kaggle"]
    if shares[best] < 0.5 and folders.detect(folder) > shares[best]:
        return folders
    if shares[best] > 0.0:
        return READERS[best]
    if find_tables(folder):
        return table
    raise CorpusError(
        f"{folder}: its files follow no known corpus. Known are: {', '.join(READERS)}. Put a table "
        "with the columns Filename,Emotion beside the audio, sort it into folders named by "
        "emotion, or give the name of the reader."
    )


_OWN_TABLES = {"nemo": frozenset({"data.tsv"})}
"""Tables that a corpus itself comes with; its file names say the same and more."""


def _own_tables_only(folder: Path, corpus: str) -> bool:
    own = _OWN_TABLES.get(corpus, frozenset())
    return all(path.name in own for path, _ in find_tables(folder, deepest=0))


def open_corpus(path: Path, cache: Path | None) -> Path:
    """Return the folder of a corpus, unpacked first where it is an archive.

    Args:
        path: a folder, or a zip archive of one.
        cache: folder into which an archive is unpacked; None = archives are refused.

    Raises:
        CorpusError: no such folder, an unsafe archive, or one without a cache.
    """
    if path.suffix.casefold() not in ARCHIVE_ENDINGS or path.is_dir():
        return require_folder(path)
    if cache is None:
        raise CorpusError(
            f"{path}: an archive. Unpack it, or give a cache folder to unpack it into."
        )
    from ser_core.corpora.unpack import unpack

    folder = unpack(path, cache)
    # The one folder that wraps a whole corpus is not part of its clips' keys.
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
    opened = open_corpus(path, None if cache is None else Path(cache))
    label = path.stem if path.is_file() else path.name
    if name is not None:
        return _called(READERS[name].read(opened), opened.name, label)
    with one_look():
        reader = _by_name(label) or _by_name(opened.name)
        return _called((reader or _detect(opened)).read(opened), opened.name, label)


def _called(reading: Reading, folder: str, label: str) -> Reading:
    """Return a reading under the name of its archive, not of the folder it was unpacked into.

    That name holds the archive's hash, and labels and speakers go by their corpus's name.
    """
    if reading.corpus != folder or folder == label:
        return reading

    def renamed(clip: Clip) -> Clip:
        family = label if clip.family == folder else clip.family
        return replace(clip, corpus=label, family=family) if clip.corpus == folder else clip

    problems = tuple(
        replace(one, corpus=label) if one.corpus == folder else one for one in reading.problems
    )
    clips, unlabelled = (tuple(map(renamed, some)) for some in (reading.clips, reading.unlabelled))
    return Reading(label, clips, problems, unlabelled)


def read_all(
    root: str | Path,
    names: Collection[str] | None = None,
    *,
    cache: str | Path | None = None,
) -> list[Reading]:
    """Read every corpus under a folder; as `read_folders`, without the folders."""
    return [reading for _, reading in read_folders(root, names, cache=cache)]


def read_folders(
    root: str | Path,
    names: Collection[str] | None = None,
    *,
    cache: str | Path | None = None,
) -> list[tuple[Path, Reading]]:
    """Read every corpus under a folder, and say where each one's files lie.

    Args:
        root: folder whose folders (and zip archives, given a cache) are corpora: ``<root>/emodb``.
        names: only these, by reader or by folder name; all where not given.
        cache: folder into which archives are unpacked.

    Returns:
        The folder and the reading of each corpus, in the order of their names; an archive's folder
        is the one into which it was unpacked. A folder in which no corpus is found yields a reading
        without clips whose problem says so.

    Raises:
        CorpusError: no such folder, or a named corpus that is not there.
    """
    root = require_folder(Path(root))
    store = None if cache is None else Path(cache)
    readings: list[tuple[Path, Reading]] = []
    found: set[str] = set()
    if names is None and (loose := _loose(root)) is not None:
        readings.append((root, loose))
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
            opened = open_corpus(path, store)
            with one_look():
                reader = known or _detect(opened)
                if names is not None and not {reader.name, label} & set(names):
                    continue
                readings.append((opened, _called(reader.read(opened), opened.name, label)))
            found |= {reader.name, label}
        except CorpusError as error:
            if names is not None and (known is not None or label in names):
                raise
            if names is None:
                problem = Problem(path.name, "unknown-corpus", str(error))
                readings.append((path, Reading(label, (), (problem,))))
    missing = sorted(set(names or ()) - found)
    if missing:
        raise CorpusError(
            f"{root}: no corpus called {', '.join(missing)}. Expected it in {root / missing[0]}."
        )
    return readings


def _loose(root: Path) -> Reading | None:
    """Return what lies in the folder of corpora itself, where each corpus has its own folder."""
    audio = any(path.suffix.casefold() in AUDIO_ENDINGS for path in root.iterdir())
    tables = find_tables(root, deepest=0)
    if tables and audio:
        return TableCorpus().read(root, deep=False)
    where = f"Put it with its audio into a folder of its own, such as {root / 'mine'}."
    if tables:
        reason = f"the table lies in the folder of corpora itself, without its audio. {where}"
        return Reading(root.name, (), (Problem(tables[0][0].name, "misplaced", reason),))
    if audio:
        reason = (
            f"audio lies in the folder of corpora itself, and no table names it. {where} The table "
            "has the columns Filename,Emotion."
        )
        return Reading(root.name, (), (Problem(root.name, "misplaced", reason),))
    return None
