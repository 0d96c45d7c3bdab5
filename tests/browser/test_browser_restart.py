"""A server is killed while it trains: the next one finds the run, stops it, goes on with it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ser_core.corpora.committed_sides import TABLES
from ser_core.home import Home
from tests.browser.patience import PATIENCE
from tests.trainer.speech import write_cremad
from trainer.lifecycle.lock import holder

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 60


def speakers() -> list[str]:
    sides: dict[str, list[str]] = {}
    for speaker, side in sorted(TABLES["cremad"].items()):
        sides.setdefault(side, []).append(speaker)
    return sides["train"][:4] + sides["validation"][:2] + sides["test"][:2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a small corpus; whatever still trains in it at the end is killed."""
    write_cremad(tmp_path / "home" / "corpora", speakers())
    yield tmp_path / "home"
    with suppress(OSError, ValueError, ProcessLookupError):
        os.kill(trainer_of(tmp_path / "home"), signal.SIGKILL)


def trainer_of(home: Path) -> int:
    return int(json.loads(Home(home).page_run.read_text())["process"])


def run_says(page: Any, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('#model-run')?.innerText.includes(words)",
        arg=words,
        timeout=PATIENCE,
    )


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def held_still(home: Path) -> Iterator[None]:
    """Keep the trainer from going on, so that it doesn't matter how long a page takes to start."""
    os.kill(trainer_of(home), signal.SIGSTOP)
    yield
    os.kill(trainer_of(home), signal.SIGCONT)


def test_a_run_is_found_again_stopped_and_gone_on_with(
    home: Path, small_model: Path, start_app: Any, open_tab: Any, screenshot: Any
) -> None:
    def opened(server: Any) -> Any:
        page = open_tab(server.url, "Model")
        page.wait_for_selector("#model-run .run", timeout=PATIENCE)
        return page

    settings = {"SER_MODEL": str(small_model), "OMP_NUM_THREADS": "1"}
    server = start_app(home, **settings)
    page = opened(server)
    assert not page.locator("#model-go-on").is_visible()
    page.check("#model-force input")
    page.fill("input[aria-label='number input for Epochs']", str(EPOCHS))
    page.press("input[aria-label='number input for Epochs']", "Enter")
    page.click("#model-start")
    run_says(page, f"1 of {EPOCHS} epochs")

    # The page alone is killed: the trainer goes on.
    with held_still(home):
        server.process.kill()
        server.process.wait(60)
        server = start_app(home, **settings)
        page = opened(server)
        run_says(page, "Training.")
        run_says(page, f"of {EPOCHS} epochs")
        page.click("#model-stop")
        run_says(page, "Stopping")
    run_says(page, "Stopped; the champion is unchanged.")
    until(lambda: holder(home) is None)

    page.click("#model-go-on")
    run_says(page, "going on from epoch")

    # Everything is killed, as where a container ends.
    server.process.kill()
    os.kill(trainer_of(home), signal.SIGKILL)
    server.process.wait(60)
    before = trainer_of(home)
    server = start_app(home, **settings)
    page = opened(server)
    run_says(page, "The run was interrupted")
    screenshot(page, "model-interrupted")
    page.click("#model-go-on")
    # The interrupted run's log, which is shown until then, has such a line too.
    until(lambda: trainer_of(home) != before)
    run_says(page, "Training.")
    run_says(page, "going on from epoch")
    page.click("#model-stop")
    run_says(page, "Stopped")
    until(lambda: holder(home) is None)
    server.stop()
