"""The Live tab in a real browser whose microphone speaks, is refused, or goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REFUSE = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', '%s'); }"
UNPLUG = (
    "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
    "navigator.mediaDevices.getUserMedia = async (wish) => (window.heldStream = await real(wish));"
)


def open_live(open_tab: Any, url: str, **look: Any) -> Any:
    page = open_tab(url, "Live", **look)
    page.wait_for_selector(".live-toggle", timeout=PATIENCE)
    return page


def test_speak_see_stop_and_open_in_recognise(
    open_tab: Any, shared_server: Any, screenshot: Callable[[Any, str], None]
) -> None:
    page = open_live(open_tab, shared_server.url)
    page.click(".live-toggle")
    page.wait_for_selector("#live-view .live-line [class*=emotion-]", timeout=PATIENCE)
    page.wait_for_function("window.serLive.ages().length >= 6", timeout=PATIENCE)
    assert "from sound to label" in page.inner_text(".live-latency")
    assert page.get_attribute("#live-view .live-picture", "aria-label").startswith("The last 10")
    screenshot(page, "live-wide-light")
    page.click(".live-toggle")
    number = page.get_attribute("#live-view .live", "data-number")
    page.wait_for_timeout(1500)
    assert int(page.get_attribute("#live-view .live", "data-number")) - int(number) <= 1
    assert page.inner_text(".live-toggle").strip() == "Start"
    page.click("#live-send")
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    assert "live recording" in page.inner_text("#answer .file")


def test_the_stretch_that_was_heard_is_labelled_and_nothing_is_kept_before(
    open_tab: Any, app_server: Any, events: Any
) -> None:
    page = open_live(open_tab, app_server.url)
    page.click(".live-toggle")
    # Seconds that were heard, in as many answers as the machine gives for them.
    heard = "Number(document.querySelector('#live-view .live')?.dataset.until) >= 7"
    page.wait_for_function(heard, timeout=PATIENCE)
    page.click(".live-toggle")
    page.get_by_label("5 s", exact=True).check()
    page.click("#live-label")
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert "live recording" in page.inner_text("#label-card .clip-name")
    assert "5.0\N{NO-BREAK SPACE}s" in page.inner_text("#label-card .file")
    assert not list(app_server.home.glob("clips/*/*"))
    assert not list(app_server.home.glob("labels/events-*.csv"))
    page.click("#label-choose-joy")
    page.wait_for_selector("#label-saved .done", timeout=PATIENCE)
    (row,) = events(app_server.home)
    assert (row["emotion"], row["prediction_visible"]) == ("joy", "1")
    assert row["file_name"].startswith("live recording")
    assert len(list(app_server.home.glob("clips/*/*"))) == 1


@pytest.mark.parametrize(
    ("error", "said"), [("NotAllowedError", "refused"), ("NotFoundError", "No microphone")]
)
def test_no_microphone_gets_a_sentence(
    open_tab: Any, shared_server: Any, error: str, said: str
) -> None:
    page = open_live(open_tab, shared_server.url, script=REFUSE % error)
    page.click(".live-toggle")
    page.wait_for_selector(".live-notice:not([hidden])", timeout=PATIENCE)
    assert said in page.inner_text(".live-notice")
    assert page.inner_text(".live-toggle").strip() == "Start"


def test_an_unplugged_microphone_gets_a_sentence(open_tab: Any, shared_server: Any) -> None:
    page = open_live(open_tab, shared_server.url, script=UNPLUG)
    page.click(".live-toggle")
    page.wait_for_selector("#live-view .live", timeout=PATIENCE)
    # A track that is stopped by the page itself is silent about it; the event is what the
    # browser sends when the device goes.
    page.evaluate("window.heldStream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait_for_selector(".live-notice:not([hidden])", timeout=PATIENCE)
    assert "went away" in page.inner_text(".live-notice")
    assert page.inner_text(".live-toggle").strip() == "Start"


def test_at_360_px_nothing_runs_out_of_the_page(
    open_tab: Any, shared_server: Any, screenshot: Callable[[Any, str], None]
) -> None:
    page = open_live(open_tab, shared_server.url, width=360, theme="dark")
    page.click(".live-toggle")
    page.wait_for_function("window.serLive.ages().length >= 4", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    screenshot(page, "live-narrow-dark")
