"""The Model tab in a real browser: figures, a run that starts and is stopped, versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_model(open_tab: Any, url: str, **look: Any) -> Any:
    page = open_tab(url, "Model", **look)
    page.wait_for_selector("#model-history .versions", timeout=PATIENCE)
    return page


def test_the_champion_s_figures_and_a_run_without_corpora(
    open_tab: Any, app_server: Any, screenshot: Callable[[Any, str], None]
) -> None:
    page = open_model(open_tab, app_server.url)
    assert "shipped" in page.inner_text("#model-history")
    assert page.inner_text("#model-head").strip()
    page.click("#model-start")
    page.wait_for_selector("#model-run .refused", timeout=PATIENCE)
    said = page.inner_text("#model-run")
    assert "The run failed; the champion is unchanged. There is no folder" in said
    assert "Traceback" not in said
    page.click("#model-rollback")
    page.wait_for_selector("#model-message .refused", timeout=PATIENCE)
    assert "nothing to roll back" in page.inner_text("#model-message")
    screenshot(page, "model-wide-light")


def test_at_360_px_nothing_runs_out_of_the_page(
    open_tab: Any, shared_server: Any, screenshot: Callable[[Any, str], None]
) -> None:
    page = open_model(open_tab, shared_server.url, width=360, theme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    screenshot(page, "model-narrow-dark")
