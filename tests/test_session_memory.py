"""`python app.py` from the outside: what visitors who came and went leave in its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.session_memory import clips, listener, resident, visit
from tests.test_app_end import ask, settle, studio

WARM, MORE = 30, 60
MB_EACH = 0.5
"""Measured 0.13 MB each, until the oldest sessions give way; 1 MB when each held the page."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sixty_visitors_leave_little(tmp_path: Path, small_model: Path) -> None:
    settings = {"SER_MODEL": str(small_model), "GRADIO_TEMP_DIR": str(tmp_path / "uploads")}
    with studio(tmp_path / "home", TMPDIR=str(tmp_path), **settings) as (process, health):
        ask(health)
        settle(health)
        url = health.removesuffix("health")
        number, sounds = listener(url), clips(WARM + MORE)
        for clip in sounds[:WARM]:
            visit(url, number, clip)
        before = resident(process.pid)
        for clip in sounds[WARM:]:
            visit(url, number, clip)
        assert resident(process.pid) - before < MORE * MB_EACH
