"""The snapshot saves time and never changes an answer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore
from label_store.forget import forget_annotator
from label_store.journal import Journal
from label_store.projection import labels_csv
from label_store.snapshot import NAME

EMOTIONS = ("anger", "joy", "fear")


def fill(home: Path, count: int = 40) -> LabelStore:
    store = LabelStore(home, snapshot_rows=10_000)
    for n in range(count):
        clip = hashlib.sha256(bytes([n % 7])).hexdigest()
        store.append(
            LabelEvent(
                action="label", annotator=f"annotator {n % 3}", clip=clip, file_name=f"{n % 7}.wav",
                emotion=EMOTIONS[n % 3], note='with "quotes", commas\nand lines' if n % 5 else "",
                start=0.5 if n % 4 else None,
            )
        )  # fmt: skip
        if n % 9 == 8:
            store.undo(f"annotator {n % 3}")
    store.rename(hashlib.sha256(bytes([1])).hexdigest(), "né.wav", "annotator 1")
    return store


def from_snapshot(home: Path) -> int:
    """Return how many events an opening takes from the snapshot."""
    return Journal(home / "labels").read_new().snapshot


def same(home: Path) -> None:
    """What is read with the snapshot is what is read without."""
    quick = LabelStore(home, snapshot_rows=10_000)
    (home / "labels" / NAME).unlink(missing_ok=True)
    slow = LabelStore(home, snapshot_rows=10_000)
    assert [one[:14] for one in quick.state().entries] == [one[:14] for one in slow.state().entries]
    assert quick.events() == slow.events()
    assert labels_csv(quick) == labels_csv(slow)
    assert set(quick.reports) == set(slow.reports)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    fill(tmp_path)
    (path,) = (tmp_path / "labels").glob("events-*.csv")
    with path.open("ab") as file:
        file.write(b'not,an "event\n')  # what was found wrong is remembered too
    LabelStore(tmp_path, snapshot_rows=1)
    assert (tmp_path / "labels" / NAME).is_file()
    return tmp_path


def event_file(home: Path) -> Path:
    (path,) = (home / "labels").glob("events-*.csv")
    return path


def test_it_is_used_and_answers_the_same(home: Path) -> None:
    assert from_snapshot(home) == len(LabelStore(home).events()) > 40
    assert len(LabelStore(home).reports) == 1
    same(home)


def test_rows_that_came_later_are_read_behind_it(home: Path) -> None:
    before = from_snapshot(home)
    store = LabelStore(home, snapshot_rows=10_000)
    saved = store.append(LabelEvent(action="label", annotator="x", clip="0" * 64, emotion="joy"))
    assert from_snapshot(home) == before
    again = LabelStore(home, snapshot_rows=10_000)
    assert again.events()[-1] == saved.event
    assert (
        again.append(
            LabelEvent(action="label", annotator="x", clip="0" * 64, emotion="fear")
        ).number
        == saved.number + 1
    )
    same(home)


def test_an_edit_of_the_same_length_is_seen(home: Path) -> None:
    path = event_file(home)
    path.write_bytes(path.read_bytes().replace(b",anger,", b",anguz,", 1))
    assert from_snapshot(home) == 0
    assert "anguz" in {event.emotion for event in LabelStore(home).events()}
    same(home)


@pytest.mark.parametrize("how", ["shorter", "gone", "another", "touched"])
def test_it_is_put_aside_where_a_file_is_another(home: Path, how: str) -> None:
    path = event_file(home)
    data = path.read_bytes()
    used = from_snapshot(home)
    if how == "shorter":
        path.write_bytes(b"".join(data.splitlines(keepends=True)[:-4]))
    elif how == "gone":
        path.rename(path.with_name("events-2001-01-01-other.csv"))
    elif how == "another":
        (home / "labels" / "events-2001-01-01-other.csv").write_bytes(data)
    else:
        os.utime(path, (1, 1))
    assert from_snapshot(home) == (0 if how in {"shorter", "gone"} else used)
    same(home)


@pytest.mark.parametrize("place", [0, 25, 60, 2000, -1])
def test_a_damaged_snapshot_is_as_none(home: Path, place: int) -> None:
    path = home / "labels" / NAME
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)
    assert from_snapshot(home) == 0
    same(home)


@pytest.mark.parametrize("size", [0, 10, 24, 30, 500])
def test_half_a_snapshot_is_as_none(home: Path, size: int) -> None:
    path = home / "labels" / NAME
    path.write_bytes(path.read_bytes()[:size])
    assert from_snapshot(home) == 0
    same(home)


def test_a_torn_tail_behind_it_is_moved_aside(home: Path) -> None:
    with event_file(home).open("ab") as file:
        file.write(b'17,"half a ro')
    store = LabelStore(home)
    assert [report.kind for report in store.reports] == ["damaged-row", "torn-tail"]
    assert not event_file(home).read_bytes().endswith(b"half a ro")


def test_who_is_forgotten_is_not_in_it(home: Path) -> None:
    store = LabelStore(home)
    forget_annotator(store, "annotator 1")
    LabelStore(home, snapshot_rows=1)
    left = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"annotator 1" not in left
    same(home)


def test_a_store_that_is_open_meanwhile_sees_the_same(home: Path) -> None:
    early = LabelStore(home, snapshot_rows=10_000)
    late = LabelStore(home, snapshot_rows=10_000)
    late.append(LabelEvent(action="label", annotator="x", clip="0" * 64, emotion="joy"))
    assert early.events() == late.events()


def test_a_folder_that_takes_no_snapshot_is_read_as_before(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "labels" / NAME).mkdir()
    assert len(LabelStore(tmp_path, snapshot_rows=1).events()) > 40
