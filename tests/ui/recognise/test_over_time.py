"""The table beside the time line says what the summary holds, and each time can be gone to."""

from __future__ import annotations

from typing import Any

from ui.recognise import over_time


def told(changes: int) -> dict[str, Any]:
    names = ["anger", "joy"]
    return {
        "seconds": 90.0,
        "summary": {
            "speaking": 60.0,
            "silent": 30.0,
            "unsure": 0.25,
            "unjudged": 0.0,
            "emotions": [
                {"emotion": "anger", "seconds": 45.0, "share": 0.75, "unsure": 0.2,
                 "longest": {"start": 12.0, "end": 61.5}},
                {"emotion": "joy", "seconds": 15.0, "share": 0.25, "unsure": 0.0,
                 "longest": {"start": 0.0, "end": 12.0}},
            ],
            "changes": [
                {"at": 5.0 * i, "before": names[i % 2], "after": names[1 - i % 2]}
                for i in range(changes)
            ],
        },
    }  # fmt: skip


def test_shares_stretches_doubt_and_silence_are_told() -> None:
    html = over_time.summary(told(2))
    for text in ("75 %", "25 %", "0:12 – 1:01", "60 s of speech, 30 s of silence", "Changes (2)"):
        assert text in html
    assert 'data-seek="12.000"' in html
    assert "<details>" not in html


def test_many_changes_are_folded_and_none_is_lost() -> None:
    html = over_time.summary(told(50))
    assert html.count("<li>") == 50
    assert f"{50 - over_time.FIRST} more" in html


def test_a_short_clip_has_no_table_and_one_emotion_no_changes() -> None:
    assert over_time.summary({"seconds": 2.0, "summary": None}) == ""
    assert "stays the same" in over_time.summary(told(0))


def test_a_long_clip_is_headed_by_what_changes_and_when() -> None:
    html = over_time.headline(told(5))
    assert html.count('class="step"') == over_time.MOST_NAMED + 2
    assert "anger" in html.partition("joy")[0]
    assert "from 0:05" in html
    assert "and 2 more below" in html
    assert over_time.headline(told(0)) == over_time.headline({"seconds": 2, "summary": None}) == ""
