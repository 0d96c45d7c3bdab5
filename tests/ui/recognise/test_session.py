"""Corrections on Recognise: for the clip that one sees, marked, and taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from ui.analysis import CurrentClip, analyse
from ui.errors import PageError
from ui.handover import MOST
from ui.identity import Annotator
from ui.recognise.session import OTHER_CLIP, correct, send_to_label, undo
from ui.services import Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Sign in to label.")


@pytest.fixture
def held(services: Services, clip: Path) -> CurrentClip:
    return analyse(services, clip).held


def test_a_correction_is_marked_and_taken_back(services: Services, held: CurrentClip) -> None:
    first = correct(services, held, held.sha256, "joy", ADA, "page")
    assert (first.emotion, first.undoable) == ("joy", True)
    second = correct(services, held, held.sha256, "fear", ADA, "page")
    assert second.emotion == "fear"
    back = undo(services, held, ADA, "page")
    assert "undone" in back.status
    assert back.emotion == "joy"
    assert undo(services, held, ADA, "page").emotion == ""
    nothing = undo(services, held, ADA, "page")
    assert "refused" in nothing.status
    assert [event.action for event in services.store.events()] == ["label"] * 2 + ["undo"] * 2


def test_undo_leaves_other_clips_and_other_pages_alone(
    services: Services, held: CurrentClip, tmp_path: Path
) -> None:
    path = tmp_path / "other.wav"
    path.write_bytes(to_wav_bytes(np.ascontiguousarray(load(held.path).samples[:, ::-1]), 16_000))
    other = analyse(services, path).held
    correct(services, held, held.sha256, "joy", ADA, "page")
    assert "refused" in undo(services, other, ADA, "page").status
    assert "refused" in undo(services, held, ADA, "another page").status
    assert [event.action for event in services.store.events()] == ["label"]


def test_a_key_for_the_clip_before_saves_nothing(services: Services, held: CurrentClip) -> None:
    found = correct(services, held, "0" * 64, "joy", ADA, "page")
    assert OTHER_CLIP in found.status
    assert "refused" in correct(services, None, held.sha256, "joy", ADA, "page").status
    assert services.store.events() == []


def test_a_visitor_suggests_and_cannot_undo(services: Services, held: CurrentClip) -> None:
    found = correct(services, held, held.sha256, "joy", VISITOR, "page")
    assert "Kept as a suggestion" in found.status
    assert not found.undoable
    assert "Sign in" in undo(services, held, VISITOR, "page").status


def test_a_clip_goes_to_the_label_tab_as_often_as_it_is_sent(
    services: Services, held: CurrentClip
) -> None:
    send_to_label(services, held, ADA, "page")
    waiting = services.handover.get("page")
    assert waiting is not None
    assert (waiting.sha256, waiting.name) == (held.sha256, held.name)
    turn = services.handover.turn("page")
    send_to_label(services, held, ADA, "page")
    assert services.handover.turn("page") > turn
    assert services.handover.get("another page") is None
    assert services.store.events() == []


def test_what_can_not_be_sent_is_refused_with_the_reason(
    services: Services, held: CurrentClip
) -> None:
    with pytest.raises(PageError, match="Sign in"):
        send_to_label(services, held, Annotator("nobody", reason="Sign in to label."), "page")
    with pytest.raises(PageError, match="no clip to label"):
        send_to_label(services, None, ADA, "page")
    Path(held.path).write_bytes(b"another sound")
    with pytest.raises(PageError, match="no longer on the server"):
        send_to_label(services, held, ADA, "page")
    assert services.handover.get("page") is None


def test_few_clips_wait_for_pages_that_may_be_closed(services: Services, held: CurrentClip) -> None:
    for number in range(MOST + 5):
        send_to_label(services, held, ADA, str(number))
    assert services.handover.get("4") is None
    assert services.handover.get("5") is not None
