"""What axe finds on every tab, empty and full, light and dark, wide and narrow: nothing serious."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from scripts.take_pictures import PICTURES, Stage, fill_home, make_talk
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (1280, 390)
ZOOMED: Any = {"width": 640, "height": 450}
"""What a zoom of 200 % leaves of a window of 1280 by 900."""
SERIOUS = ("serious", "critical")
ASKED = 6
ONLY = {"resultTypes": ["violations"]}
"""What it found right, axe would describe too; that takes most of its time."""
TABS = ("Label", "Augment", "Robustness", "Features", "Live", "Corpus", "Model", "About")


@pytest.fixture(scope="module")
def server(
    start_app: Callable[..., Any], small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("home")
    fill_home(home)
    running = start_app(home=home, SER_MODEL=str(small_model))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talk(tmp_path_factory.mktemp("talk"))


def found(page: Any, name: str) -> list[str]:
    """Return what axe finds at both widths: rule, place and markup of each; and what is too wide.

    What is gone a moment later was on its way in or out, half transparent; it is asked again.
    """
    lasting = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(600)
        for _ in range(ASKED):
            told = serious(page, f"{name} at {width} px")
            if not told:
                break
            page.wait_for_timeout(2000)
        lasting += [*told, *sideways(page, name)]
    page.set_viewport_size(ZOOMED)
    page.wait_for_timeout(300)
    lasting += sideways(page, name)
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return lasting


def sideways(page: Any, name: str) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth")
    most = page.viewport_size["width"]
    return [f"{name} is {wide} px wide at {most} px"] if wide > most else []


def serious(page: Any, name: str) -> list[str]:
    return [
        f"{name}: {violation['id']}: {' '.join(map(str, node['target']))}\n"
        f"    {node['html'][:200]}\n    {node['failureSummary'][:300]}"
        for violation in Axe().run(page, options=ONLY).response["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_empty_tabs(
    open_tab: Any, shared_server: Any, to_tab: Callable[[Any, str], None], theme: str
) -> None:
    page = open_tab(shared_server.url, "Recognise", theme=theme)
    told = found(page, "Recognise")
    for title in TABS:
        to_tab(page, title)
        page.wait_for_timeout(1500)  # an empty tab has nothing of its own to wait for
        told += found(page, title)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_full_tabs(
    open_tab: Any, server: Any, talk: Path, speech: Path, theme: str
) -> None:
    told = []
    page = open_tab(server.url, "Recognise", theme=theme)
    stage = Stage(page, clip=speech, talk=talk, patience=PATIENCE)
    for name, fill in PICTURES.items():
        fill(stage)
        told += found(page, name)
    assert not told, "\n".join(told)
