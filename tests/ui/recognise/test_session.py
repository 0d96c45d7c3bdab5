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
from ui.recognise.session import (
    CHANGED,
    OTHER_CLIP,
    Chosen,
    Correction,
    correct,
    opened,
    remove,
    segments_html,
    send_to_label,
    undo,
)
from ui.services import Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Sign in to label.")


@pytest.fixture
def held(services: Services, clip: Path) -> CurrentClip:
    return analyse(services, clip).held


def test_a_correction_is_marked_and_taken_back(services: Services, held: CurrentClip) -> None:
    first = correct(services, held, Chosen(held.sha256), "joy", ADA, "page")
    assert (first.emotion, first.undoable) == ("joy", True)
    second = correct(services, held, Chosen(held.sha256), "fear", ADA, "page")
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
    correct(services, held, Chosen(held.sha256), "joy", ADA, "page")
    assert "refused" in undo(services, other, ADA, "page").status
    assert "refused" in undo(services, held, ADA, "another page").status
    assert [event.action for event in services.store.events()] == ["label"]


def test_a_key_for_the_clip_before_saves_nothing(services: Services, held: CurrentClip) -> None:
    found = correct(services, held, Chosen("0" * 64), "joy", ADA, "page")
    assert OTHER_CLIP in found.status
    assert "refused" in correct(services, None, Chosen(held.sha256), "joy", ADA, "page").status
    assert services.store.events() == []


def test_a_visitor_suggests_and_cannot_undo(services: Services, held: CurrentClip) -> None:
    found = correct(services, held, Chosen(held.sha256), "joy", VISITOR, "page")
    assert "Kept as a suggestion" in found.status
    assert (found.emotion, found.undoable) == ("joy", False)
    assert "Sign in" in undo(services, held, VISITOR, "page").status


Span = tuple[float, float]


def label(
    services: Services,
    held: CurrentClip,
    emotion: str,
    segment: Span,
    replaces: Span | None = None,
    who: Annotator = ADA,
) -> Correction:
    chosen = Chosen(held.sha256, segment, replaces)
    return correct(services, held, chosen, emotion, who, "page")


def rows(found: Correction) -> list[tuple[float, float, str]]:
    return [(one.start, one.end, one.emotion) for one in found.segments]


def test_a_segment_is_saved_beside_the_clips_own_label(
    services: Services, held: CurrentClip
) -> None:
    correct(services, held, Chosen(held.sha256), "joy", ADA, "page")
    found = label(services, held, "sadness", (0.2, 0.45))
    assert "Saved #2: sadness, 0.20–0.45 s." in found.status
    assert (found.emotion, rows(found)) == ("joy", [(0.2, 0.45, "sadness")])
    whole, part = services.store.events()
    assert (whole.start, whole.end) == (None, None)
    assert (part.start, part.end, part.prediction, part.prediction_visible) == (
        0.2,
        0.45,
        "",
        False,
    )
    found = label(services, held, "fear", (0.3, 0.6))
    assert rows(found) == [(0.2, 0.45, "sadness"), (0.3, 0.6, "fear")], "they may overlap"
    found = label(services, held, "anger", (0.2, 0.45))
    assert rows(found) == [(0.2, 0.45, "anger"), (0.3, 0.6, "fear")]


def test_a_segment_that_will_not_train_says_why(
    services: Services, held: CurrentClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.standing, "sentence", lambda key: f" No: {key[:6]}.")
    assert f"s. No: {held.sha256[:6]}." in label(services, held, "joy", (0.1, 0.4)).status


@pytest.mark.parametrize("segment", [(-0.1, 0.5), (0.4, 0.4), (0.5, 99.0), (float("nan"), 1.0)])
def test_a_segment_outside_the_clip_is_refused(
    services: Services, held: CurrentClip, segment: Span
) -> None:
    assert "not inside the clip" in label(services, held, "joy", segment).status
    assert services.store.events() == []


def test_a_segment_of_the_clip_before_labels_nothing(services: Services, held: CurrentClip) -> None:
    label(services, held, "joy", (0.1, 0.4))
    other = Chosen("0" * 64, (0.1, 0.4))
    for found in (
        correct(services, held, other, "fear", ADA, "page"),
        remove(services, held, other, ADA, "page"),
    ):
        assert OTHER_CLIP in found.status
        assert rows(found) == [(0.1, 0.4, "joy")]
    assert len(services.store.events()) == 1


def test_a_moved_segment_takes_the_place_of_the_one_before_and_gives_it_back(
    services: Services, held: CurrentClip
) -> None:
    label(services, held, "joy", (0.1, 0.4))
    found = label(services, held, "joy", (0.1, 0.5), replaces=(0.1, 0.4))
    assert rows(found) == [(0.1, 0.5, "joy")]
    # Pressed twice before the answer came, it is the same segment still.
    found = label(services, held, "fear", (0.1, 0.5), replaces=(0.1, 0.4))
    assert rows(found) == [(0.1, 0.5, "fear")]
    assert rows(undo(services, held, ADA, "page")) == [(0.1, 0.5, "joy")]
    found = undo(services, held, ADA, "page")
    assert "undone. Saved #" in found.status
    assert "joy, 0.10–0.40 s." in found.status
    assert rows(found) == [(0.1, 0.4, "joy")]
    found = undo(services, held, ADA, "page")
    assert (rows(found), found.undoable) == ([], False)
    assert "refused" in undo(services, held, ADA, "page").status


def test_what_was_moved_elsewhere_is_not_moved_again(services: Services, held: CurrentClip) -> None:
    label(services, held, "joy", (0.1, 0.4))
    chosen = Chosen(held.sha256, (0.2, 0.4), (0.1, 0.4))
    correct(services, held, chosen, "joy", ADA, "another page")
    found = label(services, held, "joy", (0.1, 0.6), replaces=(0.1, 0.4))
    assert CHANGED in found.status
    assert rows(found) == [(0.2, 0.4, "joy")]


def test_a_removed_segment_comes_back_by_undo(services: Services, held: CurrentClip) -> None:
    label(services, held, "joy", (0.1, 0.4))
    label(services, held, "fear", (0.1, 0.4))
    label(services, held, "calm", (0.3, 0.6))
    chosen = Chosen(held.sha256, (0.1, 0.4))
    found = remove(services, held, chosen, ADA, "page")
    assert "removed, 0.10–0.40 s" in found.status
    assert rows(found) == [(0.3, 0.6, "calm")]
    assert "refused" in remove(services, held, chosen, ADA, "page").status
    found = undo(services, held, ADA, "page")
    assert "fear, 0.10–0.40 s." in found.status
    assert rows(found) == [(0.1, 0.4, "fear"), (0.3, 0.6, "calm")]
    assert rows(undo(services, held, ADA, "page")) == [(0.3, 0.6, "calm")]
    assert rows(undo(services, held, ADA, "page")) == []
    assert "no segment" in remove(services, held, Chosen(held.sha256), ADA, "page").status.lower()


def test_a_visitor_suggests_segments_and_sees_their_own_alone(
    services: Services, held: CurrentClip
) -> None:
    found = label(services, held, "joy", (0.1, 0.4), who=VISITOR)
    assert "Kept as a suggestion, #1: joy, 0.10–0.40 s. Sign in to label." in found.status
    assert (rows(found), found.undoable) == ([(0.1, 0.4, "joy")], False)
    assert opened(services, held, VISITOR, "another page").segments == ()
    assert "already" in label(services, held, "joy", (0.1, 0.4), who=VISITOR).status
    label(services, held, "joy", (0.1, 0.5), who=VISITOR)
    chosen = Chosen(held.sha256, (0.1, 0.4))
    assert "Sign in" in remove(services, held, chosen, VISITOR, "page").status
    assert [event.action for event in services.store.events()] == ["suggest"] * 2
    nobody = Annotator("", reason="Sign in first.")
    assert "Sign in first." in label(services, held, "joy", (0.2, 0.5), who=nobody).status


def test_an_answer_brings_the_segments_of_its_clip(services: Services, held: CurrentClip) -> None:
    label(services, held, "joy", (0.1, 0.4))
    found = opened(services, held, ADA, "page")
    assert (rows(found), found.undoable) == ([(0.1, 0.4, "joy")], True)
    assert not opened(services, held, ADA, "a page opened later").undoable
    text = segments_html(services, held, found.segments)
    assert f'data-ticket="{held.sha256}:1"' in text
    assert "[[0.1, 0.4, &quot;joy&quot;]]" in text
    assert max(held.outline) == 255
    assert segments_html(services, None, ()) == ""


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
