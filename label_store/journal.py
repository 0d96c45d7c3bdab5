"""The event files: read what is new, append one row, set a torn tail aside.

A row is one line and never spans two. Whoever appends holds the lock, so an unterminated last
line under the lock was left by a process that died: it was never acknowledged.
"""

from __future__ import annotations

import csv
import gc
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from filelock import FileLock, Timeout

from label_store.clips import sync_folder, write_whole
from label_store.errors import SaveError
from label_store.event import COLUMNS, LabelEvent, decode, encode_row

HEADER: Final = encode_row(COLUMNS)
LOCK_SECONDS: Final = 60.0
_COURTESY: Final = 0.002
WriteFunction = Callable[[int, bytes], int]


class Entry(NamedTuple):
    """What the fold needs of an event, and where the whole of it stands."""

    number: int
    event_id: str
    time: str
    action: str
    annotator: str
    session: str
    clip: str
    file_name: str
    former_name: str
    corpus: str
    start: str
    end: str
    emotion: str
    target: str
    file: int
    offset: int
    length: int

    @property
    def key(self) -> str:
        """The clip's hash, or ``name:corpus/file`` without one."""
        return self.clip or f"name:{self.corpus}/{self.former_name or self.file_name}"


_FIELDS: Final = Entry._fields[1:14]
_HEAD: Final = max(COLUMNS.index(name) for name in _FIELDS) + 1
_TAIL_COMMAS: Final = len(COLUMNS) - _HEAD - 1
_LARGE: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Report:
    """Something found in the event files that a person should know of.

    Attributes:
        kind: ``torn-tail``, ``damaged-row`` or ``damaged-file``.
        file: the file's name.
        reason: one sentence: what was found and what was done.
    """

    kind: str
    file: str
    reason: str


@dataclass(slots=True)
class _File:
    path: Path
    index: int
    offset: int = 0
    columns: tuple[str, ...] = ()
    last: int = 0
    unusable: bool = False
    torn: bool = False


@dataclass(slots=True)
class News:
    """What was read: new entries in file order, and whether everything was read anew."""

    entries: list[Entry] = field(default_factory=list)
    restarted: bool = False


class Journal:
    """The event files of one folder, read incrementally and appended to under a lock."""

    def __init__(self, folder: Path, write: WriteFunction = os.write) -> None:
        self.folder = folder
        self.reports: list[Report] = []
        self._write = write
        self._files: dict[str, _File] = {}
        self._order: list[_File] = []
        self._lock = FileLock(folder / ".lock", thread_local=False, is_singleton=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock: across processes, and until the block is left.

        Raises:
            SaveError: the folder can't be written, or another process holds the lock for long.
        """
        asked = time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=LOCK_SECONDS, poll_interval=0.001)
        except Timeout:
            raise SaveError(
                f"Another process has held {self.folder / '.lock'} for {LOCK_SECONDS:.0f} s. "
                "Nothing was saved; try again, or end that process."
            ) from None
        except OSError as error:
            raise SaveError(
                f"{self.folder} can't be written: {error.strerror or error}. Nothing was saved; "
                "make the folder writable or free some space, then save again."
            ) from error
        waited = time.monotonic() - asked
        try:
            yield
        finally:
            self._lock.release()
            # Whoever had to wait is not alone: without a pause the same process takes the lock
            # again before another has woken, and on a busy machine some would starve.
            if waited > _COURTESY and not self._lock.is_locked:
                time.sleep(_COURTESY)

    def read_new(self) -> News:
        """Read whole lines that were added since the last call, by any process."""
        news = News()
        for name, size in self._listing():
            file = self._files.get(name)
            if file is None:
                file = _File(self.folder / name, len(self._order))
                self._files[name] = file
                self._order.append(file)
            if size < file.offset:
                return self._read_all()
            if size > file.offset and not file.unusable:
                first = len(news.entries)
                last = file.last
                with _unhindered(size - file.offset):
                    self._read_file(file, news.entries)
                # A row that a failed save took back may have been read: its number comes again.
                if last and len(news.entries) > first and news.entries[first].number <= last:
                    return self._read_all()
        return news

    def _read_all(self) -> News:
        self._files.clear()
        self._order.clear()
        self.reports = [report for report in self.reports if report.kind == "torn-tail"]
        news = self.read_new()
        news.restarted = True
        return news

    def _listing(self) -> list[tuple[str, int]]:
        try:
            with os.scandir(self.folder) as found:
                return sorted(
                    (entry.name, entry.stat().st_size)
                    for entry in found
                    if entry.name.startswith("events-") and entry.name.endswith(".csv")
                )
        except FileNotFoundError:
            return []

    def _read_file(self, file: _File, into: list[Entry]) -> None:
        with file.path.open("rb") as source:
            source.seek(file.offset)
            data = source.read()
        end = data.rfind(b"\n") + 1
        file.torn = end < len(data)
        if not end:
            return
        lines = data[:end].split(b"\n")
        lines.pop()
        offsets = list(accumulate((len(line) + 1 for line in lines), initial=file.offset))
        file.offset = offsets[-1]
        if not file.columns:
            header = next(csv.reader([lines[0].decode("utf-8-sig", "replace").rstrip("\r")]), [])
            missing = {"number", "event_id", "action", "annotator"} - set(header)
            if missing:
                file.unusable = True
                reason = f"has no column {', '.join(sorted(missing))} and was left out"
                self.reports.append(Report("damaged-file", file.path.name, reason))
                return
            file.columns = tuple(header)
            del lines[0], offsets[0]
        self._read_rows(file, lines, offsets, into)

    def _read_rows(
        self, file: _File, lines: list[bytes], offsets: list[int], into: list[Entry]
    ) -> None:
        width = len(file.columns)
        places = {name: place for place, name in enumerate(file.columns)}
        number_at = places["number"]
        # A column that the file lacks is read from an empty cell put behind the row.
        pick = itemgetter(*(places.get(name, width) for name in _FIELDS))
        own = file.columns == COLUMNS
        index, make = file.index, Entry._make
        for offset, line in zip(offsets, lines, strict=False):
            text = line.decode("utf-8", "replace")
            # Most rows have no quotation mark before their last columns, which no fold needs.
            row = text.split(",", _HEAD) if own else []
            quote = text.find('"')
            tail = row[_HEAD] if len(row) > _HEAD else ""
            if not tail or 0 <= quote < len(text) - len(tail) or tail.count(",") < _TAIL_COMMAS:
                row = _row(text.rstrip("\r"))
                if len(row) != width:
                    if text:
                        self._damaged(file, offset, line)
                    continue
                row.append("")
            try:
                entry = make((int(row[number_at]), *pick(row), index, offset, len(line)))
            except ValueError:
                self._damaged(file, offset, line)
                continue
            into.append(entry)
            file.last = entry.number

    def _damaged(self, file: _File, offset: int, line: bytes) -> None:
        reason = f"byte {offset}: {line[:60]!r} is no event of this file's columns; it was left out"
        self.reports.append(Report("damaged-row", file.path.name, reason))

    def full(self, entries: Sequence[Entry]) -> list[LabelEvent]:
        """Return whole events for entries, read from their files."""
        found: list[LabelEvent] = []
        handles: dict[int, int] = {}
        try:
            for entry in entries:
                handle = handles.get(entry.file)
                if handle is None:
                    handle = os.open(self._order[entry.file].path, os.O_RDONLY)
                    handles[entry.file] = handle
                os.lseek(handle, entry.offset, os.SEEK_SET)
                line = os.read(handle, entry.length).decode("utf-8", "replace").rstrip("\r")
                cells = next(csv.reader([line]))
                found.append(decode(dict(zip(self._order[entry.file].columns, cells, strict=True))))
        finally:
            for handle in handles.values():
                os.close(handle)
        return found

    def torn(self) -> bool:
        """Return whether a file ended in the middle of a line when it was last read."""
        return any(file.torn for file in self._order)

    def set_torn_tails_aside(self) -> None:
        """Move unterminated last lines to ``torn/`` and report them; call it under the lock.

        Raises:
            SaveError: a tail can't be moved; the file stays as it is.
        """
        for name, size in self._listing():
            file = self._files.get(name)
            if file is None or not file.torn or size <= file.offset:
                continue
            with file.path.open("rb") as source:
                source.seek(file.offset)
                tail = source.read()
            aside = self.folder / "torn" / f"{file.path.stem}-{uuid.uuid4().hex[:8]}.part"
            try:
                write_whole(aside, tail)
                _cut(file.path, file.offset)
            except OSError as error:
                raise SaveError(
                    f"{file.path} ends in half a row that can't be moved aside: "
                    f"{error.strerror or error}. Make the folder writable, then open it again."
                ) from error
            file.torn = False
            reason = f"ended in {len(tail)} bytes of half a row; they were moved to {aside.name}"
            self.reports.append(Report("torn-tail", name, reason))

    def append(self, name: str, row: bytes) -> None:
        """Append one row to a file and return when the disk has it; call it under the lock.

        Args:
            name: the event file; another name is taken where its header is of another version.
            row: one line of CSV, ended by a line feed.

        Raises:
            SaveError: the disk did not take it; the file is as it was.
        """
        path = self.folder / self._own_layout(name)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise _refused(path, error) from error
        try:
            before = os.fstat(handle).st_size
            data = row if before else HEADER + row
            try:
                if self._write(handle, data) != len(data):
                    raise OSError(28, "the disk took only a part of the row")
                os.fsync(handle)
            except OSError as error:
                _take_back(path, before)
                raise _refused(path, error) from error
        finally:
            os.close(handle)
        if not before:
            sync_folder(self.folder)

    def add_file(self, name: str, rows: Sequence[bytes]) -> None:
        """Add a batch of rows as a file of its own, so that all of them are there or none.

        Raises:
            SaveError: the disk did not take it; nothing was kept.
        """
        path = self.folder / name
        try:
            write_whole(path, HEADER + b"".join(rows))
        except OSError as error:
            raise _refused(path, error) from error

    def _own_layout(self, name: str) -> str:
        stem, turn = name.removesuffix(".csv"), 1
        while (file := self._files.get(name)) and (file.unusable or file.columns != COLUMNS):
            if not file.columns and not file.unusable and not file.offset:
                break  # an empty file: the header is written with the first row
            turn += 1
            name = f"{stem}-{turn}.csv"
        return name


@contextmanager
def _unhindered(size: int) -> Iterator[None]:
    # Reading makes millions of objects and no garbage cycles; the collector would walk them all
    # again and again and double the time.
    pause = size > _LARGE and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def _row(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []


def _refused(path: Path, error: OSError) -> SaveError:
    return SaveError(
        f"{path} did not take the event: {error.strerror or error}. Nothing was saved; "
        "free some space or make the folder writable, then save again."
    )


def _cut(path: Path, size: int) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(handle, size)
        os.fsync(handle)
    finally:
        os.close(handle)


def _take_back(path: Path, size: int) -> None:
    # Where even this fails, the half row has no line end and the next opening sets it aside.
    try:
        _cut(path, size)
    except OSError as error:
        raise SaveError(
            f"{path} took only a part of the event and can't be mended now: "
            f"{error.strerror or error}. The event was not saved; free some space and open again."
        ) from error
