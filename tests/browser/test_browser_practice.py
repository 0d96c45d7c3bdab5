"""The practice round by keys: set on Corpus, gold clips with feedback on Label, then the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.patience import PATIENCE
from tests.browser.test_browser_label import clip_of, corpus, press, saved

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def server(start_app: Callable[..., Any], tmp_path: Any, small_model: Any) -> Iterator[Any]:
    """A studio with ten clips, three of them gold: all three are known to be joy."""
    home = tmp_path / "home"
    folder = corpus(home, 10)
    names = sorted(path.name for path in folder.glob("*.wav"))[:3]
    (home / "labels").mkdir()
    rows = "".join(f"{name},joy\n" for name in names)
    (home / "labels" / "gold.csv").write_text(f"Filename,Emotion\n{rows}", encoding="utf-8")
    running = start_app(home, SER_MODEL=str(small_model))
    yield running
    running.stop()


def ask_for_practice(page: Any, clips: int, right: int) -> str:
    """Set the practice round on the Corpus tab; return what the page says."""
    page.click("#corpus-annotators button")
    page.wait_for_selector("#corpus-overview .gold", timeout=PATIENCE)
    page.fill("#corpus-practice input", str(clips))
    page.fill("#corpus-practice-right input[type=number]", str(right))
    page.keyboard.press("Tab")
    page.click("#corpus-save-annotators")
    page.wait_for_selector("#corpus-annotators-status .done", timeout=PATIENCE)
    return str(page.inner_text("#corpus-annotators-status"))


def test_gold_clips_with_feedback_come_before_the_queue(
    open_tab: Any, to_tab: Any, server: Any, events: Any, screenshot: Any
) -> None:
    page = open_tab(server.url, "Corpus")
    page.wait_for_selector("#corpus-table table", timeout=PATIENCE)
    assert "answered 3 gold clips, 60 % of them right" in ask_for_practice(page, 3, 60)
    to_tab(page, "Label")
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert "Practice round: 3 clips" in page.inner_text(".practice-round .so-far")
    assert page.locator("#label-card .blind").count() == 1, "whatever the box Blind says"
    gold = [clip_of(page)]
    press(page, "Digit6")
    assert "Right: it is known to be joy." in saved(page)
    assert "1 of 3, 100 % right" in page.inner_text(".practice-round .so-far")
    gold.append(clip_of(page))
    press(page, "Digit5")
    assert "It is known to be joy; you chose fear." in saved(page)
    again = page.locator(".practice-round audio")
    again.evaluate("(one) => one.play()")
    page.wait_for_function(
        "document.querySelector('.practice-round audio').currentTime > 0"
        " && document.querySelector('.clip-card audio').paused",
        timeout=PATIENCE,
    )
    screenshot(page, "label-practice-round")
    gold.append(clip_of(page))
    press(page, "Digit6")
    assert "You passed the practice round, 2 of 3 right." in saved(page)
    assert len(set(gold)) == 3
    assert clip_of(page) not in gold
    assert page.locator("#label-card .blind").count() == 0
    page.wait_for_function(
        "document.querySelector('#label-standing').innerText.includes('0 of 3 labels')",
        timeout=PATIENCE,
    )
    press(page, "Digit6")
    assert "Saved #5: joy." in saved(page)
    assert page.locator(".practice-round").count() == 0
    actions = [row["action"] for row in events(server.home)]
    assert actions == ["label", "label", "label", "pass", "label"]
    to_tab(page, "Corpus")
    page.click("#corpus-annotators button")  # folded, and opened again
    page.click("#corpus-annotators button")
    page.wait_for_function(
        "document.querySelector('#corpus-overview').innerText.includes('passed')",
        timeout=PATIENCE,
    )
