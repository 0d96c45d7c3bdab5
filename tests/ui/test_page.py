"""Which tabs an address opens."""

from __future__ import annotations

from typing import Any

import pytest

from ui.page import GROUPS, TABS, opening_tab


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
