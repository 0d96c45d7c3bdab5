"""The syncer: seconds after a save it is kept; an outage blocks nothing and loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, SyncError
from label_store.sync import Replica, Syncer, SyncSettings, make_syncer, read_sync_settings
from label_store.sync.replica import Waiting

from .places import Memory


def label(store: LabelStore, n: int = 0) -> None:
    store.append(LabelEvent(action="label", annotator="ada", clip=f"{n:064x}", emotion="joy"))


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def started(syncer: Syncer, *, reached: bool = True) -> Iterator[Syncer]:
    """Start it as the app does, wait for its first round, and end it whatever happens."""
    syncer.start()
    try:
        assert syncer.wait_folded_in(20) == reached
        yield syncer
    finally:
        syncer.stop(0)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "home")


def test_a_saved_event_leaves_by_itself(store: LabelStore) -> None:
    place = Memory()
    with started(Syncer(Replica(store, place))) as syncer:
        label(store)
        begun = time.monotonic()
        until(lambda: syncer.status().waiting == 0)
        assert time.monotonic() - begun < 10
        status = syncer.status()
        assert (status.saved, status.kept, status.kept_through, status.error) == (1, 1, 1, "")
        assert syncer.stop()
    fresh = LabelStore(store.home.parent / "fresh")
    Replica(fresh, place).round()
    assert fresh.events() == store.events()


def test_what_is_saved_while_it_is_asked_is_not_called_kept(store: LabelStore) -> None:
    class Busy(Replica):
        """Somebody labels at the very moment when it has counted what is waiting."""

        def waiting(self) -> Waiting:
            found = super().waiting()
            label(store, 1)
            return found

    place = Memory()
    with started(Syncer(Busy(store, place), look_seconds=3600)) as syncer:
        label(store)
        Replica(store, place).send()
        assert syncer.status().kept_through == 1


def test_what_was_saved_in_the_last_moment_leaves_at_the_end(store: LabelStore) -> None:
    place = Memory()
    with started(Syncer(Replica(store, place), look_seconds=3600, round_seconds=3600)) as syncer:
        label(store)
        begun = time.monotonic()
        assert syncer.stop(8.0)
        assert time.monotonic() - begun < 8
    assert len(place.objects) == 1


def test_an_outage_is_shown_and_pauses_grow_and_then_all_is_sent(store: LabelStore) -> None:
    place = Memory()
    now = [0.0]
    place.down = True
    syncer = Syncer(Replica(store, place), look_seconds=0.01, clock=lambda: now[0])
    with started(syncer, reached=False):
        pauses = [syncer.status().retry_in]
        label(store)
        status = syncer.status()
        assert (status.saved, status.waiting, status.kept_through) == (1, 1, 0)
        assert "no route" in status.error
        assert not status.folded_in
        for _ in range(9):
            now[0] += syncer.status().retry_in + 0.01
            until(lambda: syncer.status().retry_in > 0)
            pauses.append(syncer.status().retry_in)
        assert pauses[0] <= 2
        assert pauses[4] > 8
        assert 150 <= pauses[-1] <= 300
        assert syncer.status().lag > 300
        place.down = False
        now[0] += 300
        until(lambda: syncer.status().folded_in)
        status = syncer.status()
        assert (status.waiting, status.retry_in, status.lag) == (0, 0, 0)
        assert not status.error
        assert syncer.stop()


def test_the_end_tries_once_more_whatever_the_pause(store: LabelStore) -> None:
    place = Memory()
    place.down = True
    with started(Syncer(Replica(store, place), look_seconds=3600), reached=False) as syncer:
        label(store)
        place.down = False
        assert syncer.stop()


def test_a_place_that_hangs_holds_up_neither_a_label_nor_the_end(store: LabelStore) -> None:
    hangs, release = threading.Event(), threading.Event()

    class Hanging(Memory):
        def write(self, objects) -> None:
            hangs.set()
            release.wait(30)

    with started(Syncer(Replica(store, Hanging()), look_seconds=0.01)) as syncer:
        label(store, 0)
        assert hangs.wait(20)
        begun = time.monotonic()
        label(store, 1)
        assert syncer.status().waiting == 2
        assert not syncer.stop(0.2)
        assert time.monotonic() - begun < 5
        release.set()


def test_what_goes_wrong_in_an_unforeseen_way_is_shown_and_tried_again(store: LabelStore) -> None:
    class Broken(Memory):
        broken = True

        def names(self) -> list[str]:
            if self.broken:
                raise RuntimeError("out of ideas")
            return super().names()

    place = Broken()
    now = [0.0]
    syncer = Syncer(Replica(store, place), look_seconds=0.01, clock=lambda: now[0])
    with started(syncer, reached=False):
        assert "RuntimeError: out of ideas" in syncer.status().error
        place.broken = False
        now[0] += 300
        until(lambda: syncer.status().folded_in)
        assert not syncer.status().error


def test_the_champion_goes_with_a_round_and_its_failure_is_told(store: LabelStore) -> None:
    calls = []

    def errand() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise SyncError("no champion today")

    now = [0.0]
    syncer = Syncer(
        Replica(store, Memory()), errand=errand, look_seconds=0.01, clock=lambda: now[0]
    )
    with started(syncer, reached=False):
        assert "no champion" in syncer.status().error
        now[0] += 300
        until(lambda: syncer.status().folded_in)
        assert len(calls) == 2


def test_two_processes_of_one_home_do_not_send_twice(store: LabelStore) -> None:
    place = Memory()
    sides = [Replica(LabelStore(store.home), place) for _ in range(3)]
    for n in range(5):
        label(store, n)
    threads = [threading.Thread(target=side.round) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(place.objects) == 1


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    env = {"SER_SYNC": str(tmp_path / "copy"), "SER_SYNC_MODELS": "1"}
    settings = read_sync_settings(env)
    assert settings == SyncSettings(str(tmp_path / "copy"), clips=False, models=True)
    store = LabelStore(tmp_path / "home")
    label(store)
    with started(make_syncer(store, settings)) as syncer:
        assert syncer.status().kept == 1
    with pytest.raises(SyncError, match="SER_SYNC_CLIPS"):
        read_sync_settings({"SER_SYNC_CLIPS": "maybe"})
