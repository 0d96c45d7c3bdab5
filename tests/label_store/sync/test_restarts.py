"""A Space that is killed and wiped: what the page called kept is there, once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).with_name("storm.py")


def weather(folder: Path, restarts: int, labels: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(STORM), str(folder), str(restarts), str(labels)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counted = json.loads(done.stdout)
    print(counted)
    assert counted["kept_and_lost"] == 0
    assert counted["twice"] == 0
    assert counted["reports"] == 0
    assert counted["damaged"] == 0
    assert counted["kept"] > restarts
    assert counted["only_saved"] == counted["saved"] - counted["kept"]
    return counted


@pytest.mark.skipif(sys.platform == "win32", reason="no processes are forked there")
def test_restarts_with_a_wiped_disk_lose_nothing_that_was_kept(tmp_path: Path) -> None:
    weather(tmp_path, 6, 300)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform == "win32", reason="no processes are forked there")
def test_a_hundred_restarts_and_ten_thousand_labels_lose_nothing_kept(tmp_path: Path) -> None:
    assert weather(tmp_path, 100, 13_000)["saved"] >= 10_000
