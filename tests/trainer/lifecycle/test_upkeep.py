"""The lock, versions and the periodic run: nobody watches, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from label_store.errors import StoreError
from ser_core.checkpoints.champion import read_pointer
from ser_core.home import Home
from trainer.errors import (
    BUSY,
    LockedError,
    SettingsError,
    VersionError,
)
from trainer.lifecycle import versions
from trainer.lifecycle.lock import only_one
from trainer.lifecycle.schedule import parse_duration, periodic


def test_a_killed_process_does_not_hold_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainer.lifecycle.lock import only_one\n"
        f"with only_one(Path({str(tmp_path)!r}), 'the other run'):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match="the other run"), only_one(tmp_path):
            pass
        other.kill()
        other.wait()
    with only_one(tmp_path):
        pass


def test_rollback_goes_back_one_step_each_time(three: Path) -> None:
    for name in ("v1", "v2", "v3"):
        versions.promote(three, name, "test")
    assert [versions.rollback(three) for _ in range(3)] == ["v2", "v1", ""]
    assert read_pointer(three) is None
    with pytest.raises(VersionError, match="nothing to roll back"):
        versions.rollback(three)


def test_pruning_keeps_the_newest_the_champion_and_the_one_before(
    three: Path, put_version: Callable[[Path, str, str], None]
) -> None:
    put_version(three, "v0", "2023-01-01")
    versions.promote(three, "v0", "test")
    versions.promote(three, "v1", "test")
    assert versions.prune(three, 1) == ["v2"]
    assert [version.name for version in versions.versions(three)] == ["v0", "v1", "v3"]


def test_a_damaged_version_is_not_promoted(three: Path) -> None:
    versions.promote(three, "v1", "test")
    (Home(three).models / "v2" / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(VersionError, match="can't serve"):
        versions.promote(three, "v2", "test")
    with pytest.raises(VersionError, match="there is no version"):
        versions.promote(three, "../v1", "test")
    pointer = read_pointer(three)
    assert pointer is not None
    assert pointer["version"] == "v1"


def test_half_a_line_of_history_costs_no_other_line(tmp_path: Path) -> None:
    versions.record(tmp_path, "run", clock=lambda: 0.0, version="a")
    path = Home(tmp_path).history
    path.write_bytes(path.read_bytes() + b'{"time": "19')
    versions.record(tmp_path, "run", clock=lambda: 0.0, version="b")
    assert [row["version"] for row in versions.history(tmp_path)] == ["a", "b"]


def test_the_periodic_run_waits_trains_and_survives() -> None:
    now, runs, lines = [0.0], [], []
    new = iter([3, 30, 30, 30, 0])
    statuses = iter([1, BUSY, 0])

    def run() -> int:
        runs.append(now[0])
        now[0] += 100.0
        return next(statuses)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    tally = periodic(
        run,
        lambda: next(new),
        every=3600.0,
        min_new=25,
        clock=lambda: now[0],
        sleep=sleep,
        log=lines.append,
        stop=lambda: now[0] >= 5 * 3600.0,
    )
    assert runs == [3600.0, 7200.0, 10800.0]
    assert (tally.rounds, tally.trained, tally.failed, tally.waited) == (5, 1, 1, 3)
    assert "3 new labels of 25 wanted: waiting" in lines


def test_labels_that_can_not_be_read_end_no_wait() -> None:
    now, lines = [0.0], []

    def count() -> int:
        raise StoreError("events-1.csv is damaged")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    tally = periodic(
        lambda: 0,
        count,
        every=10.0,
        min_new=1,
        clock=lambda: now[0],
        sleep=sleep,
        log=lines.append,
        stop=lambda: now[0] >= 30.0,
    )
    assert (tally.rounds, tally.failed) == (3, 3)
    assert "events-1.csv is damaged" in lines[0]


@pytest.mark.parametrize("text", ["", "6", "-1h", "0h", "6 weeks"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="length of time"):
        parse_duration(text)
