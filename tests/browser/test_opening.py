"""The page opens: for a person, for a program, and with a sentence where a setting is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.patience import PATIENCE


def test_the_page_shows_itself(page: Page) -> None:
    expect(page.locator("h1").first).to_be_visible(timeout=PATIENCE)


def test_programs_find_the_two_endpoints(shared_server: Any) -> None:
    with urllib.request.urlopen(f"{shared_server.url}/gradio_api/info") as answer:
        offered = json.load(answer)["named_endpoints"]
    assert "/predict" in offered


def test_a_port_that_is_none_ends_in_one_line(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=repository,
        env={"SER_PORT": "many", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "SER_PORT" in done.stderr
    assert "Traceback" not in done.stderr
