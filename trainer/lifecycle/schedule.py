"""The periodic run: wait, train when enough new labels came, survive a run that fails."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from label_store.errors import StoreError
from ser_core.errors import SerError
from trainer.errors import BUSY, SettingsError, TrainerError

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d)\s*")


@dataclass
class Tally:
    """What a periodic run did so far."""

    rounds: int = 0
    trained: int = 0
    failed: int = 0
    waited: int = 0


def parse_duration(text: str) -> float:
    """Return seconds.

    Raises:
        SettingsError: not a positive number with a unit.

    >>> parse_duration("6h"), parse_duration("90 min"), parse_duration("0.5s")
    (21600.0, 5400.0, 0.5)
    """
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise SettingsError(f"“{text}” is not a length of time; write 45s, 30min, 6h or 1d")
    return seconds


def periodic(
    run: Callable[[], int],
    count_new: Callable[[], int],
    *,
    every: float,
    min_new: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    log: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
    tally: Tally | None = None,
) -> Tally:
    """Look every ``every`` seconds whether enough new labels came, and train if so.

    Args:
        run: trains once, in a process of its own, and returns its exit status (0 = it went
            through, `BUSY` = another run is at work). So nothing that kills a run, memory
            included, kills the wait for the next one.
        count_new: new trusted labels since the last run that went through.
        every: seconds from the start of a round to the start of the next; a run that takes
            longer is followed at once, never overlapped.
        min_new: fewer new labels than this wait for the next round; 0 trains every time.
        clock, sleep: time, in seconds.
        log: takes a line.
        stop: asked before each round and after each sleep.
        tally: counted on; a new one by default.
    """
    if min_new < 0:
        raise SettingsError(f"--min-new is {min_new}; expected 0 or more")
    tally = tally or Tally()
    while not stop():
        started = clock()
        tally.rounds += 1
        try:
            new = count_new()
        except (TrainerError, SerError, StoreError, OSError) as error:
            tally.failed += 1
            log(f"the labels can't be read: {error}; the next round tries again")
            sleep(max(0.0, every - (clock() - started)))
            continue
        if new < min_new:
            tally.waited += 1
            log(f"{new} new labels of {min_new} wanted: waiting")
        else:
            log(f"{new} new labels: training")
            status = run()
            if status == 0:
                tally.trained += 1
            elif stop():
                log("the run was told to stop; the next one goes on from there")
            elif status == BUSY:
                tally.waited += 1
                log("another run is at work: waiting")
            else:
                tally.failed += 1
                log(
                    f"the run failed (status {status}); the champion serves on, "
                    "the next round tries again"
                )
        if stop():
            break
        sleep(max(0.0, every - (clock() - started)))
    return tally
