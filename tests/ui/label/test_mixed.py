"""A second emotion and an intensity of a decision: saved, told, undone, refused where wrong."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.context import LocalContext

from label_store.event import LabelEvent
from tests.ui.label.test_session import ADA, QuickShelf, corpus, shown
from ui.calls import UNEXPECTED
from ui.label.displayed import LabelDecision
from ui.label.html import card
from ui.label.offline import OfflineLabels
from ui.label.outputs import decided, undone
from ui.label.session import LabelSession
from ui.mixed import SAME, said_beside
from ui.services import AppSettings, Services


@pytest.fixture
def labelling(tmp_path: Path) -> LabelSession:
    corpus(tmp_path / "home")
    services = Services(AppSettings(home=tmp_path / "home"))
    return LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))


def decide(labelling: LabelSession, action: str = "label", emotion: str = "anger", **more: Any):
    choice = LabelDecision(shown(labelling).ticket, action, emotion, **more)
    return decided(labelling, ADA, "s", choice, blind=False)[1]


def events(labelling: LabelSession) -> list[LabelEvent]:
    return labelling.services.store.events()


def test_both_are_saved_and_told_and_the_next_label_has_neither(labelling: LabelSession) -> None:
    told = decide(labelling, second="sadness", intensity=2)
    assert "Saved #1: anger with sadness, intensity 2." in told
    assert "Saved #2: joy with fear." in decide(labelling, "confirm", "", second="fear")
    assert "Saved #3: joy, intensity 3." in decide(labelling, emotion="joy", intensity=3)
    assert "Saved #4: skipped." in decide(labelling, "skip", "", second="fear", intensity=1)
    decide(labelling)
    assert [(e.second_emotion, e.intensity) for e in events(labelling)] == [
        ("sadness", 2), ("fear", None), ("", 3), ("", None), ("", None)
    ]  # fmt: skip


def test_a_segment_has_them_too(labelling: LabelSession) -> None:
    told = decide(labelling, second="fear", intensity=1, segment=(0.25, 0.75))
    assert "Saved #1: anger with fear, intensity 1, 0.25–0.75 s." in told
    assert (events(labelling)[0].second_emotion, events(labelling)[0].start) == ("fear", 0.25)


def test_undo_says_what_it_takes_back_and_the_clip_what_was_chosen(
    labelling: LabelSession,
) -> None:
    clip = shown(labelling)
    decide(labelling, second="sadness", intensity=2)
    again = labelling.reopen(ADA, "s", clip.sha, blind=False)
    assert "<b>anger with sadness, intensity 2</b>" in card(again, ADA)
    told = undone(labelling, ADA, "s", blind=False)[1]
    assert "Saved #2: anger with sadness, intensity 2 undone, " in told
    assert "You chose" not in card(shown(labelling), ADA)


def test_it_is_told_in_the_language_of_the_request(labelling: LabelSession) -> None:
    request = gr.Request(headers={"accept-language": "de"})
    token = LocalContext.request.set(request)
    try:
        told = decide(labelling, second="sadness", intensity=2)
    finally:
        LocalContext.request.reset(token)
    assert "Gespeichert, Nr. 1: Wut mit " in told
    assert ", Stärke 2." in told


@pytest.mark.parametrize(
    ("beside", "message"),
    [("anger|", SAME), ("blorp|", UNEXPECTED), ("joy|4", UNEXPECTED), ("|<b>", UNEXPECTED)],
)
def test_what_fits_no_label_saves_nothing_and_is_told(
    labelling: LabelSession, beside: str, message: str
) -> None:
    second, intensity = said_beside(beside)
    assert message in decide(labelling, second=second, intensity=intensity)
    assert events(labelling) == []


def test_practice_takes_them_and_saves_nothing(labelling: LabelSession) -> None:
    labelling.practise(ADA, "s", blind=False)
    choice = LabelDecision(
        labelling.current(ADA, "s").ticket, "label", "anger", second="fear", intensity=2
    )
    told = decided(labelling, ADA, "s", choice, blind=False)[1]
    assert "Practice, not saved: anger with fear, intensity 2." in told
    assert events(labelling) == []


def test_decisions_made_without_a_connection_carry_them_once(labelling: LabelSession) -> None:
    offline = OfflineLabels(labelling)
    ticket = shown(labelling).ticket
    made = {
        "id": str(uuid.uuid4()), "ticket": ticket, "action": "label", "emotion": "anger",
        "second": "joy", "intensity": 3, "blind": False, "milliseconds": 900,
    }  # fmt: skip
    assert offline.take(ADA, [made])[0]["status"] == "saved"
    assert offline.take(ADA, [made | {"id": str(uuid.uuid4())}])[0]["status"] == "known"
    assert [(e.second_emotion, e.intensity) for e in events(labelling)] == [("joy", 3)]
    for wrong in ({"second": "<b>"}, {"second": ["joy"]}, {"intensity": 9}, {"intensity": True}):
        other = made | {"id": str(uuid.uuid4()), "ticket": shown(labelling).ticket} | wrong
        assert offline.take(ADA, [other])[0]["status"] == "refused"
    assert len(events(labelling)) == 1
