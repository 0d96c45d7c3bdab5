"""What visitors may leave behind, and what is left behind for nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ui import temporary
from ui.errors import PageError
from ui.suggestion_limits import SuggestionLimits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(tmp_path: Path, clock: Clock) -> SuggestionLimits:
    return SuggestionLimits(tmp_path, by_session=3, in_all=5, bytes_in_all=1000, clock=clock)


def test_a_suggestion_is_taken_once(limits: SuggestionLimits) -> None:
    limits.take("one", "ab", "joy", seconds=2, size=10)
    with pytest.raises(PageError, match="already"):
        limits.take("one", "ab", "joy", seconds=2, size=10)
    limits.take("one", "ab", "fear", seconds=2, size=10)
    limits.take("two", "ab", "joy", seconds=2, size=10)


def test_long_clips_are_refused(limits: SuggestionLimits) -> None:
    with pytest.raises(PageError, match="120 s long at most"):
        limits.take("one", "ab", "joy", seconds=3300, size=10)


def test_a_visitor_and_all_together_are_bounded_by_the_hour(
    limits: SuggestionLimits, clock: Clock
) -> None:
    for number in range(3):
        limits.take("one", str(number), "joy", seconds=2, size=10)
    with pytest.raises(PageError, match="At most 3"):
        limits.take("one", "more", "joy", seconds=2, size=10)
    for number in range(2):
        limits.take("two", str(number), "joy", seconds=2, size=10)
    with pytest.raises(PageError, match="Too many"):
        limits.take("three", "more", "joy", seconds=2, size=10)
    clock.now = 3601
    limits.take("one", "more", "joy", seconds=2, size=990)
    with pytest.raises(PageError, match="Too many"):
        limits.take("two", "more", "joy", seconds=2, size=20)


def test_room_is_kept_for_those_who_may_write(tmp_path: Path) -> None:
    full = SuggestionLimits(tmp_path, free_bytes=1 << 60)
    with pytest.raises(PageError, match="no room"):
        full.take("one", "ab", "joy", seconds=2, size=10)


def test_files_to_take_away_are_gone_within_the_hour(tmp_path: Path) -> None:
    folder = temporary.new_folder("answer", tmp_path)
    (folder / "emotions.json").write_text("{}")
    mine = tmp_path / "somebody-elses"
    mine.mkdir()
    os.utime(mine, (0, 0))
    assert temporary.sweep(tmp_path, now=time.time()) == 0
    assert folder.is_dir()
    later = time.time() + 3600 - temporary.SWEEP_SECONDS
    assert temporary.sweep(tmp_path, now=later) == 1
    assert not folder.exists()
    assert mine.is_dir()


def test_uploads_lie_apart_and_go_with_their_server(tmp_path: Path) -> None:
    mine, other = temporary.uploads_folder(tmp_path), temporary.uploads_folder(tmp_path)
    assert mine != other
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    left = tmp_path / mine.name.replace(str(os.getpid()), str(ended.pid))
    left.mkdir()
    later = time.time() + 3600
    assert temporary.sweep(tmp_path, now=later) == 1
    assert sorted(tmp_path.iterdir()) == sorted([mine, other]), "a server that runs keeps its own"
