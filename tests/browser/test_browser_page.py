"""The page as a whole: its tabs, its address, on a desk and in a hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OUTER = ["Recognise", "Label", "Explore", "Corpus", "Model", "About"]
OPEN = "[...document.querySelectorAll('[role=tab][aria-selected=true]')].map(e => e.innerText)"


def test_the_tab_inside_a_tab_stands_in_the_address_and_all_are_under_the_thumb(
    open_tab: Any, shared_server: Any
) -> None:
    page = open_tab(shared_server.url, "Live", width=390)
    page.wait_for_url("**/#live")
    page.click("#tab-model-button")
    page.wait_for_url("**/#model")
    page.click("#tab-explore-button")
    page.wait_for_url("**/#live")
    page.reload()
    page.wait_for_selector("#tab-live-button[aria-selected=true]", timeout=PATIENCE)
    assert page.evaluate(OPEN) == ["Explore", "Live"]
    page.evaluate("location.hash = '#features'")
    page.wait_for_selector("#tab-features-button[aria-selected=true]", timeout=PATIENCE)
    for title in OUTER:
        box = page.locator(f"#tab-{title.lower()}-button").bounding_box()
        assert box["y"] > 600, "in the lower third of a page 900 px high"
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= 390


UNTRANSLATED = """
[...document.querySelectorAll("body *:not(script)")].flatMap((one) =>
  [...[...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data),
   ...["aria-label", "placeholder", "title", "alt"].map((name) => one.getAttribute(name) || "")]
).filter((text) => text.includes("__i18n__"))
"""
"""What is left of Gradio's marks in texts and attributes, its own settings in scripts aside."""

SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  if (!entry.hadRecentInput) window.shifts.push(entry.value);
})).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_answer_comes_where_the_eye_is_and_can_be_taken_along(
    open_tab: Any, shared_server: Any, width: int, tmp_path: Path
) -> None:
    page = open_tab(shared_server.url, "Recognise", width=width, script=SHIFTS)
    with page.expect_file_chooser() as chooser:
        page.click("#upload")
    assert not chooser.value.is_multiple()
    page.wait_for_timeout(700)  # what moves within half a second of a press counts as its effect
    page.evaluate("shifts.length = 0")
    page.click("#recognise-left .examples button >> nth=1")
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.wait_for_selector("#picture .playhead", state="attached", timeout=PATIENCE)
    assert page.locator("#answer").bounding_box()["y"] < 500, "no scrolling to the answer"
    assert page.evaluate("shifts.reduce((sum, one) => sum + one, 0)") < 0.05
    told = page.get_attribute("#picture .js-plotly-plot", "aria-label")
    assert page.inner_text("#answer .verdict .word").split()[-1].rstrip("?") in told
    assert " %" in told
    for kind, head in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as saved:
            page.click(f"#picture .picture-tools button:text('{kind}')")
        data = Path(saved.value.path()).read_bytes()
        assert data.startswith(head)
        assert len(data) > 5000
    page.click("#share")
    page.wait_for_selector("#share-note a", timeout=PATIENCE)
    link = page.get_attribute("#share-note a", "href")
    answer = page.inner_text("#answer .bars")
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_selector("#answer [data-shared]", timeout=PATIENCE)
    assert other.inner_text("#answer .bars") == answer
    assert other.locator("#clip audio").count() == 0, "the sound stays where it is"


@pytest.mark.parametrize(
    ("locale", "tabs", "likely", "done"),
    [
        ("de-AT", ["Erkennen", "Annotieren", "Erkunden"], "wahrscheinlich", "alles annotiert"),
        ("pl-PL", ["Rozpoznaj", "Adnotuj", "Zbadaj"], "prawdopodobieństwo", "już nic"),
    ],
)
def test_the_page_speaks_the_language_of_the_browser(
    browser: Any, app_server: Any, locale: str, tabs: list[str], likely: str, done: str
) -> None:
    page = browser.new_context(locale=locale, viewport={"width": 390, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(app_server.url)
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    shown = page.locator("#tabs > .tab-wrapper [role=tab]").all_inner_texts()
    assert shown[:3] == tabs
    page.click("#recognise-left .examples button >> nth=1")
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    assert likely in page.inner_text("#answer .verdict")
    page.keyboard.press("8")
    page.wait_for_selector("#saved .done", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wider = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
    assert page.locator("#put-right .choices button").count() == 9
    assert page.eval_on_selector_all("#put-right .choices button", wider) == []
    page.click("#tab-label-button")
    page.wait_for_selector("#label-card .welcome", timeout=PATIENCE)
    assert done in page.inner_text("#label-card")
    assert page.evaluate(UNTRANSLATED) == []
