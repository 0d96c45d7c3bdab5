"""Forgetting a person or a recording: the one reason for which rows of events are written anew.

A ``forget`` event (a tombstone) says what is to be forgotten, without saying it: of an annotator it
keeps a salted hash. Wherever it arrives, the rows it is about lose their personal fields and clips
lose their bytes, also rows that another machine brings later. What remains is the aggregate: which
emotion a clip was given, by how many, under a name that says nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from label_store.annotators import FILE as ANNOTATORS
from label_store.annotators import read_annotator_settings, write_annotator_settings
from label_store.clips import sync_folder
from label_store.errors import SaveError, StoreError
from label_store.event import LabelEvent, decode, encode_unchecked
from label_store.event_rows import parse_row
from label_store.fold import State
from label_store.leases import Leases
from label_store.store import LabelStore
from label_store.voices import KeptVoices

WRITER: Final = "label-store"
"""Who stands as the annotator of a ``forget`` event."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What a ``forget`` event asks for.

    Attributes:
        event_id: the event's id.
        until: UTC, ISO 8601: events stamped later are not meant.
        clip: SHA-256 of the recording to forget, or "".
        salt, digest: hexadecimal; `digest_of` of the annotator to forget, or "".
        pseudonym: the name that takes the annotator's place.
    """

    event_id: str
    until: str
    clip: str = ""
    salt: str = ""
    digest: str = ""
    pseudonym: str = ""

    def means(self, annotator: str) -> bool:
        """Return whether this is the annotator to forget."""
        return bool(self.digest) and digest_of(annotator, self.salt) == self.digest


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done.

    Attributes:
        events: rows that lost their personal fields.
        clips: recordings whose bytes were removed here.
        voices: neutral speech that was kept of the person, or by the person, and is gone.
    """

    events: int = 0
    clips: tuple[str, ...] = ()
    voices: int = 0


def digest_of(annotator: str, salt: str) -> str:
    """Return a salted hash of a name: it recognises the name and does not tell it.

    >>> digest_of("ada", "00") == digest_of("ada", "00") != digest_of("ada", "01")
    True
    """
    return hashlib.blake2b(annotator.encode(), key=bytes.fromhex(salt), digest_size=16).hexdigest()


def tombstones(events: Iterable[LabelEvent]) -> list[Tombstone]:
    """Return what the ``forget`` events among these ask for, oldest first."""
    found = [
        Tombstone(
            event.event_id,
            event.extra.get("until") or event.time,
            event.clip,
            event.extra.get("salt", ""),
            event.extra.get("digest", ""),
            event.extra.get("pseudonym", ""),
        )
        for event in events
        if event.action == "forget"
    ]
    return sorted(found, key=lambda stone: (stone.until, stone.event_id))


def stored_tombstones(store: LabelStore) -> list[Tombstone]:
    """Return every tombstone that a store has, oldest first."""
    with store.exclusive():
        state = store.state()
        return tombstones(store.whole([one for one in state.entries if one.action == "forget"]))


class Scrubber:
    """Takes the personal fields out of the rows that tombstones are about.

    Args:
        stones: from `tombstones`.
    """

    def __init__(self, stones: Sequence[Tombstone]) -> None:
        self._annotators = [stone for stone in stones if stone.digest]
        self._known: dict[str, list[Tombstone]] = {}
        self._clips: dict[str, str] = {}
        for stone in stones:
            if stone.clip:
                self._clips[stone.clip] = max(stone.until, self._clips.get(stone.clip, ""))

    def __bool__(self) -> bool:
        """Return whether there is anything to forget."""
        return bool(self._annotators or self._clips)

    def pseudonym(self, annotator: str, time: str = "") -> str | None:
        """Return the name that takes an annotator's place in an event of that time, or None."""
        if annotator not in self._known:
            self._known[annotator] = [one for one in self._annotators if one.means(annotator)]
        found = (one.pseudonym for one in self._known[annotator] if time <= one.until)
        return next(found, None)

    def row(self, row: bytes, columns: tuple[str, ...]) -> bytes:
        """Return a row as it may stay; one that nobody asked to forget comes back as it is."""
        cells = parse_row(row)
        if len(cells) != len(columns):
            return row
        fields = dict(zip(columns, cells, strict=True))
        if not self._touches(fields):
            return row
        event = decode(fields)
        scrubbed = self.event(event)
        return row if scrubbed == event else encode_unchecked(scrubbed).rstrip(b"\n")

    def _touches(self, fields: Mapping[str, str]) -> bool:
        if fields.get("action") == "forget":
            return False
        time = fields.get("time", "")
        if time <= self._clips.get(fields.get("clip", ""), ""):
            return True
        return self.pseudonym(fields.get("annotator", ""), time) is not None

    def event(self, event: LabelEvent) -> LabelEvent:
        """Return an event as it may stay."""
        if event.action == "forget":
            return event
        pseudonym = self.pseudonym(event.annotator, event.time)
        if event.clip and event.time <= self._clips.get(event.clip, ""):
            name = _plain_name(event.clip, event.file_name)
            former = _plain_name(event.clip, event.former_name)
            event = replace(event, file_name=name, former_name=former, note="", extra={})
        if pseudonym is not None:
            event = replace(
                event,
                annotator=pseudonym,
                session="",
                note="",
                extra={},
                milliseconds=None,
                time=f"{event.time[:10]}T00:00:00.000Z",
            )
        return event


def _plain_name(clip: str, name: str) -> str:
    if not name:
        return ""
    stem, dot, suffix = name.rpartition(".")
    return f"forgotten-{clip[:12]}" + (f".{suffix}" if stem and dot and suffix.isalnum() else "")


def forgotten_clips(state: State, stones: Iterable[Tombstone]) -> set[str]:
    """Return the recordings whose bytes may not stay: nobody worked on them after the tombstone."""
    until: defaultdict[str, str] = defaultdict(str)
    for stone in stones:
        if stone.clip:
            until[stone.clip] = max(until[stone.clip], stone.until)
    return {
        clip for clip, moment in until.items() if all(one.time <= moment for one in state.of(clip))
    }


def forget_annotator(store: LabelStore, name: str) -> Forgotten:
    """Forget who made a person's events, the recordings the person brought, and the voice.

    The emotions that they gave stay, under a name that says nothing. Clips of a corpus keep their
    bytes: those are not the annotator's voice.

    Args:
        store: whose events.
        name: the annotator.

    Raises:
        StoreError: nobody of that name made an event here, nor was a voice kept.
        SaveError: the disk did not take it; ask again, what was begun is then completed.
    """
    voices = KeptVoices(store.home).forget(name)
    with store.exclusive():
        state = store.state()
        mine = [entry for entry in state.entries if entry.annotator == name]
        if voices and not mine:
            return Forgotten(voices=voices)
        if not mine or name == WRITER:
            raise StoreError(f"Nobody named “{name[:80]}” made an event in {store.folder}.")
        brought = [
            clip
            for clip in dict.fromkeys(entry.clip for entry in mine if entry.clip)
            if state.of(clip)[0].annotator == name and not state.clip(clip).corpus
        ]
        salt = os.urandom(16).hex()
        extra = {
            "until": max([store.now(), *(entry.time for entry in mine)]),
            "salt": salt,
            "digest": digest_of(name, salt),
            "pseudonym": f"forgotten-{os.urandom(4).hex()}",
        }
        person = LabelEvent(action="forget", annotator=WRITER, extra=extra)
        store.append_many([person, *_of_clips(store, brought)], label="forget")
    return replace(apply(store), voices=voices)


def forget_clips(store: LabelStore, clips: Collection[str]) -> Forgotten:
    """Forget recordings: their bytes, and their names and notes in every event.

    Args:
        store: whose events.
        clips: SHA-256 of each recording.

    Raises:
        StoreError: the store knows nothing of one of them.
        SaveError: the disk did not take it; ask again, what was begun is then completed.
    """
    with store.exclusive():
        for clip in clips:
            if not store.state().of(clip) and store.clip_path(clip) is None:
                raise StoreError(
                    f"There is no clip {clip[:70]} in {store.home}; its SHA-256 is expected."
                )
        store.append_many(_of_clips(store, clips), label="forget")
    return apply(store)


def forget_older(store: LabelStore, days: float) -> Forgotten:
    """Forget recordings that belong to no corpus and that nobody worked on for some days.

    Args:
        store: whose.
        days: how long a recording is kept after its last event, 0 or more.

    Raises:
        StoreError: a negative number of days.
        SaveError: the disk did not take it.
    """
    if not days >= 0:
        raise StoreError(f"Recordings can't be kept for {days} days; 0 or more is expected.")
    with store.exclusive():
        moment = _moment(store.now()) - timedelta(days=days)
        state, kept = store.state(), store.clips.paths()
        old = [
            view.clip
            for view in state.clips()
            if view.clip in kept
            and not view.corpus
            and all(_moment(entry.time) < moment for entry in state.of(view.key))
        ]
    return forget_clips(store, old) if old else Forgotten()


def _moment(time: str) -> datetime:
    found = datetime.fromisoformat(time)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _of_clips(store: LabelStore, clips: Iterable[str]) -> list[LabelEvent]:
    state = store.state()
    return [
        LabelEvent(
            action="forget",
            annotator=WRITER,
            clip=clip,
            extra={"until": max([store.now(), *(one.time for one in state.of(clip))])},
        )
        for clip in clips
    ]


def apply(store: LabelStore) -> Forgotten:
    """Bring the store's files into line with its tombstones; doing it again changes nothing.

    Raises:
        SaveError: the disk did not take it; what is done is done, do it again for the rest.
    """
    with store.exclusive():
        stones = stored_tombstones(store)
        scrubber = Scrubber(stones)
        if not scrubber:
            return Forgotten()
        changed = store.rewrite(scrubber.row)
        removed = [
            clip for clip in sorted(forgotten_clips(store.state(), stones)) if _unlink(store, clip)
        ]
    # Not under the store's lock: who holds the leases may be waiting for it.
    _elsewhere(store, scrubber)
    return Forgotten(changed, tuple(removed))


def _unlink(store: LabelStore, clip: str) -> bool:
    found = False
    while (path := store.clip_path(clip)) is not None:
        _remove(path)
        found = True
    return found


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise SaveError(
            f"{path} can't be removed: {error.strerror or error}. Make its folder writable, then "
            "ask again."
        ) from error


def _elsewhere(store: LabelStore, scrubber: Scrubber) -> None:
    """Names also stand in the list of trusted annotators, beside gold clips, and in leases."""
    if (store.folder / ANNOTATORS).is_file():
        held = read_annotator_settings(store.folder)

        def now_called(name: str) -> str:
            return scrubber.pseudonym(name, held.changed.replace("Z", ".000Z")) or name

        trusted = None if held.trusted is None else set(map(now_called, held.trusted))
        by = now_called(held.changed_by)
        if (trusted, by) != (held.trusted, held.changed_by):
            write_annotator_settings(
                store.folder,
                trusted,
                held.gold_share,
                by=by,
                enough=held.enough,
                practice=held.practice,
            )
    from label_store.gold import rename_markers

    rename_markers(store, lambda name: scrubber.pseudonym(name) or name)
    leases = Leases(store.folder)
    if any(scrubber.pseudonym(one.annotator) for one in leases.active()):
        with leases.exclusive() as table:
            for lease in list(table.leases):
                if scrubber.pseudonym(lease.annotator):
                    table.release(lease.clip, lease.annotator, lease.session)
    _remove(store.folder / "labels.csv")  # it can be made anew from the events at any time
    for torn in sorted((store.folder / "torn").glob("*.part")):
        _remove(torn)  # half a row that was never acknowledged may be anybody's
