"""The sweep: eleven by three, counted honestly."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.augment import ROBUSTNESS, STRENGTHS
from ui.robustness.session import Cell, Sweep, sweep
from ui.robustness.tab import heat_map, summary, swept
from ui.services import Services


@pytest.fixture
def spoken(repository: Path) -> Path:
    """A shipped clip of speech."""
    return repository / "examples" / "2_lively.flac"


def made(flips: set[str]) -> Sweep:
    same, other = Cell("joy", 0.6, 0.0, {"x": 1}), Cell("fear", 0.5, -0.4, {"x": 2})
    rows = {name: (same, same, other if name in flips else same) for name in ROBUSTNESS}
    return Sweep("joy", 0.6, rows, 2.0, False)


def test_the_sweep_has_every_effect_at_every_strength(services: Services, spoken: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = sweep(services, spoken, lambda done, of: seen.append((done, of)))
    assert tuple(found.rows) == ROBUSTNESS
    assert all(len(cells) == len(STRENGTHS) for cells in found.rows.values())
    assert seen[-1] == (34, 34)
    assert heat_map(found).count("<td") == 33


def test_the_same_clip_gives_the_same_map(services: Services, spoken: Path) -> None:
    assert sweep(services, spoken) == sweep(services, spoken)


@pytest.mark.parametrize("flips", [set(), {"reverb"}, set(ROBUSTNESS)])
def test_one_flip_at_any_strength_makes_an_effect_unstable(flips: set[str]) -> None:
    found = made(flips)
    assert summary(found) == f"Stable under {11 - len(flips)} of 11 effects"
    assert heat_map(found).count(" flips") >= 2 * len(flips)
    assert found.held_at(0) == 11
    assert found.held_at(2) == 11 - len(flips)


def test_what_leaves_nothing_is_no_answer() -> None:
    gone = Cell(None, 0.0, -0.6, {})
    rows = dict.fromkeys(ROBUSTNESS, (gone, gone, gone))
    text = heat_map(Sweep("joy", 0.6, rows, 2.0, True))
    assert "Stable under 0 of 11" in text
    assert text.count("no answer") == 33
    assert "first 2 s" in text


def test_silence_and_no_clip_are_sentences(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    path.write_bytes(to_wav_bytes(np.zeros((1, 16000), np.float32), 16_000))
    assert "no answer that could flip" in swept(services, str(path), gr.Progress())
    assert "Choose a clip first" in swept(services, None, gr.Progress())
    path.write_bytes(b"")
    assert "empty" in swept(services, str(path), gr.Progress())
