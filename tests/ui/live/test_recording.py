"""A live recording on its way to a label: the stretch asked for, and nothing stored before that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import load
from ui.errors import PageError
from ui.identity import Annotator
from ui.label.session import LabelDecision, LabelSession
from ui.live.recording import STRETCHES, USUAL, Recording, RecordingHandover, recorded
from ui.live.session import LiveSession
from ui.services import Services

RATE = 16_000
ME = Annotator("me", may_write=True, may_suggest=True)
GUEST = Annotator("visitor", may_suggest=True)
STRANGER = Annotator("", reason="Sign in first.")


@pytest.fixture
def session() -> LiveSession:
    """Forty seconds, in which each sample tells its second."""
    held = LiveSession(RATE)
    held.ring.push(np.repeat(np.arange(40, dtype=np.float32) / 100, RATE))
    return held


def voiced() -> Recording:
    time = np.arange(2 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 18))
    wave *= np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    return Recording(np.rint(wave * 4000).astype(np.int16), RATE, 10.0, 12.0)


@pytest.mark.parametrize("stretch", STRETCHES)
def test_the_stretch_asked_for_is_counted_back_from_the_end(
    session: LiveSession, stretch: str
) -> None:
    found = recorded(session, stretch)
    seconds = min(STRETCHES[stretch], 40)
    assert found.seconds == seconds
    assert (found.start, found.end) == (40 - seconds, 40)
    assert round(found.samples[0] / 32767 * 100) == 40 - seconds


def test_nothing_heard_and_no_such_stretch_get_a_sentence(session: LiveSession) -> None:
    with pytest.raises(PageError, match="Press Start"):
        recorded(None, USUAL)
    with pytest.raises(PageError, match="Press Start"):
        recorded(LiveSession(RATE), USUAL)
    with pytest.raises(PageError, match="5 s"):
        recorded(session, "an hour")


@pytest.fixture
def labelling(services: Services) -> LabelSession:
    """The Label tab's side of the handover."""
    return LabelSession(services, np.random.default_rng(0))


def test_only_a_label_makes_it_stay(services: Services, labelling: LabelSession) -> None:
    found = voiced()
    handover = RecordingHandover()
    source = handover.bring(services, "page", found, ME)
    assert source.name == "live recording, 10 to 12 s.wav"
    shown = labelling.open(ME, "page", blind=True)
    assert shown is not None
    assert shown.sha == source.sha256
    assert shown.ready.seconds == pytest.approx(2.0)
    assert labelling.open(ME, "page", blind=True) is not None
    assert services.store.events() == []
    assert not list((services.home / "clips").glob("*/*"))
    saved = labelling.decide(ME, "page", LabelDecision(shown.ticket, "label", "joy"))
    # It was judged on the Live tab before, so whoever labels it has seen that.
    assert (saved.event.emotion, saved.event.prediction_visible) == ("joy", True)
    kept = services.store.clip_path(shown.sha)
    assert kept is not None
    assert np.array_equal(np.rint(load(kept).samples[0] * 32767), found.samples)
    assert services.handover.get("page") is None
    assert labelling.open(ME, "page", blind=False) is None


def test_forgetting_takes_the_sound_and_the_card_away(
    services: Services, labelling: LabelSession
) -> None:
    handover = RecordingHandover()
    path = handover.bring(services, "page", voiced(), ME).path
    shown = labelling.open(ME, "page", blind=False)
    assert path is not None
    assert shown is not None
    handover.drop(services, "page")
    assert not path.exists()
    assert labelling.current(ME, "page") is None
    with pytest.raises(PageError, match="no longer on the page"):
        labelling.decide(ME, "page", LabelDecision(shown.ticket, "label", "joy"))
    assert services.store.events() == []


def test_each_page_has_its_own_and_only_the_newest(services: Services) -> None:
    handover = RecordingHandover()
    first = handover.bring(services, "one", voiced(), ME)
    other = handover.bring(services, "../two", voiced(), GUEST)
    again = handover.bring(services, "one", Recording(voiced().samples[:RATE], RATE, 0, 1), ME)
    assert first.path == again.path != other.path
    assert services.handover.get("one") == again
    folder = Path(str(other.path)).parent
    assert len(list(folder.iterdir())) == 2


def test_a_stranger_brings_nothing(services: Services) -> None:
    with pytest.raises(PageError, match="Sign in"):
        RecordingHandover().bring(services, "page", voiced(), STRANGER)
    assert services.handover.get("page") is None
