"""Decisions that come later: each once, none on a clip that somebody changed meanwhile."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_store.event import LabelEvent
from tests.ui.label.test_session import ADA, BOB, VISITOR, QuickShelf, choose, corpus, shown
from ui.label.offline import AHEAD, OfflineLabels
from ui.label.session import LabelSession
from ui.services import AppSettings, Services


@pytest.fixture
def labelling(tmp_path: Path) -> LabelSession:
    corpus(tmp_path / "home")
    services = Services(AppSettings(home=tmp_path / "home"))
    return LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))


@pytest.fixture
def offline(labelling: LabelSession) -> OfflineLabels:
    return OfflineLabels(labelling)


def ticket(card: str) -> str:
    return card.partition('data-ticket="')[2].partition('"')[0]


def sent(card: str, emotion: str = "anger", **other: Any) -> dict[str, Any]:
    made = {"id": str(uuid.uuid4()), "ticket": ticket(card), "action": "label", "emotion": emotion}
    return made | {"blind": False, "milliseconds": 900} | other


def all_ahead(offline: OfflineLabels, have: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    while got := offline.ahead(ADA, [*have, *found], blind=False):
        found |= {one["clip"]: one["card"] for one in got}
    return found


def test_the_clips_that_come_next_are_fetched_and_nobody_waits_for_them(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    first = shown(labelling).sha
    cards = all_ahead(offline, [first])
    assert len(cards) >= 6, "all but those that the page holds"
    assert first not in cards
    assert all("data:audio/wav" in card for card in cards.values())
    assert shown(labelling, BOB, "other") is not None
    assert offline.ahead(VISITOR, [], blind=False) == []
    assert offline.ahead(ADA, ["x"] * (AHEAD + 1), blind=False) == []
    assert "emodb" not in offline.ahead(ADA, [], blind=True)[0]["card"]


def test_each_decision_counts_once_however_often_it_is_sent(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    made = [sent(card) for card in all_ahead(offline, []).values()]
    first = [one["status"] for one in offline.take(ADA, made)]
    again = [one["status"] for one in OfflineLabels(labelling).take(ADA, made)]
    assert first == ["saved"] * 8
    assert again == ["known"] * 8
    events = labelling.services.store.events()
    assert len(events) == 8
    assert {event.milliseconds for event in events} == {900}
    assert len({event.session for event in events}) == 8


def test_one_that_reached_the_store_while_its_answer_was_lost_is_known(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    clip = shown(labelling)
    choose(labelling, "anger")
    late = sent("", ticket=clip.ticket)
    assert offline.take(ADA, [late])[0]["status"] == "known"
    other = sent("", "joy", ticket=clip.ticket)
    assert offline.take(ADA, [other])[0]["status"] == "conflict"
    assert labelling.services.store.revision == 1


def test_what_somebody_else_decided_meanwhile_stands_and_is_told(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    needed = labelling.queue().annotations_needed
    cards = all_ahead(offline, [])
    clip, card = next((c, cards[c]) for c in cards if needed(c) == 1)
    store = labelling.services.store
    store.append(LabelEvent(action="label", annotator="bob", clip=clip, emotion="joy"))
    (found,) = offline.take(ADA, [sent(card)])
    assert found["status"] == "conflict"
    assert "anger" in found["message"]
    assert store.clip(clip).whole() == {"bob": "joy"}


def test_the_page_goes_on_after_the_clip_that_was_decided_without_it(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    clip = shown(labelling)
    offline.take(ADA, [sent("", ticket=clip.ticket)])
    assert shown(labelling).sha != clip.sha


@pytest.mark.parametrize(
    "wrong",
    [{"id": "1"}, {"ticket": "../../x:"}, {"emotion": "=1+1"}, {"action": "rename"}],
)
def test_what_no_page_made_is_refused(offline: OfflineLabels, wrong: dict[str, str]) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    assert offline.take(ADA, [sent(card) | wrong])[0]["status"] == "refused"


def test_nobody_writes_for_others(offline: OfflineLabels) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    (found,) = offline.take(VISITOR, [sent(card)])
    assert (found["status"], found["message"]) == ("refused", VISITOR.reason)


def test_a_clip_that_went_away_is_told(labelling: LabelSession, offline: OfflineLabels) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    for path in (labelling.services.home / "corpora").rglob("*.wav"):
        path.unlink()
    (found,) = offline.take(ADA, [sent(card)])
    assert found["status"] == "refused"
    assert "not saved" in found["message"]
