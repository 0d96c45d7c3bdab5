"""`python app.py` from the outside: health, and an end within the grace with everything kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore
from label_store.sync import Replica
from label_store.sync.folder import FolderPlace
from scripts.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180.0


@contextmanager
def studio(home: Path, **environment: str) -> Iterator[tuple[subprocess.Popen, str]]:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_")}
    kept |= {"SER_HOME": str(home), "SER_PORT": str(port), "SER_DEVICE": "cpu"} | environment
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process, f"http://127.0.0.1:{port}/health"
    finally:
        process.kill()
        process.communicate()


def ask(url: str) -> dict:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < end, "the studio did not answer"
            time.sleep(0.2)


def settle(url: str) -> None:
    """Wait until the model is loaded: while its libraries are, Python hears no signal."""
    end = time.monotonic() + PATIENCE
    quick = 0
    while quick < 8 and time.monotonic() < end:
        begun = time.monotonic()
        ask(url)
        quick = quick + 1 if time.monotonic() - begun < 0.3 else 0
        time.sleep(0.5)


def label(store: LabelStore, n: int) -> None:
    store.append(LabelEvent(action="label", annotator="ada", clip=f"{n:064x}", emotion="joy"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_folds_in_before_it_answers_and_ends_in_time_with_everything_kept(tmp_path) -> None:
    elsewhere = LabelStore(tmp_path / "elsewhere")
    label(elsewhere, 0)
    place = FolderPlace(tmp_path / "copy")
    Replica(elsewhere, place).round()
    with studio(tmp_path / "home", SER_SYNC=str(tmp_path / "copy")) as (process, health):
        answer = ask(health)
        assert answer["ok"]
        assert answer["sync"]["reached"]
        settle(health)
        here = LabelStore(tmp_path / "home")
        assert len(here.events()) == 1
        for n in range(20):
            label(here, n)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - begun < 10
    Replica(elsewhere, place).round()
    assert len(elsewhere.events()) == 21


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_place_that_makes_no_sense_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    for settings, words in (
        ({"SER_SYNC": "ftp://x"}, "hf://datasets/OWNER/NAME"),
        ({"SER_SYNC_CLIPS": "yes"}, "SER_SYNC_CLIPS is “yes”"),
    ):
        with studio(tmp_path, **settings) as (process, _):
            _, told = process.communicate(timeout=PATIENCE)
            assert process.returncode == 2
            assert words in told.decode()
            assert told.decode().count("\n") == 1
