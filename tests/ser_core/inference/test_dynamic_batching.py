"""Several requests at one network: none waits for another's length, and all get their own rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from ser_core.inference.dynamic_batching import DynamicBatching
from ser_core.inference.fair_lock import FairLock
from ser_core.inference.runtime import Lengths, Logits, Samples

PATIENCE = 30.0


class Held:
    """A runtime that stops in its first batch until told to go on; logits tell sum and length."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        assert waveform.shape[2] == lengths.max()
        self.batches.append(waveform[:, 0, 0].tolist())
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        if (waveform[:, 0, 0] < 0).any():
            raise ZeroDivisionError("a row below zero")
        return np.stack([waveform.astype(np.float64).sum(axis=(1, 2)), lengths], axis=1)


def windows(value: float, count: int, length: int = 10) -> tuple[Samples, Lengths]:
    """Return ``count`` windows whose every sample is ``value``, in rows that are padded to 12."""
    waveform = np.zeros((count, 1, 12), np.float32)
    waveform[:, :, :length] = value
    return waveform, np.full(count, length, np.int64)


class Room:
    """Requests that come one after the other while the network is held in its first batch."""

    def __init__(self, rows: int) -> None:
        self.held = Held()
        self.batching = DynamicBatching(self.held, rows)
        self._asked = 0
        self._pool = ThreadPoolExecutor(16)

    def ask(self, value: float, count: int, length: int = 10) -> Future[Logits]:
        before = self.batching.waiting()
        future = self._pool.submit(self.batching, *windows(value, count, length))
        if self._asked == 0:
            assert self.held.begun.wait(PATIENCE)
        else:
            until(lambda: self.batching.waiting() > before)
        self._asked += 1
        return future

    def go_on(self) -> None:
        self.held.go_on.set()
        self._pool.shutdown()


def until(true: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE * 1000)):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it did not come to pass")


def test_a_short_clip_waits_for_one_batch_of_an_endless_one() -> None:
    room = Room(rows=4)
    long = room.ask(1.0, 400)
    short = room.ask(2.0, 1)
    room.go_on()
    assert room.held.batches[:2] == [[1.0] * 4, [1.0, 1.0, 2.0]]
    assert short.result().tolist() == [[20.0, 10.0]]
    assert long.result().tolist() == [[10.0, 10.0]] * 400


def test_the_windows_of_a_batch_are_shared_out_evenly() -> None:
    room = Room(rows=6)
    room.ask(1.0, 9)
    for value in (2.0, 3.0):
        room.ask(value, 9)
    room.go_on()
    assert room.held.batches[1] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def test_more_requests_than_a_batch_has_rows_take_turns() -> None:
    room = Room(rows=2)
    room.ask(0.0, 2)
    for value in (1.0, 2.0, 3.0):
        room.ask(value, 2)
    room.go_on()
    assert room.held.batches[1:] == [[1.0, 2.0], [3.0, 1.0], [2.0, 3.0]]


def test_a_window_of_another_length_waits_and_keeps_its_place() -> None:
    room = Room(rows=3)
    room.ask(0.0, 1)
    room.ask(1.0, 2, length=12)
    brief = room.ask(2.0, 1, length=3)
    room.ask(3.0, 1, length=10)
    room.go_on()
    assert room.held.batches[1:] == [[1.0, 3.0], [2.0], [1.0]]
    assert brief.result().tolist() == [[6.0, 3.0]]


def test_an_error_is_that_of_its_batch_alone() -> None:
    room = Room(rows=2)
    first = room.ask(1.0, 1)
    bad = room.ask(-1.0, 5)
    room.ask(2.0, 1)
    after = room.ask(3.0, 1)
    room.go_on()
    assert first.result().tolist() == [[10.0, 10.0]]
    with pytest.raises(ZeroDivisionError):
        bad.result()
    assert after.result().tolist() == [[30.0, 10.0]]
    assert room.batching.waiting() == 0


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        DynamicBatching(Held(), 0)


def test_a_fair_lock_is_handed_on_in_order() -> None:
    lock = FairLock()
    order: list[int] = []

    def work(place: int) -> None:
        with lock:
            order.append(place)

    with ThreadPoolExecutor(8) as pool, lock:
        for place in range(8):
            pool.submit(work, place)
            until(lambda place=place: lock.waiting == place + 1)  # type: ignore[misc]
        order.append(-1)
    assert order == list(range(-1, 8))
    with lock:
        order.append(9)
    assert order[-1] == 9
