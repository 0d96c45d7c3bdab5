"""The Live tab without a page: bounded memory, silence, smoothing, what strange pages get."""

from __future__ import annotations

import base64
import json
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_core.audio import Audio
from ser_core.inference.windows import SpeechActivity
from ui.errors import PageError
from ui.live import html, tab
from ui.live.recording import USUAL, recorded
from ui.live.session import KEPT, LiveSession, LiveSessions, Ring
from ui.services import Services

RATE = 16_000


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 17), st.integers(0, 30))
def test_a_ring_holds_the_newest(pieces: list[int], size: int, wanted: int) -> None:
    ring, everything = Ring(size), np.zeros(0, np.float32)
    for length in pieces:
        new = np.arange(len(everything), len(everything) + length, dtype=np.float32)
        ring.push(new)
        everything = np.concatenate([everything, new])
    count = min(wanted, size, len(everything))
    assert ring.last(wanted).tolist() == everything[len(everything) - count :].tolist()
    assert ring.total == len(everything)


class Model:
    """Hears anger in loud sound and joy in soft sound; counts how often it was asked."""

    emotions = ("anger", "joy")

    class specification:  # noqa: N801
        samples = 2 * RATE
        sample_rate = RATE

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, clip: Audio, *, speech: SpeechActivity) -> SimpleNamespace:
        self.asked += 1
        assert speech.segments
        loud = float(np.abs(clip.samples).max() > 0.5)
        return SimpleNamespace(probabilities={"anger": loud, "joy": 1 - loud})


@pytest.fixture
def always_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    def detect(clip: Audio) -> SpeechActivity:
        spoken = np.abs(clip.samples).max() > 0.01
        return SpeechActivity(((0.0, clip.seconds),) if spoken else ())

    monkeypatch.setattr("ser_core.inference.windows.detect_speech", detect)


def hear(
    session: LiveSession, model: Any, level: float, smoothing: str = "none", seconds: float = 0.5
) -> Any:
    return session.hear(model, np.full(round(RATE * seconds), level, np.float32), RATE, smoothing)


def test_ten_minutes_do_not_grow(always_speech: None) -> None:
    session, model = LiveSession(RATE), Model()
    for _ in range(100):
        hear(session, model, 0.9, seconds=2)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(300):
        shot = hear(session, model, 0.9, seconds=2)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 2_000_000
    assert shot.end == pytest.approx(800)
    assert shot.samples.shape == (1, 10 * RATE)
    assert len(shot.moments) == 5
    assert session.recording()[0].shape == (1, round(KEPT * RATE))


def test_silence_is_silence(always_speech: None) -> None:
    session, model = LiveSession(RATE), Model()
    for _ in range(3):
        shot = hear(session, model, 0.0)
    assert model.asked == 0
    assert {moment.probabilities for moment in shot.moments} == {None}
    shown = html._head(shot.moments[-1], shot)
    assert "Silence" in shown


def test_smoothing_holds_back_a_change(always_speech: None) -> None:
    shares = {}
    for smoothing in ("none", "some", "much"):
        session, model = LiveSession(RATE), Model()
        for level in (0.1, 0.1, 0.9):
            shot = hear(session, model, level, smoothing)
        shares[smoothing] = float(shot.moments[-1].probabilities[0])
    assert shares == {"none": 1.0, "some": 0.5, "much": 0.25}


def test_any_rate_keeps_the_time(always_speech: None) -> None:
    session, model = LiveSession(RATE), Model()
    for _ in range(10):
        shot = session.hear(model, np.full(24_000, 9000, np.int16), 48_000)
    assert shot.end == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(0, np.int16), RATE),
        (np.zeros(100, np.int16), 5),
        (np.zeros((2, 100), np.int16), RATE),
        (np.zeros(60 * RATE, np.int16), RATE),
        (np.full(100, np.nan, np.float32), RATE),
    ],
)
def test_no_sound_is_refused(samples: np.ndarray, rate: int) -> None:
    with pytest.raises(PageError):
        LiveSession(RATE).hear(Model(), samples, rate)


def test_places_are_few_and_are_given_back() -> None:
    now = [0.0]
    listening = LiveSessions(most=2, idle=60, clock=lambda: now[0])
    first = listening.session("a", RATE)
    listening.session("b", RATE)
    with pytest.raises(PageError, match="2 people"):
        listening.session("c", RATE)
    assert listening.session("a", RATE) is first
    assert listening.session("a", RATE, fresh=True) is not first
    now[0] = 61.0
    listening.session("c", RATE)
    assert listening.known("b") is None
    listening.forget("c")
    assert listening.known("c") is None


def test_the_recording_is_as_loud_as_it_was(always_speech: None) -> None:
    session = LiveSession(RATE)
    with pytest.raises(PageError, match="Nothing was heard"):
        recorded(session, USUAL)
    hear(session, Model(), 0.25)
    found = recorded(session, USUAL)
    assert (found.samples.dtype, found.rate) == (np.int16, RATE)
    assert int(found.samples.max()) == 8192


def message(samples: np.ndarray, number: int = 1, first: bool = False) -> str:
    pcm = base64.b64encode(samples.astype("<i2").tobytes()).decode()
    return json.dumps({"number": number, "first": first, "rate": RATE, "pcm": pcm})


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"number": 1, "first": true, "rate": 1e999, "pcm": ""}', "x" * 10**7]
)
def test_a_strange_message_gets_a_sentence(services: Services, text: str) -> None:
    with pytest.raises(PageError, match="other than audio"):
        tab.hear(services, LiveSessions(), "page", text, "some")


def test_a_page_is_answered_with_its_number(services: Services, repository: Any) -> None:
    from ser_core import audio

    clip = audio.load(repository / "examples" / "2_lively.flac").samples[0]
    listening = LiveSessions()
    for number in range(1, 4):
        piece = clip[(number - 1) * 8000 : number * 8000] * 32767
        shown = tab.hear(services, listening, "page", message(piece, number, number == 1), "some")
    assert 'data-number="3"' in shown
    assert 'data-until="1.500"' in shown
    assert "data:image/png;base64," in shown
    assert "The last 10 seconds" in shown
    gap = tab.hear(services, listening, "page", message(np.zeros(10**6), 4), "some")
    assert "gap" in gap
    assert 'data-number="4"' in gap
    assert len(listening) == 1
