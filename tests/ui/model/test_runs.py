"""A training run as the page sees it: its way, its end, and what another page makes of it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ser_core.home import Home
from tests.ui.model.test_tab import TRAINER, VISITOR
from ui.errors import PageError
from ui.model import html, tab
from ui.model.runs import FIT, Runs, TrainingRequest, words
from ui.services import Services


def command(code: str) -> Any:
    return lambda services, wish: [sys.executable, "-u", "-c", code]


def wait(runs: Runs, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while runs.state().busy and time.monotonic() < end:
        time.sleep(0.05)


_TRAINER = """
import os, signal, sys, time
from trainer.errors import InterruptedRunError
from trainer.lifecycle.progress import at_work
def end(number, frame):
    raise InterruptedRunError("stopped at epoch 2; the same command goes on from there")
signal.signal(signal.SIGTERM, end)
try:
    with at_work({home!r}, "a training run") as file:
        file.change(phase="training", plan=dict(epochs=2, steps=4))
        for epoch in (1, 2):
            file.step(2 * epoch, 4, 1.0)
            file.epoch(dict(epoch=epoch, uar=0.5, loss=float("nan")))
        print("loss <1>", flush=True)
        {end}
        file.change(message="v7 promoted")
except InterruptedRunError:
    sys.exit(75)
"""
"""A trainer as the page sees it, without the training."""


def test_a_run_tells_its_epochs_and_ends(services: Services) -> None:
    runs = Runs(services, command(_TRAINER.format(home=str(services.home), end="")))
    assert runs.state().phase == "none"
    runs.start(TrainingRequest(), TRAINER)
    wait(runs)
    state = runs.state()
    assert (state.phase, state.done, state.total, state.share) == ("done", 2, 2, 1.0)
    shown = html.run(state)
    assert "loss &lt;1&gt;" in shown
    assert "2 of 2 epochs, 100 % of the steps" in shown
    assert "v7 promoted" in shown


def test_a_run_is_stopped_and_a_second_one_refused(services: Services) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *a: (print('saved'), sys.exit(75)))\n"
        "print('ready')\ntime.sleep(600)"
    )
    runs = Runs(services, command(code))
    runs.start(TrainingRequest(), TRAINER)
    end = time.monotonic() + 90
    while "ready" not in runs.state().log and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(PageError, match="already in progress"):
        runs.start(TrainingRequest(), TRAINER)
    runs.stop(TRAINER)
    wait(runs)
    assert runs.state().phase == "stopped"
    assert "saved" in runs.state().log
    with pytest.raises(PageError, match="No training run"):
        runs.stop(TRAINER)


def test_a_failed_run_says_so(services: Services) -> None:
    runs = Runs(services, command("import sys; sys.exit('no corpora were found')"))
    runs.start(TrainingRequest(), TRAINER)
    wait(runs)
    assert runs.state().phase == "failed"
    assert "no corpora were found" in html.run(runs.state())
    assert "no corpora were found" in tab.progress(runs, TRAINER)[0]
    for_all, *_ = tab.progress(runs, VISITOR)
    assert "The run failed" in for_all
    assert "no corpora were found" not in for_all


def test_a_run_from_elsewhere_is_seen(services: Services) -> None:
    from trainer.lifecycle.lock import only_one

    runs = Runs(services)
    with only_one(services.home, "a training run"):
        state = runs.state()
        assert state.phase == "elsewhere"
        assert str(os.getpid()) in html.run(state)
        with pytest.raises(PageError, match="already in progress"):
            runs.start(TrainingRequest(), TRAINER)
        with pytest.raises(PageError, match="elsewhere"):
            runs.stop(TRAINER)
    assert runs.state().phase == "none"


def started_by_a_killed_page(services: Services, **wish: Any) -> Runs:
    runs = Runs(services, command(_TRAINER.format(home=str(services.home), end="time.sleep(600)")))
    runs.start(TrainingRequest(**wish), TRAINER)
    end = time.monotonic() + 90
    # The epochs are told a moment before the log has its line.
    while not (runs.state().done == 2 and runs.state().log) and time.monotonic() < end:
        time.sleep(0.05)
    assert runs.state().phase == "running"
    return runs


def test_a_run_of_a_killed_page_is_found_shown_and_stopped(services: Services) -> None:
    first = started_by_a_killed_page(services)
    runs = Runs(services)
    state = runs.state()
    assert (state.phase, state.who, state.done, state.total) == ("running", "ada", 2, 2)
    assert "loss <1>" in state.log
    with pytest.raises(PageError, match="already in progress"):
        runs.start(TrainingRequest(), TRAINER)
    with pytest.raises(PageError, match="Only people who may train"):
        runs.stop(VISITOR)
    runs.stop(TRAINER)
    assert runs.state().phase in ("stopping", "stopped")
    wait(runs)
    assert runs.state().phase == "stopped"
    assert "goes on from there" in html.run(runs.state())
    wait(first)
    assert first.state().phase == "stopped"


def test_a_trainer_that_was_killed_is_interrupted_and_can_go_on(services: Services) -> None:
    first = started_by_a_killed_page(services, kind=FIT, epochs=7, force=True)
    assert first._child is not None
    first._child.kill()
    first._child.wait()
    asked: list[TrainingRequest] = []

    def commanded(services: Services, wish: TrainingRequest) -> list[str]:
        asked.append(wish)
        return [sys.executable, "-c", "print('gone on')"]

    runs = Runs(services, commanded)
    for page in (first, runs):
        state = page.state()
        assert (state.phase, state.can_go_on) == ("interrupted", True)
        assert state.seconds < 60
    shown, _, button = tab.progress(runs, TRAINER)
    assert "The run was interrupted" in shown
    assert button["visible"]
    shown, _, button = tab.progress(runs, VISITOR)
    assert "Go on" not in shown
    assert not button["visible"]
    with pytest.raises(PageError, match="Only people who may train"):
        runs.go_on(VISITOR)
    runs.go_on(TRAINER)
    wait(runs)
    assert asked == [TrainingRequest(FIT, epochs=7, force=True)]
    assert (runs.state().phase, runs.state().log) == ("done", "gone on\n")
    assert first.state().phase == "interrupted", "another page only knows that it did not say how"
    with pytest.raises(PageError, match="No run was stopped or interrupted"):
        runs.go_on(TRAINER)


def test_what_an_earlier_version_wrote_down_is_read(services: Services) -> None:
    paths = Home(services.home)
    paths.runs.mkdir(parents=True)
    paths.page_run.write_text('{"process": 1, "who": "ada", "started": 0.0}')
    state = Runs(services).state()
    assert (state.phase, state.who, state.can_go_on) == ("interrupted", "ada", False)
    for damaged in ("", "[]", '{"process": 1, "who": "a", "started": 0, "wish": {"kind": 1}}'):
        paths.page_run.write_text(damaged)
        assert Runs(services).state().phase == "none"


_LOADING = "print('loading', flush=True); import time; time.sleep(120)"
"""A trainer that has not come to its lock yet."""


def test_two_pages_of_one_home_see_one_run(services: Services) -> None:
    first, second = (Runs(services, command(_LOADING)) for _ in range(2))
    first.start(TrainingRequest(), TRAINER)
    assert (second.state().phase, second.state().who) == ("running", "ada")
    with pytest.raises(PageError, match="already in progress"):
        second.start(TrainingRequest(), TRAINER)
    second.stop(TRAINER)
    wait(second)
    assert second.state().phase == "stopped"
    assert first.state().phase == "stopped"
    second.start(TrainingRequest(), TRAINER)
    assert first.state().phase == "running", "what became of its own run is the past"
    second.stop(TRAINER)
    wait(first)


def test_of_pages_that_start_at_once_one_starts(services: Services) -> None:
    pages = [Runs(services, command(_LOADING)) for _ in range(6)]
    together = threading.Barrier(len(pages))

    def start(runs: Runs) -> bool:
        together.wait()
        try:
            runs.start(TrainingRequest(), TRAINER)
        except PageError:
            return False
        return True

    with ThreadPoolExecutor(len(pages)) as pool:
        begun = list(pool.map(start, pages))
    try:
        assert sum(begun) == 1
    finally:
        for runs, began in zip(pages, begun, strict=True):
            if began:
                runs.stop(TRAINER)
                wait(runs)


def test_a_run_on_another_machine_is_elsewhere(services: Services) -> None:
    runs, other = Runs(services, command(_LOADING)), Runs(services)
    runs.start(TrainingRequest(), TRAINER)
    paths = Home(services.home)
    held = json.loads(paths.page_run.read_text())
    paths.page_run.write_text(json.dumps(held | {"host": "another-machine"}))
    assert other.state().phase == "elsewhere"
    assert "another-machine" in html.run(other.state())
    with pytest.raises(PageError, match="stop it there"):
        other.stop(TRAINER)
    paths.page_run.write_text(json.dumps(held))
    runs.stop(TRAINER)
    wait(runs)


def test_the_command_is_one_that_the_trainer_reads(services: Services) -> None:
    from trainer.cli.parser import build_parser

    recipe = '[{"name": "speed", "factor": [0.9, 1.1], "p": 0.5}]'
    for wish in (TrainingRequest(force=True, recipe=recipe), TrainingRequest(FIT, epochs=2)):
        said = words(services, wish)[3:]
        args = build_parser("data", "models/default", said[0]).parse_args(said)
        assert args.epochs == str(wish.epochs)
        assert Path(args.home) == services.home.resolve()


@pytest.mark.parametrize("recipe", ["nonsense", '[{"name": "no such effect"}]', "5", "{}"])
def test_a_recipe_that_makes_no_sense_is_refused(services: Services, recipe: str) -> None:
    with pytest.raises(PageError, match="recipe"):
        words(services, TrainingRequest(recipe=recipe))


def test_epochs_out_of_range_are_refused(services: Services) -> None:
    with pytest.raises(PageError, match="0 epochs"):
        words(services, TrainingRequest(epochs=0))


def test_the_log_shows_its_end_only(services: Services) -> None:
    runs = Runs(
        services, command("print('x' * 99 + '\\n', end='') or [print(n) for n in range(9999)]")
    )
    runs.start(TrainingRequest(), TRAINER)
    wait(runs)
    log = runs.state().log
    assert log.endswith("9998\n")
    assert len(log) <= 16_000
