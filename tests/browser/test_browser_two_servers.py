"""Two servers on one SER_HOME: one queue, one store, one run at a time, one champion."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ser_core.home import Home
from tests.browser.patience import PATIENCE
from tests.browser.test_browser_label import clip_of, corpus, open_label, press, saved
from trainer.lifecycle.lock import holder

__all__ = ["open_label"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    pytest.fail(what)


def served(server: Any) -> str:
    with urllib.request.urlopen(f"{server.url}/health", timeout=60) as answer:
        return str(json.load(answer)["model"]["version"])


@pytest.fixture
def home(tmp_path: Path, small_model: Path) -> Iterator[Path]:
    """A home with clips to label and a version that may be promoted."""
    home = tmp_path / "home"
    corpus(home)
    version = home / "models" / "one"
    shutil.copytree(small_model, version)
    told = version / "specification.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"version": "one"}))
    yield home
    with suppress(OSError, ValueError):
        os.kill(json.loads(Home(home).page_run.read_text())["process"], signal.SIGKILL)


def test_two_servers_of_one_home_share_queue_store_run_and_champion(
    home: Path,
    start_app: Any,
    open_tab: Any,
    open_label: Any,
    to_tab: Any,
    events: Any,
    speech: Path,
) -> None:
    servers = [start_app(home, OMP_NUM_THREADS="1") for _ in range(2)]

    # One queue: what one server's visitor holds, the other's is not shown.
    pages = [open_label(server.url) for server in servers]
    shown: list[str] = []
    for _ in range(4):
        at = [clip_of(page) for page in pages]
        assert at[0] != at[1]
        shown += at
        for page in pages:
            press(page, "Digit6")
            page.wait_for_function(
                "document.querySelector('#label-saved').innerText.includes('Saved')",
                timeout=PATIENCE,
            )
    assert len(set(shown)) == 8
    rows = [row for row in events(home) if row["action"] == "label"]
    assert sorted(row["clip"] for row in rows) == sorted(shown)
    numbers = [int(row["number"]) for row in events(home)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(saved(page) for page in pages)

    # One run at a time: the other server shows it, starts none beside it, and can stop it.
    first, second = (open_tab(server.url, "Model") for server in servers)
    for page in (first, second):
        page.wait_for_selector("#model-history .versions", timeout=PATIENCE)
    first.check("#model-force input")
    first.click("#model-start")
    trainer = until(lambda: _trainer(home), "no run was started")
    os.kill(trainer, signal.SIGSTOP)  # it lasts as long as the test looks
    second.click("#model-start")
    _says(second, "already in progress")
    _says(second, "started by")
    assert _trainer(home) == trainer
    second.click("#model-stop")
    os.kill(trainer, signal.SIGCONT)
    _says(second, "Stopped")
    until(lambda: holder(home) is None, "the run still holds its lock")
    _says(first, "Stopped")
    first.wait_for_function(
        "document.querySelector('#model-go-on')?.checkVisibility()", timeout=PATIENCE
    )

    # One champion: promoted on one, it answers on the other.
    before = [served(server) for server in servers]
    assert before[0] == before[1] != "one"
    to_tab(first, "Model")
    first.click("#model-promote")
    first.wait_for_selector("#model-message .done", timeout=PATIENCE)
    until(lambda: [served(s) for s in servers] == ["one", "one"], "the other serves the old one")
    page = open_tab(servers[1].url, "Recognise")
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_function(
        "document.querySelector('#answer .file')?.innerText.endsWith('small')", timeout=PATIENCE
    )
    for server in servers:
        server.stop()


def _trainer(home: Path) -> int:
    with suppress(OSError, ValueError):
        return int(json.loads(Home(home).page_run.read_text())["process"])
    return 0


def _says(page: Any, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('#model-run')?.innerText.includes(words)",
        arg=words,
        timeout=PATIENCE,
    )
