"""The Corpus tab in a real browser: look, play, correct either cell, search, ask the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("03a01Fa", "03a01Wb", "03a02Tc", "08a01Na", "08a02Ea", "09a01Aa")


@pytest.fixture
def server(start_app: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    home = tmp_path / "home"
    folder = home / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    sounds = sorted((ROOT / "examples").glob("*.flac"))
    for name, sound in zip(NAMES, sounds, strict=True):
        (folder / f"{name}.flac").write_bytes(sound.read_bytes())
    running = start_app(home)
    yield running
    running.stop()


@pytest.fixture
def open_corpus(open_tab: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the tab and waits for its table."""

    def opened(url: str, **look: Any) -> Any:
        page = open_tab(url, "Corpus", **look)
        page.wait_for_selector("#corpus-table tbody tr", timeout=PATIENCE)
        return page

    return opened


def status_has(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('#corpus-status').innerText.includes(text)",
        arg=text,
        timeout=PATIENCE,
    )


def test_look_play_correct_and_search(
    open_corpus: Any, server: Any, events: Any, screenshot: Callable[[Any, str], Path]
) -> None:
    page = open_corpus(server.url)
    assert page.locator("#corpus-table tbody tr").count() == len(NAMES)
    page.locator("#corpus-table button[data-do=play]").first.click()
    page.wait_for_selector("#corpus-editor audio", timeout=PATIENCE)
    page.locator("#corpus-table select").nth(1).select_option("fear")
    status_has(page, "fear")
    cell = page.locator("#corpus-table td.name input").nth(2)
    cell.fill("mended.flac")
    cell.press("Tab")
    status_has(page, "mended.flac")
    page.locator("#corpus-search input, #corpus-search textarea").fill("mended")
    page.wait_for_function("document.querySelectorAll('#corpus-table tbody tr').length === 1")
    rows = events(server.home)
    assert [(row["action"], row["emotion"]) for row in rows] == [("label", "fear"), ("rename", "")]
    assert rows[1]["file_name"] == "mended.flac"
    page.locator("#corpus-search input, #corpus-search textarea").fill("")
    page.click("#corpus-figures button")
    page.wait_for_selector("#corpus-figures .js-plotly-plot", timeout=PATIENCE)
    screenshot(page, "corpus-light")


def test_an_import_is_shown_before_it_is_applied(
    open_corpus: Any, server: Any, events: Any, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("Filename;Emotion\n03a01Fa.flac;Wut\nno.wav;nonsense\n", encoding="utf-8")
    page = open_corpus(server.url)
    page.click("#corpus-exchange button")
    page.set_input_files("#corpus-table-import input[type=file]", str(table))
    page.wait_for_selector("#corpus-plan table", timeout=PATIENCE)
    assert "nonsense" in page.inner_text("#corpus-plan")
    assert events(server.home) == []
    page.click("#corpus-apply")
    page.wait_for_selector("#corpus-plan .done", timeout=PATIENCE)
    assert [row["emotion"] for row in events(server.home)] == ["anger"]


def test_ticked_rows_become_gold_and_trust_is_set(open_corpus: Any, server: Any) -> None:
    page = open_corpus(server.url)
    page.click("#corpus-annotators button")
    page.wait_for_selector("#corpus-overview .hint", timeout=PATIENCE)
    page.locator("#corpus-table input[data-pick]").nth(1).check()
    page.click("#corpus-gold")
    page.wait_for_selector("#corpus-annotators-status .done", timeout=PATIENCE)
    assert "1 gold clip" in page.inner_text("#corpus-overview")
    gold = (server.home / "labels" / "gold.csv").read_text(encoding="utf-8")
    assert gold.startswith("Filename,Emotion")
    page.get_by_label("only selected annotators").check()
    page.click("#corpus-save-annotators")
    page.wait_for_function(
        "document.querySelector('#corpus-annotators-status').innerText.includes('nobody')",
        timeout=PATIENCE,
    )
    people = json.loads((server.home / "labels" / "people.json").read_text(encoding="utf-8"))
    assert (people["trusted"], people["gold_share"]) == ([], 0.05)


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 360), ("dark", 360)])
def test_it_fits(
    open_corpus: Any, server: Any, screenshot: Callable[[Any, str], Path], theme: str, width: int
) -> None:
    page = open_corpus(server.url, width=width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"corpus-{theme}-{width}")
