"""Stores at one place: nothing is lost, nothing comes twice, all end up the same."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, SyncError
from label_store.consensus import consensus
from label_store.event import decode, encode
from label_store.event_rows import HEADER, parse_row
from label_store.forget import apply, forget_annotator, forget_clips
from label_store.projection import labels_csv
from label_store.sync import Replica
from label_store.sync import replica as replica_module
from label_store.sync.folder import FolderPlace
from label_store.sync.note import note_path

from .places import Memory, Unreliable

EMOTIONS = ("anger", "joy", "fear")
CLIP = hashlib.sha256(b"one").hexdigest()


def label(store: LabelStore, data: bytes, emotion: str, annotator: str = "ada", **more) -> str:
    clip = store.keep_clip(data, ".wav")
    event = LabelEvent(action="label", annotator=annotator, clip=clip, emotion=emotion, **more)
    return store.append(event).event_id


def words(store: LabelStore) -> list[tuple]:
    return [(one.number, one.event_id, one.annotator, one.emotion) for one in store.events()]


def rows_at(place: Memory) -> list[bytes]:
    return [
        row
        for name, data in sorted(place.objects.items())
        if name.endswith(".csv")
        for row in data.split(b"\n")[1:]
        if row
    ]


def test_a_store_comes_back_after_its_disk_is_gone(tmp_path: Path) -> None:
    place = Memory()
    first = LabelStore(tmp_path / "first")
    here = Replica(first, place, clips=True)
    label(first, b"one", "joy", note='two\nlines, "quoted"', extra={"device": "phone"})
    moved = here.round()
    assert (moved.sent, moved.clips_sent) == (1, 1)
    assert here.round().sent == 0
    label(first, b"one", "fear")
    assert here.waiting().events == 1
    assert here.waiting().first == 2
    assert here.send().sent == 1
    assert here.waiting().events == 0
    second = LabelStore(tmp_path / "second")
    there = Replica(second, place, clips=True)
    moved = there.round()
    assert (moved.received, moved.clips_received) == (2, 1)
    assert there.round() == type(moved)()
    assert second.events() == first.events()
    assert second.clip_path(CLIP).read_bytes() == b"one"
    label(second, b"two", "anger")
    assert there.round().sent == 1
    assert here.round().received == 1
    assert first.events() == second.events() == LabelStore(tmp_path / "first").events()
    assert len({*rows_at(place)}) == len(rows_at(place)) == 3


def test_recordings_stay_here_unless_they_are_asked_for(tmp_path: Path) -> None:
    place = Memory()
    store = LabelStore(tmp_path / "a")
    label(store, b"one", "joy")
    Replica(store, place).round()
    assert not [name for name in place.objects if name.startswith("clips/")]


@pytest.mark.parametrize("seed", range(3))
def test_stores_that_labelled_apart_become_the_same(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    place = Memory()
    stores = [LabelStore(tmp_path / name) for name in "abc"]
    sides = [Replica(store, place) for store in stores]
    for _ in range(12):
        at = draw.randrange(3)
        store = stores[at]
        label(store, bytes([draw.randrange(4)]), draw.choice(EMOTIONS), draw.choice(["ada", "ben"]))
        if draw.random() < 0.2:
            store.undo(store.state().entries[-1].annotator)
        if draw.random() < 0.3:
            sides[at].round()
    for side in sides * 2:
        side.round()
    assert words(stores[0]) == words(stores[1]) == words(stores[2])
    assert len({labels_csv(store) for store in stores}) == 1
    assert all(labels_csv(LabelStore(store.home)) == labels_csv(stores[0]) for store in stores)
    assert consensus(stores[0]).open == consensus(stores[1]).open == consensus(stores[2]).open


def test_an_outage_is_told_and_made_up_for(tmp_path: Path) -> None:
    place = Memory()
    store = LabelStore(tmp_path / "a")
    side = Replica(store, place)
    label(store, b"one", "joy")
    place.down = True
    with pytest.raises(SyncError, match="no route"):
        side.round()
    assert side.waiting().events == 1
    place.down = False
    assert side.round().sent == 1


def test_a_shard_with_other_bytes_is_left_out_and_told_and_the_rest_comes(tmp_path: Path) -> None:
    place = Memory()
    store = LabelStore(tmp_path / "a")
    side = Replica(store, place)
    for emotion in EMOTIONS:
        label(store, b"one", emotion)
        side.send()
    forged = sorted(place.objects)[1]
    place.objects[forged] = place.objects[forged].replace(b"joy", b"sad")
    other = LabelStore(tmp_path / "b")
    moved = Replica(other, place).round()
    assert moved.damaged == [forged]
    assert [one.emotion for one in other.events()] == ["anger", "fear"]


def test_a_place_that_lost_everything_gets_it_again(tmp_path: Path) -> None:
    place = Memory()
    stores = [LabelStore(tmp_path / name) for name in "ab"]
    sides = [Replica(store, place, clips=True) for store in stores]
    label(stores[0], b"one", "joy")
    label(stores[1], b"two", "fear")
    for side in sides * 2:
        side.round()
    place.objects.clear()
    sides[0].round()
    fresh = LabelStore(tmp_path / "c")
    Replica(fresh, place, clips=True).round()
    assert words(fresh) == words(stores[0])  # also what the other had brought
    assert set(fresh.clips.paths()) == set(stores[0].clips.paths())


def test_a_lost_or_damaged_note_costs_no_event_and_doubles_none(tmp_path: Path) -> None:
    place = Memory()
    stores = [LabelStore(tmp_path / name) for name in "ab"]
    sides = [Replica(store, place) for store in stores]
    label(stores[0], b"one", "joy")
    label(stores[1], b"two", "fear")
    for side in sides * 2:
        side.round()
    before = words(stores[0])
    note_path(stores[0].folder, place.name).write_text("{ half")
    for side in sides * 2:
        side.round()
    assert words(stores[0]) == words(stores[1]) == before


def test_many_small_shards_become_one_and_nobody_sends_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(replica_module, "MANY_SHARDS", 6)
    place = Memory()
    stores = [LabelStore(tmp_path / name) for name in "ab"]
    sides = [Replica(store, place) for store in stores]
    for n in range(14):
        label(stores[n % 2], bytes([n % 5]), EMOTIONS[n % 3])
        sides[n % 2].round()
    for side in sides * 2:
        side.round()
    assert words(stores[0]) == words(stores[1])
    shards = [name for name in place.objects if name.startswith("labels/events-")]
    assert len(shards) < 12
    assert len({row.split(b",")[1] for row in rows_at(place)}) == len(rows_at(place)) == 14
    fresh = LabelStore(tmp_path / "c")
    Replica(fresh, place).round()
    assert words(fresh) == words(stores[0])


def test_rows_of_another_version_come_in_with_their_columns(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "a")
    label(store, b"one", "joy")
    ((path, _),) = store.event_files()
    row = path.read_bytes().split(b"\n")[1]
    path.write_bytes(HEADER.rstrip(b"\n") + b",mood\n" + row + b",sunny\n")
    place = Memory()
    Replica(LabelStore(store.home), place).round()
    fresh = LabelStore(tmp_path / "b")
    Replica(fresh, place).round()
    assert fresh.events()[0].extra == {"mood": "sunny"}


def test_markup_in_a_row_from_elsewhere_is_refused_and_told(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "a")
    label(store, b"one", "joy")
    label(store, b"two", "fear")
    ((path, _),) = store.event_files()
    path.write_bytes(path.read_bytes().replace(b",joy,", b",<img src=x onerror=alert(1)>,"))
    place = Memory()
    Replica(LabelStore(store.home), place).round()
    fresh = LabelStore(tmp_path / "b")
    Replica(fresh, place).round()
    assert [one.emotion for one in fresh.events()] == ["fear"]
    (report,) = fresh.reports
    assert report.kind == "refused-row"
    assert "<img" in report.reason


# ---------------------------------------------------------------- forgetting


def test_a_forgotten_annotator_goes_everywhere_and_does_not_come_back(tmp_path: Path) -> None:
    place = Memory()
    stores = [LabelStore(tmp_path / name) for name in "abc"]
    sides = [Replica(store, place, clips=True) for store in stores]
    label(stores[0], b"her voice", "joy", "Ada Lovelace", note="secret")
    label(stores[0], b"a corpus", "fear", "Ada Lovelace", corpus="c", file_name="x.wav")
    label(stores[1], b"a corpus", "fear", "ben", corpus="c", file_name="x.wav")
    for side in sides * 2:
        side.round()
    # The third is away while the first forgets her, and labels on under her name.
    label(stores[2], b"a corpus", "joy", "Ada Lovelace", corpus="c", note="secret")
    forget_annotator(stores[0], "Ada Lovelace")
    for side in (sides[0], sides[1], sides[0]):
        side.round()
    for text in (_all(place), _files(stores[0]), _files(stores[1])):
        assert b"Lovelace" not in text
        assert b"secret" not in text
        assert b"her voice" not in text
    # Back again, it learns of it; what it made before that is forgotten too.
    for side in sides[2:] + sides * 2:
        side.round()
    assert not [one for one in stores[0].events() if one.note == "secret"]
    assert b"her voice" not in _all(place) + _files(stores[2])
    assert words(stores[0]) == words(stores[1]) == words(stores[2])
    assert len({labels_csv(store) for store in stores}) == 1
    votes = stores[0].clip(hashlib.sha256(b"her voice").hexdigest()).whole()
    assert list(votes.values()) == ["joy"]


def test_an_unreached_store_with_older_rows_cannot_bring_the_data_back(tmp_path: Path) -> None:
    place = Memory()
    now = [1_700_000_000.0]
    stores = [LabelStore(tmp_path / name, clock=lambda: now[0]) for name in "ab"]
    sides = [Replica(store, place, clips=True) for store in stores]
    label(stores[0], b"one", "joy", "Ada Lovelace", note="secret")
    label(stores[1], b"two", "fear", "Ada Lovelace", note="secret")  # never sent so far
    sides[0].round()
    now[0] += 60
    forget_annotator(stores[0], "Ada Lovelace")
    sides[0].round()
    sides[1].round()
    sides[0].round()
    for text in (_all(place), _files(stores[0]), _files(stores[1])):
        assert b"Lovelace" not in text
        assert b"secret" not in text
    assert words(stores[0]) == words(stores[1])


def test_a_forgotten_recording_goes_there_too_also_when_it_fails_half_way(tmp_path: Path) -> None:
    memory = Memory()
    draw = random.Random(3)
    place = Unreliable(memory, draw, 0.4)
    store = LabelStore(tmp_path / "a")
    side = Replica(store, place, clips=True)
    label(store, b"her voice", "joy", file_name="ada at home.wav")
    label(store, b"another", "fear")
    _until(side)
    forget_clips(store, [hashlib.sha256(b"her voice").hexdigest()])
    _until(side)
    _until(side)
    assert b"ada at home" not in _all(memory)
    assert b"her voice" not in _all(memory)
    fresh = LabelStore(tmp_path / "b")
    Replica(fresh, memory, clips=True).round()
    assert words(fresh) == words(store)
    assert len(fresh.clips.paths()) == 1
    assert apply(fresh).events == 0


def test_forgetting_at_a_folder_that_refuses_to_rename(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "copy")
    store = LabelStore(tmp_path / "a")
    side = Replica(store, place, clips=True)
    label(store, b"one", "joy", "Ada Lovelace")
    side.round()
    forget_annotator(store, "Ada Lovelace")
    side.round()
    left = b"".join(path.read_bytes() for path in place.folder.rglob("*") if path.is_file())
    assert b"Lovelace" not in left
    fresh = LabelStore(tmp_path / "b")
    Replica(fresh, place).round()
    assert words(fresh) == words(store)


def test_a_shard_is_an_event_file_like_any_other(tmp_path: Path) -> None:
    place = Memory()
    store = LabelStore(tmp_path / "a")
    label(store, b"one", "joy")
    Replica(store, place).round()
    (data,) = place.objects.values()
    header, row, rest = data.split(b"\n")
    assert rest == b""
    cells = dict(zip(parse_row(header), parse_row(row), strict=True))
    assert encode(decode(cells)) == row + b"\n"


def _until(side: Replica) -> None:
    for _ in range(60):
        try:
            side.round()
        except SyncError:
            continue
        return
    raise AssertionError("it never worked")


def _all(place: Memory) -> bytes:
    return b"".join(place.objects.values())


def _files(store: LabelStore) -> bytes:
    return b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())
