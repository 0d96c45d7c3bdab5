"""How far a run has come, and who trains: seen from outside, right also after a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ser_core.home import Home
from trainer.errors import DataError, InterruptedRunError, LockedError
from trainer.lifecycle.lock import holder, only_one
from trainer.lifecycle.progress import ProgressFile, at_work, read_progress
from trainer.training.callbacks import Callbacks


def test_nobody_trains_in_a_new_home(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert read_progress(tmp_path) is None


def test_the_holder_says_who_and_where(tmp_path: Path) -> None:
    with only_one(tmp_path, "fit", clock=lambda: 0.0):
        found = holder(tmp_path)
        assert found is not None
        assert (found.purpose, found.process, found.host) == (
            "fit",
            os.getpid(),
            socket.gethostname(),
        )
        assert found.since == "1970-01-01T00:00:00+00:00"
        assert found.here
    assert holder(tmp_path) is None


def test_an_old_holders_file_is_read(tmp_path: Path) -> None:
    with only_one(tmp_path, "fit"):
        Home(tmp_path).training_holder.write_text(
            json.dumps({"process": 7, "purpose": "old", "since": "then"})
        )
        found = holder(tmp_path)
        assert found is not None
        assert str(found) == "old (process 7, since then)"
        assert not found.here


def test_looking_does_not_turn_a_trainer_away(tmp_path: Path) -> None:
    Home(tmp_path).models.mkdir(parents=True)
    Home(tmp_path).training_holder.write_text("{}")  # a killed one left it
    code = (
        "import sys\nfrom trainer.lifecycle.lock import holder\n"
        "print('go', flush=True)\n"
        "while True:\n    holder(sys.argv[1])\n"
    )
    looking = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert looking.stdout is not None
    try:
        looking.stdout.readline()
        for _ in range(20):
            with only_one(tmp_path):
                pass
    finally:
        looking.kill()
        looking.wait()


def test_a_run_writes_what_it_does(tmp_path: Path) -> None:
    now = [100.0]
    told: list[str] = []
    with at_work(tmp_path, "fit", clock=lambda: now[0]) as file:
        calls = file.callbacks(
            Callbacks(log=told.append, epoch=lambda figures: told.append(str(figures["uar"])))
        )
        first = read_progress(tmp_path)
        assert first is not None
        assert (first.phase, first.started, first.process) == ("preparing", 100.0, os.getpid())
        calls.plan({"epochs": 3, "steps": 30})
        calls.phase("training")
        calls.step(1, 30, 2.5)
        now[0] = 102.0
        calls.step(2, 30, float("nan"))
        calls.epoch({"epoch": 1.0, "uar": 0.5, "loss": 1.0})
        found = read_progress(tmp_path)
        assert found is not None
        assert (found.step, found.loss, found.epoch, found.updated) == (2, None, 1, 102.0)
        assert found.plan == {"epochs": 3, "steps": 30}
        assert found.validation == [{"epoch": 1.0, "uar": 0.5, "loss": 1.0}]
        file.change(message="v1 promoted")
    last = read_progress(tmp_path)
    assert last is not None
    assert (last.phase, last.message, last.ended) == ("done", "v1 promoted", True)
    assert told == ["0.5"]


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (InterruptedRunError("stopped at epoch 2"), "stopped"),
        (DataError("no clips"), "failed"),
        (MemoryError("full"), "failed"),
    ],
)
def test_how_a_run_ended_is_written(tmp_path: Path, error: BaseException, phase: str) -> None:
    def run() -> None:
        with at_work(tmp_path, "fit"):
            raise error

    with pytest.raises(type(error)):
        run()
    found = read_progress(tmp_path)
    assert found is not None
    assert (found.phase, found.message) == (phase, str(error))
    assert holder(tmp_path) is None


def test_steps_are_not_all_written(tmp_path: Path) -> None:
    now = [0.0]
    file = ProgressFile(tmp_path, "fit", clock=lambda: now[0])
    for step in range(1, 11):
        now[0] += 0.25
        file.step(step, 100, 1.0)
        found = read_progress(tmp_path)
        assert found is not None
        assert found.step == step // 4 * 4
    file.step(100, 100, 1.0)
    last = read_progress(tmp_path)
    assert last is not None
    assert last.step == 100


def test_a_second_run_leaves_the_firsts_progress_alone(tmp_path: Path) -> None:
    with at_work(tmp_path, "first"):
        with pytest.raises(LockedError, match="first"):
            at_work(tmp_path, "second").__enter__()
        found = read_progress(tmp_path)
        assert found is not None
        assert found.purpose == "first"


def test_a_killed_trainer_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom trainer.lifecycle.progress import at_work\n"
        "with at_work(sys.argv[1], 'fit') as file:\n"
        "    print('in', flush=True)\n    time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert run.stdout is not None
    run.stdout.readline()
    found = holder(tmp_path)
    assert found is not None
    assert found.process == run.pid
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 5
    while holder(tmp_path) is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert holder(tmp_path) is None
    left = read_progress(tmp_path)
    assert left is not None
    assert not left.ended
