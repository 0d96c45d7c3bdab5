"""Which tabs an address opens, and what the browser need not keep up with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ui.page import GROUPS, TABS, build_page, opening_tab
from ui.services import AppSettings, Services


def selected(found: list[Any]) -> list[Any]:
    return [getattr(one, "selected", None) for one in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("label", ["label", None]),
        ("live", ["explore", "live"]),
        ("explore", ["explore", None]),
        ("", [None, None]),
        ("x" * 300, [None, None]),
    ],
)
def test_an_address_opens_its_tab_and_the_one_around_it(
    name: str, expected: list[str | None]
) -> None:
    assert selected(opening_tab(name)) == expected


def test_each_group_has_a_title_and_its_tabs_stand_together() -> None:
    groups = [group for _, _, group in TABS if group]
    assert set(groups) == set(GROUPS)
    places = [place for place, row in enumerate(TABS) if row[2] == "explore"]
    assert places == list(range(places[0], places[-1] + 1))


@pytest.mark.slow
def test_progress_that_is_hidden_is_shown_on_nothing_that_is_drawn(tmp_path: Path) -> None:
    page = build_page(Services(AppSettings(home=tmp_path)))
    drawn = {
        place.elem_id or place.__class__.__name__
        for listener in page.fns.values()
        if listener.show_progress == "hidden"
        for place in listener.show_progress_on or listener.outputs
        if getattr(place, "visible", True)
    }
    assert drawn == set()
    shown = [one for one in page.fns.values() if one.show_progress == "full" and one.outputs]
    assert any(one.show_progress_on for one in shown), "what takes long is still seen to work"
