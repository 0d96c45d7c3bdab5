"""Long clips wait for each other; short ones for none of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from ser_core.errors import SerError
from ser_core.inference.long_clips import LongClips

RATE = 8000
PATIENCE = 30.0


def wav(seconds: float) -> bytes:
    return to_wav_bytes(np.zeros((1, round(seconds * RATE)), np.float32), RATE)


def until_waiting(clips: LongClips, count: int) -> None:
    for _ in range(int(PATIENCE * 1000)):
        if clips.lane.waiting == count:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{clips.lane.waiting} wait, not {count}")


def test_a_second_long_clip_waits_where_it_turns_out_long_and_a_short_one_does_not() -> None:
    clips = LongClips(longer_than=2.0)
    decoded: list[float] = []

    def prepare(seconds: float) -> None:
        with clips.clip() as turns, turns.preparing():
            decoded.append(load(wav(seconds), sample_rate=RATE, pace=turns.pace).seconds)

    with ThreadPoolExecutor(4) as pool:
        with clips.clip() as first, first.preparing():
            first.pace(3600.0)
            later = [pool.submit(prepare, 3.0)]
            until_waiting(clips, 1)
            later.append(pool.submit(prepare, 4.0))
            until_waiting(clips, 2)
            prepare(1.0)
            assert decoded == [1.0]
        for one in later:
            one.result(PATIENCE)
    assert decoded == [1.0, 3.0, 4.0]


def test_while_the_network_works_for_a_long_clip_another_may_be_prepared() -> None:
    clips = LongClips(longer_than=2.0)
    with clips.clip() as first:
        with first.preparing():
            first.pace(3.0)
        with clips.clip() as second, second.preparing():
            second.pace(3.0)
        with first.preparing():  # its picture
            assert clips.lane.waiting == 0


def test_of_too_many_the_last_is_refused_in_a_sentence_and_later_taken() -> None:
    clips = LongClips(most=1, longer_than=2.0)
    with clips.clip() as first:
        first.pace(3.0)
        refused = pytest.raises(SerError, match=r"1 recordings? .*over 2 s.*Try again in a few")
        with refused, clips.clip() as second, second.preparing():
            load(wav(3.0), sample_rate=RATE, pace=second.pace)
        with clips.clip() as short, short.preparing():
            assert load(wav(1.0), sample_rate=RATE, pace=short.pace).seconds == 1.0
    with clips.clip() as third, third.preparing():
        assert load(wav(3.0), sample_rate=RATE, pace=third.pace).seconds == 3.0


def test_a_clip_that_fails_gives_its_turn_back() -> None:
    clips = LongClips(most=1, longer_than=2.0)

    def prepare() -> None:
        with clips.clip() as turns, turns.preparing():
            turns.pace(3.0)
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            prepare()
    assert clips.lane.waiting == 0
