"""The README's pictures are small, and the made-up corpus on them is one that the studio reads."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ser_core.audio import load
from ser_core.corpora import read
from ui.theme import COLOURS


@pytest.fixture(scope="module")
def script(repository: Path) -> Any:
    path = repository / "scripts" / "take_pictures.py"
    made = importlib.util.spec_from_file_location("take_pictures", path)
    assert made is not None
    assert made.loader is not None
    module = importlib.util.module_from_spec(made)
    sys.modules[made.name] = module  # dataclasses look their module up
    made.loader.exec_module(module)
    return module


def test_a_picture_gets_a_palette_and_is_cut(script: Any, rng: np.random.Generator) -> None:
    noise = rng.integers(0, 255, (300, 200, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(noise).save(held, "PNG")
    small = Image.open(io.BytesIO(script.small_png(held.getvalue(), tallest=120)))
    assert (small.size, small.mode) == ((200, 120), "P")
    assert len(script.small_png(held.getvalue(), tallest=300)) < len(held.getvalue())


def test_the_colours_of_the_emotions_survive(script: Any, rng: np.random.Generator) -> None:
    shown = np.zeros((300, 300, 3), np.uint8)
    shown[:, :, 1] = rng.integers(0, 255, (300, 300), dtype=np.uint8)
    for place, colour in enumerate(COLOURS.values()):
        shown[place * 8 : place * 8 + 6, :6] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    held = io.BytesIO()
    Image.fromarray(shown).save(held, "PNG")
    kept = np.asarray(Image.open(io.BytesIO(script.small_png(held.getvalue()))).convert("RGB"))
    for place in range(len(COLOURS)):
        apart = kept[place * 8 + 3, 3].astype(int) - shown[place * 8 + 3, 3]
        assert np.abs(apart).max() <= 12


def test_the_corpus_on_the_pictures_can_be_read_and_has_something_wrong(
    script: Any, tmp_path: Path
) -> None:
    script.fill_home(tmp_path)
    reading = read(tmp_path / "corpora" / "examples")
    assert len(reading.clips) >= 5
    assert {clip.emotion for clip in reading.clips} >= {"anger", "joy", "neutral"}
    assert reading.problems


def test_the_talk_is_longer_than_any_window(script: Any, tmp_path: Path) -> None:
    assert load(script.make_talk(tmp_path)).seconds > 12
