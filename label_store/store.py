"""The label store: clips' bytes and an append-only journal of what annotators did."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from label_store import snapshot
from label_store.clips import ClipFolder
from label_store.errors import ConflictError, EventError, NothingToUndoError, SaveError
from label_store.event import LabelEvent, Saved, check, encode
from label_store.event_rows import ROW_BYTES, JournalEntry, JournalProblem, unhindered
from label_store.fold import ClipView, State
from label_store.journal import RECEIVED, Journal, StaleError, WriteFunction

_WRITER = re.compile(r"[A-Za-z0-9_-]{1,40}")
Until = int | str | datetime | None
"""A moment: an event number, or a UTC time (ISO 8601 text or a datetime); None is now."""


class _Any:
    """Says that a save does not look at what others did meanwhile."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = _Any()


class LabelStore:
    """Clips and label events under one folder, safe for several threads and processes.

    Args:
        home: the folder (``SER_HOME``); it is made at the first save.
        clock: seconds since 1970 (UTC), for the events' times; their order does not depend on it.
        writer: letters, digits, ``-`` and ``_`` that name the event files of this writer; None =
            one random name an installation.
        write: what puts bytes on disk (``os.write``); tests give one that fails.
        snapshot_rows: rows beyond the last snapshot that make a new one worth its writing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = LabelStore(Path(folder))
    ...     clip = store.keep_clip(b"RIFF...", ".wav")
    ...     saved = store.append(LabelEvent(action="label", annotator="ada", clip=clip,
    ...                                     file_name="a.wav", emotion="joy"))
    ...     saved.number, store.clip(clip).whole()
    (1, {'ada': 'joy'})
    """

    def __init__(
        self,
        home: Path,
        *,
        clock: Callable[[], float] = time.time,
        writer: str | None = None,
        write: WriteFunction = os.write,
        snapshot_rows: int = snapshot.WORTH_IT,
    ) -> None:
        if writer is not None and not _WRITER.fullmatch(writer):
            raise EventError(f"“{writer[:50]}” can't name a writer: use letters, digits, - and _.")
        self.home = Path(home)
        self.folder = self.home / "labels"
        self.clips = ClipFolder(self.home / "clips")
        self._clock = clock
        self._writer = writer
        self._snapshot_rows = snapshot_rows
        self._journal = Journal(self.folder, write)
        self._state = State()
        self._mutex = threading.RLock()
        self.refresh()
        if self._journal.torn():
            self._mend()

    def _mend(self) -> None:
        try:
            with self.exclusive():
                pass
        except SaveError as error:  # a read-only folder can still be read
            self._journal.reports.append(JournalProblem("torn-tail", self.folder.name, str(error)))

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the store alone, across threads and processes; what others saved is folded in.

        Raises:
            SaveError: the folder can't be written, or another process holds it for long.
        """
        with self._mutex, self._journal.locked():
            self.refresh()
            if self._journal.torn():
                self._journal.set_torn_tails_aside()
            yield

    # ------------------------------------------------------------------ clips

    def keep_clip(self, data: bytes, suffix: str) -> str:
        """Keep a clip's bytes and return their SHA-256; see `ClipFolder.keep`."""
        return self.clips.keep(data, suffix)

    def clip_path(self, clip: str) -> Path | None:
        """Return where a clip's bytes are, or None where the store does not have them."""
        return self.clips.path(clip)

    # ------------------------------------------------------------------ writing

    def append(self, event: LabelEvent, *, expect: str | _Any | None = ANY) -> Saved:
        """Save one event and return once the disk has it.

        Args:
            event: what happened; its id, time, number and writer are given here, and ``previous``
                where it is empty.
            expect: compare-and-set: the id of the clip's event that the annotator
                saw, None = the clip had none; ANY = do not compare. Skips and suggestions
                of others do not conflict.

        Raises:
            EventError: the event can't be stored as it is.
            ConflictError: the clip was changed after ``expect``; nothing was saved.
            SaveError: the disk did not take it; nothing was saved.
        """
        check(event)
        with self.exclusive():
            if not isinstance(expect, _Any):
                self._compare(event.key, expect)
            number = self._next_number()
            stamped = self._stamp(event, number, self._state.clip(event.key).head)
            self._journal.append(self._file_name(), encode(stamped))
            self.refresh()
        return Saved(number, stamped.event_id, stamped)

    def append_many(
        self,
        events: Sequence[LabelEvent],
        *,
        label: str = "batch",
        expect: Mapping[str, str | None] | None = None,
    ) -> list[Saved]:
        """Save a batch so that all of it is there or nothing, even after a power cut.

        Args:
            events: what happened, in order; as for `append`.
            label: letters that name the batch's own event file.
            expect: clip key -> id of the clip's latest change that the annotator
                saw; None = do not compare.

        Raises:
            ConflictError: one of these clips was changed since; nothing was saved.
            EventError: one of them can't be stored; nothing was saved.
            SaveError: the disk did not take them; nothing was saved.
        """
        if not _WRITER.fullmatch(label):
            raise EventError(f"“{label[:50]}” can't name a batch: use letters, digits, - and _.")
        for event in events:
            check(event)
        if not events:
            return []
        with self.exclusive():
            for key, seen in (expect or {}).items():
                self._compare(key, seen)
            first = self._next_number()
            heads: dict[str, str] = {}
            stamped = []
            for place, event in enumerate(events):
                head = heads.get(event.key) or self._state.clip(event.key).head
                stamped.append(self._stamp(event, first + place, head))
                if event.action not in {"skip", "suggest"}:
                    heads[event.key] = stamped[-1].event_id
            name = self._file_name().removesuffix(".csv")
            name = f"{name}-{label}-{uuid.uuid4().hex[:8]}.csv"
            self._journal.add_file(name, [encode(event) for event in stamped])
            self.refresh()
        return [Saved(event.number, event.event_id, event) for event in stamped]

    def undo(
        self,
        annotator: str,
        session: str | None = None,
        *,
        clip: str | None = None,
        actions: Collection[str] | None = None,
        spare: Collection[str] = (),
        undo_session: str | None = None,
    ) -> Saved:
        """Take back an annotator's latest event that still stands, by one more event.

        Args:
            annotator: whose event.
            session: only of this session; None = any.
            clip: only of this clip (its key); None = any.
            actions: only of these kinds; None = any.
            spare: not of these sessions, for instance because they are still going on elsewhere.
            undo_session: in which session it is taken back; None = the event's own.

        Raises:
            NothingToUndoError: there is none.
            SaveError: the disk did not take it.
        """
        with self.exclusive():
            last = self._state.last(
                lambda entry: (
                    entry.annotator == annotator
                    and (session is None or entry.session == session)
                    and (clip is None or entry.clip == clip)
                    and (actions is None or entry.action in actions)
                    and entry.session not in spare
                )
            )
            if last is None:
                raise NothingToUndoError(f"{annotator} has nothing left to undo here.")
            return self.append(
                LabelEvent(
                    action="undo",
                    annotator=annotator,
                    session=last.session if undo_session is None else undo_session,
                    clip=last.clip,
                    file_name=last.file_name,
                    corpus=last.corpus,
                    target=last.event_id,
                )
            )

    def withdraw(
        self,
        annotator: str,
        clip: str,
        start: float,
        end: float,
        *,
        session: str = "",
        reason: str = "",
    ) -> list[Saved]:
        """Take back what an annotator said of one segment of a clip, whenever that was.

        Args:
            annotator: whose labels.
            clip: the clip's key.
            start, end: seconds, as they were saved.
            session: the session in which it happens.
            reason: why; "" = not said.

        Raises:
            NothingToUndoError: no label of theirs stands there.
            SaveError: the disk did not take it.
        """
        span = (repr(float(start)), repr(float(end)))
        with self.exclusive():
            standing = [
                entry
                for entry in self._state.of(clip)
                if entry.action == "label"
                and entry.annotator == annotator
                and (entry.start, entry.end) == span
                and entry.event_id not in self._state.undone
            ]
            if not standing:
                raise NothingToUndoError(
                    f"{annotator} has no label from {start:.2f} to {end:.2f} s of this clip."
                )
            return [
                self.append(
                    LabelEvent(
                        action="undo",
                        annotator=annotator,
                        session=session,
                        clip=entry.clip,
                        file_name=entry.file_name,
                        corpus=entry.corpus,
                        target=entry.event_id,
                        reason=reason,
                    )
                )
                for entry in reversed(standing)
            ]

    def rename(
        self,
        clip: str,
        new_name: str,
        annotator: str,
        *,
        session: str = "",
        expect: str | _Any | None = ANY,
        corpus: str = "",
        former_name: str = "",
    ) -> Saved:
        """Give a clip another file name, everywhere from now on; the bytes stay where they are.

        Args:
            clip: the clip's hash, or "" for a row whose file is missing (then ``corpus`` and
                ``former_name`` say which).
            new_name: the new name, relative.
            annotator, session: who, in which session.
            expect: as for `append`.
            corpus, former_name: taken from the store where empty.
        """
        known = self.clip(clip) if clip else None
        return self.append(
            LabelEvent(
                action="rename",
                annotator=annotator,
                session=session,
                clip=clip,
                file_name=new_name,
                former_name=former_name or (known.file_name if known else ""),
                corpus=corpus or (known.corpus if known else ""),
            ),
            expect=expect,
        )

    def _compare(self, key: str, expect: str | None) -> None:
        other = self._state.changed_since(key, expect)
        if other is None:
            return
        event = self._full([other])[0]
        what = f"{event.action} {event.emotion or event.file_name}".strip()
        raise ConflictError(
            f"{event.annotator} changed {event.file_name or key[:12]} meanwhile ({what}, "
            f"{event.time}). Nothing was saved; look at it again, then decide.",
            event.event_id,
        )

    def _stamp(self, event: LabelEvent, number: int, head: str | None) -> LabelEvent:
        return replace(
            event,
            number=number,
            event_id=uuid.uuid4().hex,
            time=self.now(),
            writer=self.writer,
            previous=event.previous or head or "",
        )

    def _next_number(self) -> int:
        entries = self._state.entries
        return entries[-1].number + 1 if entries else 1

    def now(self) -> str:
        """Return the time by the store's clock as events are stamped with it: UTC, ISO 8601."""
        return self._moment().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _file_name(self) -> str:
        return f"events-{self._moment():%Y-%m-%d}-{self.writer}.csv"

    @property
    def writer(self) -> str:
        """The name in this writer's event files; made once an installation unless it was given."""
        if self._writer is None:
            path = self.folder / "installation.txt"
            with self._mutex, self._journal.locked():
                try:
                    if not path.is_file():
                        path.write_text(uuid.uuid4().hex[:8], encoding="ascii")
                    name = path.read_text(encoding="ascii").strip()
                except OSError as error:
                    raise SaveError(
                        f"{path} can't be written: {error.strerror or error}. Nothing was saved; "
                        "make the folder writable or free some space, then save again."
                    ) from error
            self._writer = name if _WRITER.fullmatch(name) else uuid.uuid4().hex[:8]
        return self._writer

    def check_writable(self) -> None:
        """Say whether an event could be saved now.

        Raises:
            SaveError: the disk is full or the folder can't be written; the message says which.
        """
        path = self.folder / f".{uuid.uuid4().hex}.part"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"1")
            path.unlink()
        except OSError as error:
            raise SaveError(
                f"{self.folder} can't be written: {error.strerror or error}. No label can be saved "
                "until there is space or the folder is writable."
            ) from error

    # ------------------------------------------------------------------ reading

    def refresh(self) -> int:
        """Fold in what other processes saved meanwhile; return how many events are new."""
        with self._mutex:
            before = len(self._state)
            news = self._journal.read_new()
            if news.restarted:
                self._state = State()
                before = 0
            with unhindered(len(news.entries) * ROW_BYTES):
                self._state.add(news.entries)
            if len(news.entries) - news.snapshot >= self._snapshot_rows:
                self._journal.keep_snapshot(self._state.entries)
            return len(self._state) - before

    def state(self, until: Until = None) -> State:
        """Return what stands, now or as it stood at a moment.

        Args:
            until: an event number (that event included), or a time: events stamped later are
                left out. None = now; the returned state then grows with the store.
        """
        with self._mutex:
            self.refresh()
            if until is None:
                return self._state
            past = State()
            past.add([entry for entry in self._state.entries if _by(entry, until)])
            return past

    def clip(self, key: str) -> ClipView:
        """Return a clip as it stands; ``key`` is its hash."""
        with self._mutex:
            return self.state().clip(key)

    def events(self, clip: str | None = None, until: Until = None) -> list[LabelEvent]:
        """Return whole events in order.

        Args:
            clip: only of this clip (its key); None = of all.
            until: as for `state`.
        """
        with self._mutex:
            self.refresh()
            found: Sequence[JournalEntry]
            found = self._state.entries if clip is None else self._state.of(clip)
            return self._full([entry for entry in found if _by(entry, until)])

    def history(self, clip: str) -> list[LabelEvent]:
        """Return all that happened to a clip, in order, undone events included."""
        return self.events(clip)

    def whole(self, entries: Sequence[JournalEntry]) -> list[LabelEvent]:
        """Return the whole events of entries that a `State` of this store holds."""
        with self._mutex:
            return self._full(entries)

    def _full(self, entries: Sequence[JournalEntry]) -> list[LabelEvent]:
        try:
            return self._journal.full(entries)
        except StaleError:
            # Somebody was forgotten meanwhile and files were rewritten: the ids still hold.
            self.refresh()
            now = [
                self._state.by_id[one.event_id] for one in entries if one[1] in self._state.by_id
            ]
        try:
            return self._journal.full(now)
        except StaleError as error:
            raise EventError(f"An event in {self.folder} can't be read: {error}.") from error

    def event_files(self) -> list[tuple[Path, int]]:
        """Return each event file and how many bytes of whole rows it has; inside `exclusive`."""
        with self._mutex:
            return self._journal.whole_files()

    def receive(self, rows: Sequence[bytes], origin: str) -> str:
        """Take rows that another store wrote, in any order; return the name of their file.

        Args:
            rows: whole rows in COLUMNS, each ended by a line feed, of events that are new here.
            origin: letters, digits and ``-`` that stand for where they came from.

        Raises:
            SaveError: the disk did not take them; none were kept.
        """
        with self.exclusive():
            name = self._journal.append(f"{RECEIVED}{origin}.csv", b"".join(rows))
            self.refresh()
        return name

    def rewrite(self, change: Callable[[bytes, tuple[str, ...]], bytes]) -> int:
        """Change rows for good, which only forgetting may do; see `Journal.rewrite`."""
        with self.exclusive():
            changed = self._journal.rewrite(change)
            self.refresh()
        return changed

    def head(self, clip: str) -> str | None:
        """Return the id of the latest event that changed a clip, for ``expect``; None = none."""
        return self.clip(clip).head

    @property
    def revision(self) -> int:
        """Number of the latest event; 0 in an empty store."""
        with self._mutex:
            return self._next_number() - 1

    @property
    def reports(self) -> tuple[JournalProblem, ...]:
        """What was found wrong in the event files, and what was done about it."""
        return tuple(self._journal.reports)


def _by(entry: JournalEntry, until: Until) -> bool:
    if until is None:
        return True
    if isinstance(until, int):
        return entry.number <= until
    return _moment(entry.time) <= _moment(until)


def _moment(time_: str | datetime) -> datetime:
    if isinstance(time_, str):
        try:
            time_ = datetime.fromisoformat(time_)
        except ValueError:
            raise EventError(
                f"“{time_!s:.40}” is not a time; expected one like 2026-01-31T12:00:00Z."
            ) from None
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)
