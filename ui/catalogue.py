"""What clips there are: the corpora under the home, and the clips that the store keeps."""

from __future__ import annotations

import csv
import hashlib
import os
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from label_store.store import LabelStore
from ser_core.corpora.base import name_inside
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.tables import ENDINGS
from ser_core.home import Home
from ui.errors import PageError
from ui.identity import Annotator

FIRST = 64
"""Clips hashed before the first one is shown; the rest follow in the background."""

BATCH = 500

OF_THE_WHOLE = frozenset({"unknown-corpus", "misplaced", "note"})
"""Kinds of problems that are about a corpus or a table and not about one of its rows."""

NOT_FOR_VISITORS = "The clips kept here can be seen and heard only by those who may label."


def require_hearing(who: Annotator) -> None:
    """Refuse those who may not see or hear the clips of this home.

    Raises:
        PageError: with the reason.
    """
    if not who.may_hear:
        raise PageError(f"{NOT_FOR_VISITORS} {who.reason}".strip())


@dataclass(frozen=True, slots=True)
class Source:
    """One clip, or a segment of it, that may be heard and labelled.

    Attributes:
        corpus: the corpus's name; "" for a clip that only the store has.
        name: path inside the corpus with its ending, POSIX; or the name it was uploaded under.
        path: the file; None where it is missing.
        emotion: what the corpus says it is, or "".
        speaker: who speaks, or "".
        sha256: hash of the bytes where it is known without reading them, else "".
        side: the side of the split that its speaker is on, where a committed table says so.
        problem, kind: what is wrong with the row in one sentence, and of which sort; "" if nothing.
        start, end: seconds of the segment that the row is about; None = the whole clip.
    """

    corpus: str
    name: str
    path: Path | None
    emotion: str = ""
    speaker: str = ""
    sha256: str = ""
    side: str = ""
    problem: str = ""
    kind: str = ""
    start: float | None = None
    end: float | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Corpus and name, which identify the file."""
        return (self.corpus, self.name)

    @property
    def segment(self) -> bool:
        """Whether the row is about a part of its file."""
        return self.start is not None or self.end is not None


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found.

    Attributes:
        sources: rows in order of corpus, name and time.
        files: one of them for each file: that of the whole clip, or a segment's without its
            emotion, which says nothing about the whole.
        notices: sentences on folders that could not be read.
        readings: the corpora as their readers gave them.
        emotions: corpus -> emotions of which it has whole clips without a problem.
    """

    sources: tuple[Source, ...] = ()
    notices: tuple[str, ...] = ()
    emotions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    files: tuple[Source, ...] = ()


class Catalogue:
    """The clips of one home; the corpora are read again when their folders change.

    Args:
        home: SER_HOME.
        store: the label store of that home.
    """

    def __init__(self, home: Path, store: LabelStore) -> None:
        self._root = Home(home).corpora
        self._unpacked = Home(home).decoded / "unpacked"
        self._store = store
        self._hashes = Hashes(Home(home).clip_hashes)
        self._lock = threading.Lock()
        self._stamp: object = None
        self._folders = _Folders()
        self._listing = Listing()

    def listing(self) -> Listing:
        """Return the corpora's rows; quick when no folder changed."""
        with self._lock:
            stamp = self._folders.stamp(self._root)
            if stamp != self._stamp:
                self._listing, self._stamp = _read(self._root, self._unpacked), stamp
            return self._listing

    def kept(self) -> list[Source]:
        """Return the clips that only the store has: uploads and recordings with events."""
        paths = self._store.clips.paths()
        known = {source.corpus for source in self.listing().sources}
        return [
            Source(view.corpus, view.file_name, paths.get(view.clip), sha256=view.clip)
            for view in self._store.state().clips()
            if view.clip and view.corpus not in known
        ]

    def hash_of(self, source: Source) -> str:
        """Return the SHA-256 of a source's bytes; "" where they can't be read."""
        if source.sha256 or source.path is None:
            return source.sha256
        return self._hashes.of(source.path)

    def known_hash(self, source: Source) -> str:
        """Return a source's hash where that takes no reading, else ""."""
        if source.sha256 or source.path is None:
            return source.sha256
        return self._hashes.known(source.path)

    def hashed(self, sources: Iterable[Source], most: int | None = None) -> dict[str, Source]:
        """Return hash -> source, for those that can be read; of equal bytes the first counts.

        Args:
            sources: which.
            most: stop after this many.
        """
        found: dict[str, Source] = {}
        for source in sources:
            sha = self.hash_of(source)
            if sha:
                found.setdefault(sha, source)
            if most is not None and len(found) >= most:
                break
        self._hashes.save()
        return found


YOUNG = 2_000_000_000
"""Nanoseconds in which a folder may change once more and keep its time."""


class Hashes:
    """Content hashes that are remembered by path, size and time of change.

    Args:
        path: where they are kept between starts; a cache, so that losing it costs time only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fresh: list[tuple[str, str, str, str]] = []
        self._known: dict[tuple[str, str, str], str] = {}
        self._latest: dict[str, str] = {}
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) == 4]
        except FileNotFoundError:
            rows = []
        self._known = {(row[0], row[1], row[2]): row[3] for row in rows}
        self._latest = {row[0]: row[3] for row in rows}

    def known(self, path: Path) -> str:
        """Return the hash that a path had when it was last read, "" if it never was."""
        return self._latest.get(str(path), "")

    def of(self, path: Path) -> str:
        """Return a file's SHA-256, "" where it can't be read."""
        try:
            found = path.stat()
            key = (str(path), str(found.st_size), str(found.st_mtime_ns))
            if key not in self._known:
                with path.open("rb") as file:
                    sha = hashlib.file_digest(file, "sha256").hexdigest()
                with self._lock:
                    self._known[key] = self._latest[key[0]] = sha
                    self._fresh.append((*key, sha))
        except OSError:  # gone or unreadable: the row says so, there is nothing to hash
            return ""
        if len(self._fresh) >= BATCH:
            self.save()
        return self._known[key]

    def save(self) -> None:
        """Keep what is new; where the disk doesn't take it, it is computed again next time."""
        with self._lock:
            if not self._fresh:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows(self._fresh)
            except OSError:  # a cache on a full disk: what it holds is still in memory
                return
            self._fresh.clear()


class _Folders:
    """Tells when a corpus, a file in its upper folder, or a table comes, goes or changes.

    A folder's own time tells that files came or went, so that of many files only the tables among
    them are asked for theirs.
    """

    def __init__(self) -> None:
        self._inside: dict[str, tuple[int, tuple[str, ...]]] = {}

    def stamp(self, root: Path) -> object:
        """Return what is another one after each such change."""
        try:
            tops = sorted(os.scandir(root), key=lambda entry: entry.path)
        except FileNotFoundError:
            return None
        found = [_mark(top.path) for top in tops]
        for top in tops:
            if top.is_dir():
                found += [_mark(path) for path in self._marked(top)]
        return tuple(sorted(found))

    def _marked(self, top: os.DirEntry[str]) -> tuple[str, ...]:
        """Return a folder's tables and folders."""
        changed = top.stat().st_mtime_ns
        known = self._inside.get(top.path)
        if known is not None and known[0] == changed:
            return known[1]
        paths = tuple(
            entry.path
            for entry in os.scandir(top)
            if entry.is_dir() or os.path.splitext(entry.name)[1].casefold() in ENDINGS  # noqa: PTH122
        )
        if time.time_ns() - changed > YOUNG:
            self._inside[top.path] = changed, paths
        return paths


def _mark(path: str) -> tuple[str, int, int]:
    try:
        known = os.stat(path)  # noqa: PTH116 (on every key press)
    except FileNotFoundError:
        return path, 0, 0
    return path, known.st_mtime_ns, 0 if stat.S_ISDIR(known.st_mode) else known.st_size


def _read(root: Path, unpacked: Path) -> Listing:
    from ser_core.corpora import read_folders

    sources: list[Source] = []
    notices: list[str] = []
    found = read_folders(root, cache=unpacked) if root.is_dir() else []
    for folder, reading in found:
        # Rows without an emotion are what there is to label, and nothing is wrong with them.
        sources += [_source(folder, clip) for clip in (*reading.clips, *reading.unlabelled)]
        for problem in reading.problems:
            if problem.kind in OF_THE_WHOLE:
                text = problem.reason.replace(str(folder), folder.name).replace(
                    str(root), root.name
                )
                known = text.startswith(reading.corpus)
                notices.append(text if known else f"{reading.corpus}: {text}")
            elif problem.kind != "no-emotion":
                sources.append(_problem(reading.corpus, folder, problem))
    rows = _merged(sources)
    emotions: defaultdict[str, set[str]] = defaultdict(set)
    for one in rows:
        if one.emotion and one.path is not None and not one.problem and not one.segment:
            emotions[one.corpus].add(one.emotion)
    return Listing(
        rows,
        tuple(notices),
        {name: frozenset(words) for name, words in emotions.items()},
        tuple(reading for _, reading in found),
        _files(rows),
    )


def _source(folder: Path, clip: Clip) -> Source:
    return Source(
        clip.corpus,
        name_inside(folder, clip.path),
        clip.path,
        clip.emotion,
        clip.speaker,
        side=_side(clip),
        start=clip.start,
        end=clip.end,
    )


def _files(rows: Iterable[Source]) -> tuple[Source, ...]:
    found: dict[tuple[str, str], Source] = {}
    for one in rows:
        if not one.segment:
            found[one.place] = one
        else:
            found.setdefault(one.place, replace(one, emotion="", problem="", kind=""))
    return tuple(found.values())


def _side(clip: Clip) -> str:
    from ser_core.corpora.committed_sides import TABLES
    from ser_core.corpora.grouping import person_of
    from ser_core.corpora.splits import side_of

    return side_of(clip) if person_of(clip).rpartition("/")[0] in TABLES else ""


def _problem(corpus: str, folder: Path, problem: Problem) -> Source:
    if problem.file_name:  # a table's row keeps what it says, whatever is wrong with it
        name = name_inside(folder, problem.path) if problem.path else problem.file_name
        return Source(
            corpus, name, problem.path, problem.emotion, problem=problem.reason, kind=problem.kind,
            start=problem.start, end=problem.end,
        )  # fmt: skip
    path = folder / problem.name
    there = not Path(problem.name).is_absolute() and ".." not in path.parts and path.is_file()
    return Source(
        corpus, problem.name, path if there else None, problem=problem.reason, kind=problem.kind
    )


def _merged(sources: list[Source]) -> tuple[Source, ...]:
    """Give each row one place; a problem joins the clip or the segment that it is about."""
    rows: dict[tuple[str, str, float, float], Source] = {}
    for one in sources:
        start, end = (-1.0 if time is None else time for time in (one.start, one.end))
        place = (*one.place, start, end)
        known = rows.get(place)
        if known is None or (known.path is None and one.path is not None and not known.emotion):
            rows[place] = one
        elif one.problem and not known.problem:
            rows[place] = replace(known, problem=one.problem, kind=one.kind)
    return tuple(rows[place] for place in sorted(rows))
