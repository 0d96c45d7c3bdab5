"""A clip that the browser can't play says so on every tab, and gets no label there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NO_SOUND = "can't be played"

DAMAGED = """
new MutationObserver(() => {
    for (const sound of document.querySelectorAll("audio[src^='data:']"))
        if (!window.heals && !sound.dataset.damaged) {
            sound.dataset.damaged = "1";
            sound.src = "data:audio/wav;base64,UklGRgAAAAAAAAAA";
        }
}).observe(document, {childList: true, subtree: true, attributes: true, attributeFilter: ["src"]});
"""
"""Gives every player that holds its sound bytes that no browser decodes."""


@pytest.fixture
def server(
    start_app: Callable[..., Any], tmp_path: Path, small_model: Path, speech: Path
) -> Iterator[Any]:
    folder = tmp_path / "home" / "corpora" / "mine"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}{speech.suffix}").write_bytes(speech.read_bytes() + name.encode())
    rows = "".join(f"{name}{speech.suffix},,ann\n" for name in ("a", "b"))
    (folder / "table.csv").write_text(f"Filename,Emotion,Speaker\n{rows}")
    running = start_app(tmp_path / "home", SER_MODEL=str(small_model))
    yield running
    running.stop()


def told(page: Any, where: str) -> str:
    page.wait_for_selector(f"{where} .player-error", timeout=PATIENCE)
    return str(page.inner_text(f"{where} .player-error"))


def test_a_clip_whose_sound_does_not_arrive_is_not_corrected_on_recognise(
    open_tab: Any, server: Any, events: Any, speech: Path
) -> None:
    page = open_tab(server.url, "Recognise")
    page.route("**/file=**", lambda route: route.abort())
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    assert NO_SOUND in told(page, "#clip")
    page.click("#choose-sadness")
    assert "no label is taken" in told(page, "#clip")
    assert events(server.home) == []
    # The next clip arrives, and is corrected.
    page.unroute("**/file=**")
    page.click("#clip button[aria-label='Clear']")
    page.wait_for_selector("#answer .welcome h2", timeout=PATIENCE)
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.wait_for_selector("#clip .player-error", state="detached", timeout=PATIENCE)
    page.click("#choose-sadness")
    page.wait_for_selector("#saved .done", timeout=PATIENCE)
    assert [row["emotion"] for row in events(server.home)] == ["sadness"]


def test_no_digit_is_accepted_on_label_for_a_clip_that_could_not_be_played(
    open_tab: Any, server: Any, events: Any
) -> None:
    page = open_tab(server.url, "Label", script=DAMAGED)
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert NO_SOUND in told(page, "#label-card")
    before = page.get_attribute("#label-card .clip-card", "data-ticket")
    page.keyboard.press("6")
    page.wait_for_function(
        "document.querySelector('#label-card .player-error').innerText.includes('no label')",
        timeout=PATIENCE,
    )
    page.keyboard.press("Enter")
    # It can be skipped, and of all that was pressed this alone was saved.
    page.evaluate("window.heals = true")
    page.keyboard.press("s")
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=before,
        timeout=PATIENCE,
    )
    assert [row["action"] for row in events(server.home)] == ["skip"]
    # The next one can be heard, and is labelled.
    page.wait_for_function(
        "!document.querySelector('#label-card .player-error') && "
        "document.querySelector('#label-card audio').readyState >= 1",
        timeout=PATIENCE,
    )
    page.keyboard.press("6")
    page.wait_for_selector("#label-saved .done", timeout=PATIENCE)
    page.wait_for_function(
        "document.querySelector('#label-saved').innerText.includes('joy')", timeout=PATIENCE
    )
    assert [row["action"] for row in events(server.home)] == ["skip", "label"]


def test_the_corpus_table_says_that_a_clip_can_not_be_played(open_tab: Any, server: Any) -> None:
    page = open_tab(server.url, "Corpus", script=DAMAGED)
    page.wait_for_selector("#corpus-table tbody tr", timeout=PATIENCE)
    page.locator("#corpus-table button[data-do=play]").first.click()
    assert NO_SOUND in told(page, "#corpus-editor")
