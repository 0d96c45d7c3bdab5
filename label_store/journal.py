"""The event files: read what is new, append one row, set a torn tail aside.

Whoever appends holds the lock, so an unterminated last line under the lock was left by a process
that died: it was never acknowledged. What a row is, see ``event_rows``.

A file is rewritten for one reason only, to forget somebody: its next generation,
``events-a~1.csv``, appears whole beside ``events-a.csv``, and from that moment every reader leaves
the older one out.
"""

from __future__ import annotations

import codecs
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from label_store import snapshot
from label_store.clips import sync_folder, write_whole
from label_store.errors import SaveError, StoreError
from label_store.event import COLUMNS, LabelEvent, decode
from label_store.event_rows import (
    HEADER,
    JournalEntry,
    JournalProblem,
    RowReader,
    in_own_columns,
    parse_row,
    unhindered,
)

LOCK_SECONDS: Final = 60.0
RECEIVED: Final = "events-received-"
"""How the names of files begin whose rows came from another machine, so in no order."""

_COURTESY: Final = 0.002
_GENERATION: Final = re.compile(r"(.+?)(?:~(\d+))?\.csv")
_ENTRY: Final[Callable[[tuple[Any, ...]], JournalEntry]] = partial(tuple.__new__, JournalEntry)
"""`JournalEntry._make` without a call of Python for each of a million rows."""

WriteFunction = Callable[[int, bytes], int]


@dataclass(slots=True)
class _File:
    path: Path
    index: int
    offset: int = 0
    columns: tuple[str, ...] = ()
    last: int = 0
    unusable: bool = False
    torn: bool = False
    hashed: Any = None


@dataclass(slots=True)
class News:
    """What was read: new entries in file order, and whether everything was read anew.

    Attributes:
        entries: the new ones.
        restarted: all of them are here once more; what was known before is void.
        snapshot: how many of them come from a snapshot and needed no reading.
    """

    entries: list[JournalEntry] = field(default_factory=list)
    restarted: bool = False
    snapshot: int = 0


class Journal:
    """The event files of one folder, read incrementally and appended to under a lock."""

    def __init__(self, folder: Path, write: WriteFunction = os.write) -> None:
        self.folder = folder
        self.reports: list[JournalProblem] = []
        self._write = write
        self._files: dict[str, _File] = {}
        self._order: list[_File] = []
        self._rows = RowReader()
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

    def read_new(self, *, anew: bool = False) -> News:
        """Read whole lines that were added since the last call, by any process.

        Args:
            anew: read the rows themselves, whatever a snapshot says.
        """
        news = News()
        listing = self._listing()
        if not self._files and listing and not anew:
            self._from_snapshot(news, dict(listing))
        if self._files and not self._files.keys() <= dict(listing).keys():
            return self._read_all()  # a file was rewritten, or taken away by hand
        for name, size in listing:
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
                try:
                    with unhindered(size - file.offset):
                        self._read_file(file, news.entries)
                except FileNotFoundError:
                    return self._read_all()  # its next generation came between list and look
                # A row that a failed save took back may have been read: its number comes again.
                ordered = not name.startswith(RECEIVED)
                again = len(news.entries) > first and news.entries[first].number <= last
                if last and ordered and again:
                    return self._read_all()
        return news

    def _read_all(self) -> News:
        self._files.clear()
        self._order.clear()
        self.reports = [report for report in self.reports if report.kind == "torn-tail"]
        news = self.read_new(anew=True)
        news.restarted = True
        return news

    def _from_snapshot(self, news: News, sizes: dict[str, int]) -> None:
        """Begin with what an earlier opening read, where the files still hold just that."""
        with unhindered(sum(sizes.values())):
            found = snapshot.read(self.folder / snapshot.NAME)
            if found is None or not all(
                one.name in sizes and snapshot.fits(self.folder, one) for one in found.files
            ):
                return
            for index, one in enumerate(found.files):
                file = _File(self.folder / one.name, index, one.offset, one.columns, one.last)
                file.unusable = one.unusable
                file.torn = sizes[one.name] > one.offset and not one.unusable
                self._files[one.name] = file
                self._order.append(file)
            self.reports += [JournalProblem(*one) for one in found.reports]
            news.entries.extend(map(_ENTRY, zip(*found.columns, strict=True)))
            news.snapshot = len(news.entries)

    def keep_snapshot(self, entries: list[JournalEntry]) -> bool:
        """Write down what was read for the next opening; return whether the disk took it.

        Args:
            entries: all entries, in order.
        """
        try:
            marks = [
                snapshot.FileMark(
                    file.path.name,
                    file.offset,
                    file.columns,
                    file.last,
                    file.unusable,
                    snapshot.identity(file.path),
                    file.hashed.hexdigest()  # of what was read, whatever the file is by now
                    if file.hashed is not None
                    else snapshot.digest(file.path, file.offset),
                )
                for file in self._order
            ]
            # A row that came while this was read is behind the offset; then the file counts as
            # touched, and its hash decides.
            for mark in marks:
                if mark.identity[0] != mark.offset:
                    mark.identity = (-1, -1, -1)
            reports = [(one.kind, one.file, one.reason) for one in self.reports]
            with unhindered():
                snapshot.write(self.folder / snapshot.NAME, marks, reports, entries)
        except OSError:
            return False  # it only saves time
        return True

    def _listing(self) -> list[tuple[str, int]]:
        try:
            with os.scandir(self.folder) as found:
                names = [
                    entry
                    for entry in found
                    if entry.name.startswith("events-") and entry.name.endswith(".csv")
                ]
                if any("~" in entry.name for entry in names):
                    names = _newest(names)
                return sorted((entry.name, entry.stat().st_size) for entry in names)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(
                f"{self.folder} can't be read: {error.strerror or error}. Make it a folder that "
                "this user may read."
            ) from error

    def _read_file(self, file: _File, into: list[JournalEntry]) -> None:
        with file.path.open("rb") as source:
            source.seek(file.offset)
            data = source.read()
        end = data.rfind(b"\n") + 1
        file.torn = end < len(data)
        if not end:
            return
        if not file.offset:
            file.hashed = snapshot.new_hash()
        if file.hashed is not None:
            file.hashed.update(memoryview(data)[:end])
        lines = data[:end].split(b"\n")
        lines.pop()
        offsets = list(accumulate((len(line) + 1 for line in lines), initial=file.offset))
        file.offset = offsets[-1]
        if not file.columns:
            header = parse_row(lines[0].removeprefix(codecs.BOM_UTF8))
            missing = {"number", "event_id", "action", "annotator"} - set(header)
            if missing:
                file.unusable = True
                reason = f"has no column {', '.join(sorted(missing))} and was left out"
                self.reports.append(JournalProblem("damaged-file", file.path.name, reason))
                return
            file.columns = tuple(header)
            del lines[0], offsets[0]
        entries, problems = self._rows.read(
            lines, offsets, file.columns, name=file.path.name, index=file.index
        )
        self.reports += problems
        if entries:
            file.last = entries[-1].number
            into += entries

    def full(self, entries: Sequence[JournalEntry]) -> list[LabelEvent]:
        """Return whole events for entries, read from their files.

        Raises:
            StaleError: a file was rewritten since an entry was read; read anew, then ask again.
        """
        found: list[LabelEvent] = []
        handles: dict[int, int] = {}
        try:
            for entry in entries:
                handle = handles.get(entry.file)
                if handle is None:
                    handle = os.open(self._order[entry.file].path, os.O_RDONLY)
                    handles[entry.file] = handle
                os.lseek(handle, entry.offset, os.SEEK_SET)
                cells = parse_row(os.read(handle, entry.length))
                columns = self._order[entry.file].columns
                event = decode(dict(zip(columns, cells, strict=True)))
                if event.event_id != entry.event_id:
                    raise StaleError(entry.event_id)
                found.append(event)
        except (FileNotFoundError, IndexError, ValueError) as error:
            raise StaleError(str(error)) from error
        finally:
            for handle in handles.values():
                os.close(handle)
        return found

    def whole_files(self) -> list[tuple[Path, int]]:
        """Return each event file and how many bytes of whole lines it has; call it under the lock.

        Files that hold no events (damaged ones) are left out.
        """
        return [
            (file.path, file.offset)
            for _, file in sorted(self._files.items())
            if file.columns and not file.unusable
        ]

    def rewrite(self, change: Callable[[bytes, tuple[str, ...]], bytes]) -> int:
        """Give each file in which a row changes a new generation; call it under the lock.

        Killed at any moment, each file is as it was or as it shall be.

        Args:
            change: (a row without its line end, the file's columns) -> the row that takes its
                place, in COLUMNS where it differs.

        Returns:
            How many rows changed.

        Raises:
            SaveError: the disk did not take a file; the ones before it are rewritten.
        """
        changed = 0
        # It holds what is to be forgotten.
        (self.folder / snapshot.NAME).unlink(missing_ok=True)
        for path, size in self.whole_files():
            columns = self._files[path.name].columns
            with path.open("rb") as source:
                header, *rows = source.read(size).split(b"\n")[:-1]
            fresh = [change(row, columns) for row in rows]
            differing = sum(one != row for one, row in zip(fresh, rows, strict=True))
            if not differing:
                continue
            if columns != COLUMNS:
                header = HEADER.rstrip(b"\n")
                fresh = [
                    in_own_columns(row, columns) if one == row else one
                    for one, row in zip(fresh, rows, strict=True)
                ]
            stem, generation = generation_of(path.name)
            target = path.with_name(f"{stem}~{generation + 1}.csv")
            try:
                write_whole(target, b"\n".join([header, *fresh, b""]))
            except OSError as error:
                raise _refused(target, error) from error
            changed += differing
        self.remove_superseded()
        return changed

    def remove_superseded(self) -> None:
        """Remove older generations of rewritten files, also those that a killed process left.

        Raises:
            SaveError: one can't be removed.
        """
        kept = {name for name, _ in self._listing()}
        for path in self.folder.glob("events-*.csv"):
            if path.name not in kept:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise _refused(path, error) from error
        sync_folder(self.folder)

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
            self.reports.append(JournalProblem("torn-tail", name, reason))

    def append(self, name: str, row: bytes) -> str:
        """Append rows to a file and return when the disk has them; call it under the lock.

        Args:
            name: the event file; another name is taken where its header is of another version.
            row: one line of CSV or more, each ended by a line feed.

        Returns:
            The name of the file that took them.

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
        return path.name

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
        newest = {generation_of(known)[0]: known for known in self._files}
        stem, turn = name.removesuffix(".csv"), 1
        name = newest.get(stem, name)
        while (file := self._files.get(name)) and (file.unusable or file.columns != COLUMNS):
            if not file.columns and not file.unusable and not file.offset:
                break  # an empty file: the header is written with the first row
            turn += 1
            name = newest.get(f"{stem}-{turn}", f"{stem}-{turn}.csv")
        return name


class StaleError(Exception):
    """An entry that no longer says where its event stands, because its file was rewritten."""


def generation_of(name: str) -> tuple[str, int]:
    """Return an event file's name without generation and ending, and its generation.

    >>> generation_of("events-2026-01-01-w.csv"), generation_of("events-a~2.csv")
    (('events-2026-01-01-w', 0), ('events-a', 2))
    """
    found = _GENERATION.fullmatch(name)
    return (found[1], int(found[2] or 0)) if found else (name, 0)


def _newest(found: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    best: dict[str, tuple[int, os.DirEntry[str]]] = {}
    for entry in found:
        stem, generation = generation_of(entry.name)
        if stem not in best or best[stem][0] < generation:
            best[stem] = (generation, entry)
    return [entry for _, entry in best.values()]


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
