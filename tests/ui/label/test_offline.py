"""Decisions that come later: each once, none on a clip that somebody changed meanwhile."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_store.event import LabelEvent
from tests.ui.label.test_session import ADA, BOB, VISITOR, QuickShelf, choose, corpus, shown
from ui.label import html
from ui.label.displayed import CANNOT_TELL
from ui.label.offline import AHEAD, OfflineLabels
from ui.label.session import IN_SEGMENTS, LabelSession
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


def segment(card: str, emotion: str, *span: float, **other: Any) -> dict[str, Any]:
    return sent(card, emotion, segment=list(span), **other)


def test_segments_are_labelled_without_a_connection_and_then_the_clip(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    made = [
        segment(card, "fear", 0.1, 0.3),
        segment(card, "joy", 0.35, 0.5),
        segment(card, "fear", 0.15, 0.3, replaces=[0.1, 0.3]),
        sent(card, action="remove", segment=[0.35, 0.5]),
        sent(card, action="skip", emotion=""),
    ]
    assert [one["status"] for one in offline.take(ADA, made)] == ["saved"] * 5
    assert [one["status"] for one in offline.take(ADA, made)] == ["known"] * 5
    view = labelling.services.store.clip(made[0]["ticket"].partition(":")[0])
    spans = {span: by["ada"].emotion for span, by in view.annotations.items() if span[0]}
    assert spans == {("0.15", "0.3"): "fear"}
    skip = labelling.services.store.events()[-1]
    assert (skip.action, skip.reason, skip.start) == ("skip", IN_SEGMENTS, None)


def test_a_segment_that_is_labelled_anew_keeps_its_last_emotion(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    made = [segment(card, emotion, 0.1, 0.3) for emotion in ("fear", "joy", "fear")]
    assert [one["status"] for one in offline.take(ADA, made)] == ["saved"] * 3
    again = [one | {"id": str(uuid.uuid4())} for one in made[2:]]
    assert offline.take(ADA, again)[0]["status"] == "known"


def test_segments_do_not_hide_what_somebody_else_changed(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    needed = labelling.queue().annotations_needed
    cards = all_ahead(offline, [])
    clip, card = next((c, cards[c]) for c in cards if needed(c) == 1)
    assert offline.take(ADA, [segment(card, "fear", 0.1, 0.3)])[0]["status"] == "saved"
    store = labelling.services.store
    store.append(LabelEvent(action="label", annotator="bob", clip=clip, emotion="joy"))
    assert offline.take(ADA, [sent(card)])[0]["status"] == "conflict"


def test_what_stands_beside_a_decision_comes_with_it(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    one, two, three = list(all_ahead(offline, []).values())[:3]
    made = [
        sent(one, certainty=0.4, note="hoarse"),
        sent(two, action="skip", emotion="", reason="private", note="a name is said"),
        sent(three, action="skip", emotion="", unclear=True),
    ]
    assert [one["status"] for one in offline.take(ADA, made)] == ["saved"] * 3
    first, second, third = labelling.services.store.events()
    assert (first.certainty, first.note) == (0.4, "hoarse")
    assert (second.reason, second.note) == ("private", "a name is said")
    assert third.reason == CANNOT_TELL


@pytest.mark.parametrize(
    "wrong",
    [
        {"segment": [0.1]},
        {"segment": ["0.1", "0.3"]},
        {"segment": [0.3, 0.1]},
        {"segment": [0.1, 900.0]},
        {"segment": [float("nan"), 0.3]},
        {"action": "remove"},
        {"certainty": 7},
    ],
)
def test_segments_and_fields_that_no_page_sends_are_refused(
    labelling: LabelSession, offline: OfflineLabels, wrong: dict[str, Any]
) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    assert offline.take(ADA, [sent(card) | wrong])[0]["status"] == "refused"
    assert labelling.services.store.revision == 0


def test_practice_is_marked_so_that_no_page_keeps_its_answers(labelling: LabelSession) -> None:
    assert "data-practice" not in html.card(shown(labelling), ADA)
    assert "data-practice" in html.card(labelling.practise(ADA, "s", blind=False), ADA)


def test_what_waits_in_a_browser_is_saved_for_nobody_else_who_uses_it(
    labelling: LabelSession, offline: OfflineLabels
) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    made = sent(card, who=card.partition('data-who="')[2].partition('"')[0])
    assert made["who"] == ADA.tag != BOB.tag
    assert [one["status"] for one in offline.take(BOB, [made])] == ["other"]
    assert labelling.services.store.revision == 0
    assert [one["status"] for one in offline.take(ADA, [made])] == ["saved"]
    assert labelling.services.store.events()[0].annotator == "ada"


def test_a_clip_that_nobody_can_hear_takes_no_label_but_a_skip(
    labelling: LabelSession, offline: OfflineLabels, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = offline.ahead(ADA, [], blind=False)[0]["card"]
    kept = labelling.clips.get_undrawn
    monkeypatch.setattr(
        labelling.clips, "get_undrawn", lambda *asked: replace(kept(*asked), sound="")
    )
    (found,) = offline.take(ADA, [sent(card)])
    assert (found["status"], "can't be played" in found["message"]) == ("refused", True)
    assert offline.take(ADA, [sent(card, action="skip", emotion="")])[0]["status"] == "saved"
