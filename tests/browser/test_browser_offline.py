"""Label through a lost connection and a restart of the server: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError

from label_store.event import LabelEvent
from label_store.store import LabelStore
from tests.browser.patience import PATIENCE
from tests.browser.test_browser_label import clip_of, corpus, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DECISIONS = int(os.environ.get("SER_TEST_OFFLINE_DECISIONS", "12"))
"""Made without a connection, a part at a time: a page holds at most 50 clips ahead."""

PART = min(40, max(6, DECISIONS // 3))
TOLD = "document.querySelectorAll('#label-offline p')"


def lose(page: Any, held: int) -> None:
    """Take the connection away once so many clips are held."""
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    page.wait_for_function(f"window.serOffline?.held() >= {held}", timeout=PATIENCE)
    page.context.set_offline(True)
    page.wait_for_function("window.serOffline?.online() === false", timeout=PATIENCE)


def find(page: Any) -> None:
    """Give the connection back, and wait until what was decided without it is sent."""
    page.context.set_offline(False)
    page.wait_for_function(
        "window.serOffline?.waiting() === 0 && serOffline.online()", timeout=PATIENCE
    )


def load_again(page: Any) -> None:
    """Load the page again. Gradio does so too, some time after a restarted server answers."""
    page.evaluate("window.notLoadedAgain = true")
    with suppress(PlaywrightError):
        page.evaluate("location.reload()")
    page.wait_for_function("!window.notLoadedAgain && window.serOffline", timeout=PATIENCE)


def test_decisions_made_without_a_connection_are_sent_once_it_is_back(
    open_tab: Any, start_app: Any, events: Any, tmp_path: Path, small_model: Path
) -> None:
    home = tmp_path / "home"
    corpus(home, DECISIONS + 12)
    server = start_app(home, SER_MODEL=str(small_model))
    page = open_tab(server.url, "Label")
    made: list[str] = []
    conflicts = 0
    while len(made) < DECISIONS:
        part = min(PART, DECISIONS - len(made))
        lose(page, part)
        here = []
        for number in range(part):
            here.append(clip_of(page))
            press(page, ("Digit6", "KeyS", "Digit1")[number % 3])
        assert page.evaluate("serOffline.waiting()") == part
        assert f"on this device: {part}." in page.inner_text("#label-offline")
        restarted = not made
        if restarted:
            server.stop()
            store = LabelStore(home)
            store.append(LabelEvent(action="label", annotator="bob", clip=here[0], emotion="fear"))
            conflicts = 1
            server = start_app(home, int(server.url.rpartition(":")[2]), SER_MODEL=str(small_model))
        made += here
        find(page)
        if restarted:
            load_again(page)
    rows = [row for row in events(home) if row["annotator"] != "bob"]
    counted = Counter(row["clip"] for row in rows)
    twice = {clip for clip, count in counted.items() if count > 1}
    assert not twice, "none is doubled, nor offered again"
    assert len(set(made)) == len(made)
    lost = set(made) - set(counted)
    assert len(lost) <= conflicts
    page.wait_for_function(
        f"lost => [...{TOLD}].filter((one) => one.textContent.includes('changed')).length === lost",
        arg=len(lost),
        timeout=PATIENCE,
    )
    assert {row["action"] for row in rows} == {"label", "skip"}
    assert page.get_attribute("link[rel=manifest]", "href"), "the page can be installed"


def segments_of(page: Any) -> list[Any]:
    return json.loads(page.get_attribute("#label-card .clip-card", "data-segments"))


def drag(page: Any, start: float, end: float) -> None:
    """Drag a segment over a share of the sound's drawing."""
    page.wait_for_function(
        "document.getElementById('label-wave').dataset.ready === "
        "document.querySelector('#label-card .clip-card').dataset.ticket",
        timeout=PATIENCE,
    )
    page.locator("#label-wave").scroll_into_view_if_needed()
    box = page.locator("#label-wave").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=8)
    page.mouse.up()
    page.wait_for_function("document.getElementById('label-wave').dataset.drafts === '1'")


def test_segments_and_fields_are_kept_without_a_connection_and_undo_brings_a_clip_back(
    open_tab: Any, start_app: Any, events: Any, tmp_path: Path, small_model: Path
) -> None:
    home = tmp_path / "home"
    corpus(home, 16)
    server = start_app(home, SER_MODEL=str(small_model))
    page = open_tab(server.url, "Label")
    lose(page, 4)
    first = clip_of(page)
    drag(page, 0.1, 0.4)
    press(page, "Digit6")
    assert clip_of(page) == first, "a segment's label leaves the clip where it is"
    drag(page, 0.5, 0.9)
    page.click("#label-undo")
    page.wait_for_function("document.getElementById('label-wave').dataset.drafts === '0'")
    assert len(segments_of(page)) == 1, "the edit was taken back, not the label"
    drag(page, 0.5, 0.9)
    press(page, "Digit1")
    assert len(segments_of(page)) == 2
    page.click("#label-undo")
    page.wait_for_function("serOffline.waiting() === 1")
    assert len(segments_of(page)) == 1

    page.keyboard.press("Escape")
    page.click("#label-details button")
    page.fill("#label-note textarea, #label-note input", "hoarse")
    page.click("#label-details label:has-text('a guess')")
    page.click("#label-details button")
    press(page, "Digit1")
    second = clip_of(page)
    assert second != first
    page.wait_for_function(
        "document.querySelector('#label-note :is(textarea, input)').value === ''", timeout=PATIENCE
    )
    press(page, "Digit2")
    assert clip_of(page) != second
    page.click("#label-undo")
    page.wait_for_function(
        "clip => document.querySelector('#label-card .clip-card').dataset.ticket.startsWith(clip)",
        arg=second,
    )
    press(page, "KeyC")
    assert page.evaluate("serOffline.waiting()") == 3
    page.click("#label-suggest")
    assert "once the connection is back" in page.inner_text("#label-ignored")

    find(page)
    rows = events(home)
    segment, whole, unclear = rows
    assert (segment["clip"], segment["emotion"]) == (first, "joy")
    assert 0 < float(segment["start"]) < float(segment["end"])
    assert (segment["note"], segment["certainty"]) == ("", "")
    assert (whole["clip"], whole["start"], whole["action"]) == (first, "", "label")
    assert (whole["note"], float(whole["certainty"])) == ("hoarse", 0.4)
    assert (unclear["clip"], unclear["reason"]) == (second, "can't tell")
    assert (unclear["note"], unclear["certainty"]) == ("", "")

    # Practice saves nothing, with a connection and without.
    load_again(page)
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    page.click("#label-practise")
    page.wait_for_selector("#label-card [data-practice]", timeout=PATIENCE)
    page.context.set_offline(True)
    page.wait_for_function("window.serOffline?.online() === false", timeout=PATIENCE)
    page.keyboard.press("1")
    assert "Practice goes on" in page.inner_text("#label-ignored")
    find(page)
    assert len(events(home)) == 3
    server.stop()


def test_what_is_on_its_way_when_the_page_is_loaded_again_is_kept(
    open_tab: Any, start_app: Any, events: Any, tmp_path: Path, small_model: Path
) -> None:
    home = tmp_path / "home"
    corpus(home, 8)
    server = start_app(home, SER_MODEL=str(small_model))
    page = open_tab(server.url, "Label")
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    clip = clip_of(page)
    page.route("**/gradio_api/run/predict*", lambda route: route.abort())
    page.keyboard.press("6")
    page.unroute("**/gradio_api/run/predict*")
    load_again(page)
    find(page)
    (row,) = events(home)
    assert (row["clip"], row["emotion"]) == (clip, "joy")

    # Once no clip is left here, keys decide nothing, and Undo brings the last one back.
    lose(page, 4)
    while not page.locator("#label-card .offline-card .welcome").count():
        press(page, "Digit1")
    waiting = page.evaluate("serOffline.waiting()")
    page.keyboard.press("6")
    page.wait_for_timeout(300)
    assert page.evaluate("serOffline.waiting()") == waiting
    page.click("#label-undo")
    page.wait_for_selector("#label-card .offline-card .clip-card")
    press(page, "Digit6")
    find(page)
    assert {row["emotion"] for row in events(home)[:-1]} == {"joy", "anger"}
    assert events(home)[-1]["emotion"] == "joy"
    assert len({row["clip"] for row in events(home)}) == len(events(home)) == waiting + 1
    server.stop()
