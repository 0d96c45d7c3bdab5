"""Label through a lost connection and a restart of the server: nothing lost, nothing doubled."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from label_store.event import LabelEvent
from label_store.store import LabelStore
from tests.browser.patience import PATIENCE
from tests.browser.test_browser_label import clip_of, corpus, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DECISIONS = int(os.environ.get("SER_TEST_OFFLINE_DECISIONS", "12"))
"""Made without a connection, a part at a time: a page holds at most 50 clips ahead."""

PART = min(40, max(6, DECISIONS // 3))


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
        page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
        page.wait_for_function(f"window.serOffline?.held() >= {part}", timeout=PATIENCE)
        page.context.set_offline(True)
        page.wait_for_function("window.serOffline?.online() === false", timeout=PATIENCE)
        here = []
        for number in range(part):
            here.append(clip_of(page))
            press(page, ("Digit6", "KeyS", "Digit1")[number % 3])
        assert page.evaluate("serOffline.waiting()") == part
        assert f"{part} decisions wait" in page.inner_text("#label-offline")
        if not made:
            server.stop()
            store = LabelStore(home)
            store.append(LabelEvent(action="label", annotator="bob", clip=here[0], emotion="fear"))
            conflicts = 1
            server = start_app(home, int(server.url.rpartition(":")[2]), SER_MODEL=str(small_model))
        made += here
        page.context.set_offline(False)
        page.wait_for_function(
            "window.serOffline?.waiting() === 0 && serOffline.online()", timeout=PATIENCE
        )
    rows = [row for row in events(home) if row["annotator"] != "bob"]
    counted = Counter(row["clip"] for row in rows)
    told = page.locator("#label-offline p").all_inner_texts()
    twice = {clip for clip, count in counted.items() if count > 1}
    assert not twice, "none is doubled, nor offered again"
    assert len(set(made)) == len(made)
    lost = set(made) - set(counted)
    assert len(lost) == len([one for one in told if "changed" in one]) <= conflicts
    assert {row["action"] for row in rows} == {"label", "skip"}
    assert page.get_attribute("link[rel=manifest]", "href"), "the page can be installed"
