"""A long clip's summary: shares, longest stretches, changes, doubt and silence, checked by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_core.inference.prediction import Prediction
from ser_core.inference.timeline import Summary, Window, blocks, summarise

SURE = {"anger": {"anger": 0.98, "joy": 0.02}, "joy": {"anger": 0.02, "joy": 0.98}}
TORN = {"anger": 0.52, "joy": 0.48}


def side_by_side(*names: str | None, seconds: float = 2.0) -> list[Window]:
    return [
        Window(i * seconds, (i + 1) * seconds, name, SURE.get(name or "", TORN))
        for i, name in enumerate(names)
    ]


def summary(windows: list[Window], speech: list[tuple[float, float]], seconds: float) -> Summary:
    found = summarise(windows, speech, seconds, entropy_limit=0.9)
    assert found is not None
    return found


def test_shares_are_of_speaking_time_and_pauses_are_silence() -> None:
    windows = side_by_side("anger", "anger", "joy", "anger")
    found = summary(windows, [(0.0, 3.0), (4.0, 5.0), (6.0, 8.0)], 8.0)
    assert (found.speaking, found.silent) == (6.0, 2.0)
    assert [(one.emotion, one.seconds) for one in found.emotions] == [("anger", 5.0), ("joy", 1.0)]
    assert found.emotions[0].share == pytest.approx(5 / 6)
    assert (found.uncertain, found.unjudged) == (0.0, 0.0)


def test_longest_stretches_and_changes_with_their_times() -> None:
    windows = side_by_side("joy", "anger", "anger", None, "anger", "joy")
    found = summary(windows, [(0.0, 12.0)], 12.0)
    assert {one.emotion: one.longest for one in found.emotions} == {
        "anger": (2.0, 6.0),
        "joy": (0.0, 2.0),
    }
    assert [(one.at, one.before, one.after) for one in found.changes] == [
        (2.0, "joy", "anger"),
        (10.0, "anger", "joy"),
    ]
    assert found.unjudged == pytest.approx(2 / 12)


def test_doubt_is_the_share_of_speech_above_the_limit() -> None:
    windows = [*side_by_side("anger"), Window(2.0, 4.0, "anger", TORN)]
    found = summary(windows, [(0.0, 3.0)], 4.0)
    assert found.uncertain == pytest.approx(1 / 3)
    assert found.emotions[0].uncertain == pytest.approx(1 / 3)
    assert summarise(windows, [(0.0, 3.0)], 4.0, entropy_limit=1.0).uncertain == 0.0


def test_overlapping_windows_are_averaged_before_they_are_counted() -> None:
    windows = [
        Window(0.0, 4.0, "anger", {"anger": 0.9, "joy": 0.1}),
        Window(2.0, 6.0, "joy", {"anger": 0.3, "joy": 0.7}),
    ]
    found = summary(windows, [(0.0, 6.0)], 6.0)
    assert [(b.start, b.end, b.emotion) for b in blocks(windows)] == [
        (0.0, 2.0, "anger"),
        (2.0, 4.0, "anger"),
        (4.0, 6.0, "joy"),
    ]
    assert found.emotions[0].seconds == 4.0
    assert [one.at for one in found.changes] == [4.0]


def test_a_block_without_speech_has_no_emotion_whatever_its_windows_say() -> None:
    windows = side_by_side("anger", "joy", "anger")
    found = blocks(windows, speech=[(0.0, 2.0), (4.5, 6.0)])
    assert [b.emotion for b in found] == ["anger", None, "anger"]
    told = summary(windows, [(0.0, 2.0), (4.5, 6.0)], 6.0)
    assert told.changes == ()
    assert told.emotions[0].longest == (0.0, 2.0)
    assert (told.unjudged, told.silent) == (0.0, 2.5)


def test_one_window_or_no_speech_has_no_summary() -> None:
    assert summarise(side_by_side("anger"), [(0.0, 2.0)], 2.0, 0.9) is None
    assert summarise(side_by_side("anger", "joy"), [], 4.0, 0.9) is None
    assert summarise([], [], 1.0, 0.9) is None


def test_the_json_of_a_prediction_holds_it() -> None:
    def made(*windows: Window) -> Prediction:
        return Prediction(
            "a.wav", "anger", 0.9, TORN, 0.1, None, ("anger",), windows, (), {"name": "m"}, 4.0,
            speech=((0.0, 3.0),), entropy_limit=0.9,
        )  # fmt: skip

    said = made(*side_by_side("anger", "joy")).to_json()
    assert json.loads(json.dumps(said))["summary"] == {
        "speaking": 3.0,
        "silent": 1.0,
        "unsure": 0.0,
        "unjudged": 0.0,
        "emotions": [
            {"emotion": "anger", "seconds": 2.0, "share": 0.6667, "unsure": 0.0,
             "longest": {"start": 0.0, "end": 2.0}},
            {"emotion": "joy", "seconds": 1.0, "share": 0.3333, "unsure": 0.0,
             "longest": {"start": 2.0, "end": 4.0}},
        ],
        "changes": [{"at": 2.0, "before": "anger", "after": "joy"}],
    }  # fmt: skip
    assert made(*side_by_side("anger")).to_json()["summary"] is None


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.sampled_from(["anger", "joy", None]), min_size=2, max_size=12),
    st.lists(st.floats(0, 24), min_size=2, max_size=8, unique=True).map(sorted),
)
def test_the_parts_add_up(names: list[str | None], edges: list[float]) -> None:
    speech = list(zip(edges[::2], edges[1::2], strict=False))
    seconds = max(24.0, 2.0 * len(names))
    found = summarise(side_by_side(*names, seconds=seconds / len(names)), speech, seconds, 0.9)
    if found is None:
        return
    assert found.speaking + found.silent == pytest.approx(seconds)
    told = sum(one.share for one in found.emotions)
    assert told + found.unjudged == pytest.approx(1, abs=1e-6)
    for one in found.emotions:
        assert one.longest[1] > one.longest[0]
    for change in found.changes:
        assert change.before != change.after
