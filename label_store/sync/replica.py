"""One store's side of a place: what is new there comes in, what is new here goes out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from label_store import forget
from label_store.errors import SaveError, SyncError
from label_store.event import COLUMNS, LabelEvent, decode
from label_store.event_rows import parse_row
from label_store.journal import generation_of
from label_store.store import LabelStore
from label_store.sync import shards
from label_store.sync.note import Note, note_path, origin, read_note, write_note
from label_store.sync.place import Content, Place

MANY_SHARDS = 200
"""So many small shards at a place are merged into one."""

_CLIPS_AT_ONCE = 50
_SHARDS_AT_ONCE = 500


@dataclass(slots=True)
class Moved:
    """What a round did.

    Attributes:
        received, sent: events that were new here, and that were new there.
        clips_received, clips_sent: recordings' bytes, likewise.
        forgotten: rows at the place, and recordings there, that tombstones asked to go.
        damaged: names of objects whose bytes are not what their name says; they were left out.
    """

    received: int = 0
    sent: int = 0
    clips_received: int = 0
    clips_sent: int = 0
    forgotten: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is saved here and not yet at the place.

    Attributes:
        events: how many.
        first: number of the first of them, or None.
    """

    events: int = 0
    first: int | None = None


@dataclass(slots=True)
class _Unsent:
    file: str
    lines: int
    offset: int
    rows: list[bytes]


class Replica:
    """Keeps a store and a place in step; safe with other processes on the same store.

    Args:
        store: the store.
        place: where its labels are kept.
        clips: bring the recordings' bytes too; voices are personal data, so only when asked.
    """

    def __init__(self, store: LabelStore, place: Place, *, clips: bool = False) -> None:
        self.store = store
        self.place = place
        self._clips = clips
        self._clips_there: set[str] = set()
        self._positions: dict[str, tuple[int, int]] = {}
        path = note_path(store.folder, place.name)
        self._lock = FileLock(path.with_suffix(".lock"), thread_local=False, is_singleton=False)

    def round(self, *, wait: float = 60.0) -> Moved:
        """Fold in what is new at the place, carry out tombstones, and send what is new here.

        Args:
            wait: seconds to wait for another process that keeps the same two in step.

        Raises:
            SyncError: the place can't be reached; what was done is done, and nothing is lost.
            SaveError: the store's disk did not take something.
        """
        moved = Moved()
        with self._alone(wait) as note:
            names = set(self.place.names())
            self._clips_there = {clip[0] for name in names if (clip := shards.clip_of(name))}
            self._look_for_losses(note, names)
            self._receive(note, names, moved)
            self._send(note, moved)
            self._carry_out_tombstones(note, names, moved)
            if self._clips:
                self._bring_clips(names, moved)
            self._merge(note, names, moved)
        return moved

    def send(self, *, wait: float = 60.0) -> Moved:
        """Send what is new here; arguments and errors as for `round`."""
        moved = Moved()
        with self._alone(wait) as note:
            self._send(note, moved)
        return moved

    def waiting(self) -> Waiting:
        """Return what is saved here and not yet at the place."""
        note = read_note(self.store.folder, self.place.name)
        self.store.refresh()
        try:
            unsent = self._unsent(note)
        except FileNotFoundError:  # somebody was forgotten just now: the files have other names
            self.store.refresh()
            unsent = self._unsent(note)
        if not unsent:
            return Waiting()
        first = min(shards.number_of(row) for part in unsent for row in part.rows)
        return Waiting(sum(len(part.rows) for part in unsent), first)

    @contextmanager
    def _alone(self, wait: float) -> Iterator[Note]:
        folder = note_path(self.store.folder, self.place.name).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=wait, poll_interval=0.05)
        except Timeout:
            raise SyncError(
                f"Another process is exchanging with {self.place.name}; this one tries later."
            ) from None
        except OSError as error:
            raise SaveError(f"{folder} can't be written: {error.strerror or error}.") from error
        try:
            yield read_note(self.store.folder, self.place.name)
        finally:
            self._lock.release()

    def _remember(self, note: Note) -> None:
        write_note(self.store.folder, self.place.name, note)

    # ------------------------------------------------------------------ in

    def _look_for_losses(self, note: Note, names: set[str]) -> None:
        """Send everything again where the place has lost shards that nothing replaced."""
        lost = note.shards - names
        if not lost:
            return
        records = [name for name in names if shards.is_record(name)]
        replaced: set[str] = set()
        for name, data in self.place.read(records):
            if shards.is_whole(name, data):
                replaced |= shards.read_record(data)
        note.shards -= lost
        if lost - replaced:
            note.lines.clear()
        self._remember(note)

    def _receive(self, note: Note, names: set[str], moved: Moved) -> None:
        records = sorted(name for name in names - note.shards if shards.is_record(name))
        for name, data in self.place.read(records):
            if not shards.is_whole(name, data):
                moved.damaged.append(name)
                continue
            # Whoever replaced them may have died before they were removed.
            left = shards.read_record(data) & names
            if left:
                self.place.remove(left)
                names -= left
            note.shards.add(name)
        fresh = iter(sorted(name for name in names - note.shards if shards.is_shard(name)))
        while part := list(islice(fresh, _SHARDS_AT_ONCE)):
            rows: list[bytes] = []
            known: list[str] = []
            for name, data in self.place.read(part):
                if shards.is_whole(name, data):
                    rows += shards.rows_of(data)
                    known.append(name)
                else:
                    moved.damaged.append(name)
            moved.received += self._fold_in(note, rows)
            note.shards.update(known)
            self._remember(note)

    def _fold_in(self, note: Note, rows: Iterable[bytes]) -> int:
        with self.store.exclusive():
            known = self.store.state().by_id
            fresh = {}
            for row in rows:
                event_id = shards.id_of(row)
                if event_id and event_id not in known:
                    fresh[event_id] = row
            if not fresh:
                return 0
            stones = forget.stored_tombstones(self.store)
            stones += forget.tombstones(
                _event(row) for row in fresh.values() if b",forget," in row and _is_forget(row)
            )
            scrubber = forget.Scrubber(stones)
            kept = [scrubber.row(row, COLUMNS) if scrubber else row for row in fresh.values()]
            file = f"events-received-{origin(self.place.name)}"
            before = self._lines_of(file)
            name = self.store.receive([row + b"\n" for row in kept], origin(self.place.name))
            stem = generation_of(name)[0]
            # They came from there and need not go back, unless rows before them still have to go.
            if note.lines.get(stem, 0) == (before if stem == file else 0):
                note.lines[stem] = note.lines.get(stem, 0) + len(kept)
            return len(kept)

    def _lines_of(self, stem: str) -> int:
        for path, size in self.store.event_files():
            if generation_of(path.name)[0] == stem:
                with path.open("rb") as source:
                    return source.read(size).count(b"\n") - 1
        return 0

    # ------------------------------------------------------------------ out

    def _unsent(self, note: Note) -> list[_Unsent]:
        found = []
        for path, size in self.store.event_files():
            stem = generation_of(path.name)[0]
            sent = note.lines.get(stem, 0)
            lines, offset = self._positions.get(path.name, (-1, 0))
            if offset == size and lines == sent:
                continue
            with path.open("rb") as source:
                if lines != sent:
                    header = source.readline()
                    offset = len(header) + sum(len(row) for row in islice(source, sent))
                    self._positions[path.name] = (sent, offset)
                    columns = header
                else:
                    columns = source.readline()
                source.seek(offset)
                data = source.read(max(size - offset, 0))
            rows = shards.rows_of(columns + data) if data else []
            if rows:
                lines = sent + data.count(b"\n")
                found.append(_Unsent(path.name, lines, offset + len(data), rows))
        return found

    def _send(self, note: Note, moved: Moved) -> None:
        with self.store.exclusive():
            writer = self.store.writer
            unsent = self._unsent(note)
        rows = [row for part in unsent for row in part.rows]
        if not rows:
            return
        if self._clips:
            self._send_clips_of(rows, moved)
        objects: dict[str, Content] = dict(shards.shards(rows, writer))
        self.place.write(objects)
        note.shards.update(objects)
        if {stone.event_id for stone in forget.stored_tombstones(self.store)} == note.forgotten:
            note.checked.update(objects)
        for part in unsent:
            note.lines[generation_of(part.file)[0]] = part.lines
            self._positions[part.file] = (part.lines, part.offset)
        self._remember(note)
        moved.sent += len(rows)

    # ------------------------------------------------------------------ clips

    def _send_clips_of(self, rows: Iterable[bytes], moved: Moved) -> None:
        unsent = {shards.cell(row, "clip") for row in rows} - self._clips_there - {""}
        paths = {clip: self.store.clip_path(clip) for clip in sorted(unsent)}
        self._put_clips({clip: path for clip, path in paths.items() if path}, moved)

    def _put_clips(self, paths: dict[str, Path], moved: Moved) -> None:
        clips = iter(paths.items())
        while part := list(islice(clips, _CLIPS_AT_ONCE)):
            self.place.write({f"clips/{clip[:2]}/{path.name}": path for clip, path in part})
            self._clips_there.update(clip for clip, _ in part)
            moved.clips_sent += len(part)

    def _bring_clips(self, names: Collection[str], moved: Moved) -> None:
        there = {clip[0]: name for name in names if (clip := shards.clip_of(name))}
        state, here = self.store.state(), self.store.clips.paths()
        forgotten = forget.forgotten_clips(state, forget.stored_tombstones(self.store))
        missing = {
            clip: path
            for clip, path in here.items()
            if clip not in self._clips_there and clip not in forgotten and clip in state
        }
        self._put_clips(missing, moved)
        arriving = iter(sorted(there.keys() - here.keys() - forgotten))
        while part := list(islice(arriving, _CLIPS_AT_ONCE)):
            for name, data in self.place.read([there[clip] for clip in part]):
                digest = hashlib.sha256(data).hexdigest()
                if there.get(digest) == name:
                    self.store.keep_clip(data, Path(name).suffix)
                    moved.clips_received += 1
                else:
                    moved.damaged.append(name)

    # ------------------------------------------------------------------ forgetting and merging

    def _carry_out_tombstones(self, note: Note, names: set[str], moved: Moved) -> None:
        stones = forget.stored_tombstones(self.store)
        if not stones:
            return
        forgotten = forget.forgotten_clips(self.store.state(), stones)
        clips = [
            name for name in names if (found := shards.clip_of(name)) and found[0] in forgotten
        ]
        if clips:
            self.place.remove(clips)
            names.difference_update(clips)
            moved.forgotten += len(clips)
        asked = {stone.event_id for stone in stones}
        scrubber = forget.Scrubber(stones)
        if asked - note.forgotten:
            forget.apply(self.store)
            note.checked.clear()
        unchecked = sorted(
            name for name in (names | note.shards) - note.checked if shards.is_shard(name)
        )
        for name, data in self.place.read(unchecked):
            if not shards.is_whole(name, data):
                continue
            rows = shards.rows_of(data)
            kept = [scrubber.row(row, COLUMNS) for row in rows]
            changed = sum(one != other for one, other in zip(rows, kept, strict=True))
            if changed:
                self._replace(note, names, {name}, kept, "shard")
                moved.forgotten += changed
            note.checked.add(name)
        note.checked &= note.shards
        if clips or moved.forgotten or asked - note.forgotten:
            self.place.erase_history()
        note.forgotten = asked
        self._remember(note)

    def _merge(self, note: Note, names: set[str], moved: Moved) -> None:
        """Make one shard of many small ones; a place with thousands would be slow to read."""
        known = [name for name in note.shards & names if shards.is_shard(name)]
        small = [name for name in known if not shards.is_merged(name)]
        merged = [name for name in known if shards.is_merged(name)]
        for group in (small, merged):
            if len(group) >= MANY_SHARDS:
                rows: dict[str, bytes] = {}
                whole = set()
                for name, data in self.place.read(group):
                    if shards.is_whole(name, data):
                        whole.add(name)
                        rows |= {shards.id_of(row): row for row in shards.rows_of(data)}
                self._replace(note, names, whole, list(rows.values()), "merged")

    def _replace(
        self, note: Note, names: set[str], old: set[str], rows: list[bytes], kind: shards.Kind
    ) -> None:
        rows.sort(key=shards.number_of)
        fresh = dict(shards.shards(rows, self.store.writer, kind))
        gone = old - fresh.keys()
        name, data = shards.record(gone)
        self.place.write({**fresh, name: data})
        # Remembered before they go, so that what is missing then is not taken for a loss.
        note.shards |= {*fresh, name}
        note.shards -= gone
        self._remember(note)
        self.place.remove(gone)
        names -= gone
        names |= {*fresh, name}


def _event(row: bytes) -> LabelEvent:
    return decode(dict(zip(COLUMNS, parse_row(row), strict=True)))


def _is_forget(row: bytes) -> bool:
    cells = parse_row(row)
    return len(cells) == len(COLUMNS) and cells[COLUMNS.index("action")] == "forget"
