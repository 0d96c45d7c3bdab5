"""Nothing is asked of another host, and the browser has nothing to complain of, on any tab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TABS = ("Label", "Augment", "Robustness", "Features", "Live", "Corpus", "Model", "About")


def test_no_error_and_no_other_host_on_any_tab(
    browser: Any, shared_server: Any, to_tab: Callable[[Any, str], None], speech: Path
) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    told: list[str] = []
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shared_server.url)
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.wait_for_selector("#picture .heatmaplayer image", state="attached", timeout=PATIENCE)
    for title in TABS:
        to_tab(page, title)
        page.wait_for_selector(f"#tab-{title.lower()}-button[aria-selected=true]", timeout=PATIENCE)
        page.wait_for_timeout(1500)  # whatever a tab asks for when it is opened has been asked
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(shared_server.url).netloc}
    assert told == []
