"""Figures are small, truthful and on one axis; colours stay apart for everyone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ser_core.emotions import EMOTIONS
from ser_core.inference.timeline import Window, blocks
from ui.figures import HeatMap, MelImage, clip_figure, envelope, silences, squeeze, with_heat
from ui.theme import COLOURS, LETTERS

RATE = 16_000
LIMIT = 300_000


def mel(seconds: float, rng: np.random.Generator) -> MelImage:
    image = rng.integers(0, 256, (128, 960), dtype=np.uint8)
    return MelImage(image, np.geomspace(40, 7900, 128), seconds)


def windows(seconds: float) -> list[Window]:
    starts = np.arange(0, seconds - 3, 1.5)
    pairs = itertools.cycle([{"anger": 0.7, "joy": 0.3}, {"anger": 0.2, "joy": 0.8}])
    return [
        Window(float(s), float(s + 3), max(p, key=p.get), p)
        for s, p in zip(starts, pairs, strict=False)
    ]


def test_a_30_s_clip_is_at_most_300_kb_with_everything_drawn(rng: np.random.Generator) -> None:
    wave = rng.normal(0, 0.2, 30 * RATE).astype(np.float32)
    heat = HeatMap(rng.random((128, 900), dtype=np.float32), 0.0, 30.0)
    figure = clip_figure(wave, RATE, mel(30, rng), windows=windows(30), speech=[(1.0, 29.0)])
    figure = with_heat(figure, heat)
    assert len(figure.to_json()) <= LIMIT


def test_an_hour_is_no_larger_than_the_limit_either(rng: np.random.Generator) -> None:
    wave = rng.normal(0, 0.2, 600 * RATE).astype(np.float32)
    figure = clip_figure(wave, RATE, mel(600, rng), windows=windows(600), speech=[])
    assert len(figure.to_json()) <= LIMIT


def test_the_envelope_keeps_extremes_and_its_length(rng: np.random.Generator) -> None:
    wave = rng.normal(0, 0.1, 100_003).astype(np.float32)
    wave[54_321], wave[99_999] = 0.9, -0.95
    shown = envelope(wave)
    assert len(shown) <= 2000
    assert shown.max() == np.float32(0.9)
    assert shown.min() == np.float32(-0.95)


def test_squeezing_keeps_a_single_loud_column() -> None:
    image = np.zeros((4, 5000), np.uint8)
    image[2, 4321] = 200
    squeezed = squeeze(image)
    assert squeezed.shape == (4, 960)
    assert squeezed.max() == 200
    assert abs(int(squeezed[2].argmax()) / 960 - 4321 / 5000) < 1 / 960


def test_all_rows_share_the_clip_s_time_axis(rng: np.random.Generator) -> None:
    layout = clip_figure(np.zeros(4 * RATE), RATE, mel(4, rng)).layout
    assert tuple(layout.xaxis.range) == tuple(layout.xaxis2.range) == (0, 4)
    assert layout.xaxis.matches == "x2"


def test_one_window_draws_no_time_line(rng: np.random.Generator) -> None:
    one = [Window(0, 3, "anger", {"anger": 1.0})]
    short = clip_figure(np.zeros(3 * RATE), RATE, mel(3, rng), windows=one)
    long = clip_figure(np.zeros(9 * RATE), RATE, mel(9, rng), windows=windows(9))
    assert not [trace for trace in short.data if trace.type == "bar"]
    assert [trace for trace in long.data if trace.type == "bar"]


def test_blocks_average_the_windows_over_them_and_leave_silence_open() -> None:
    said = [
        Window(0, 4, "joy", {"joy": 0.9, "fear": 0.1}),
        Window(2, 6, "fear", {"joy": 0.3, "fear": 0.7}),
        Window(8, 10, None, {"joy": 0.5, "fear": 0.5}),
    ]
    found = blocks(said)
    assert [(b.start, b.end, b.emotion) for b in found] == [
        (0, 2, "joy"),
        (2, 4, "joy"),
        (4, 6, "fear"),
        (6, 8, None),
        (8, 10, None),
    ]
    assert found[1].probability == pytest.approx(0.6)


def test_silence_is_what_speech_leaves() -> None:
    assert silences([], 3.0) == [(0.0, 3.0)]
    assert silences([(0.0, 3.0)], 3.0) == []


SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""


def oklab(colour: str, sight: np.ndarray) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    cones = np.cbrt(
        np.array(
            [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
             [0.0883024619, 0.2817188376, 0.6299787005]]
        ) @ seen
    )  # fmt: skip
    return np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    ) @ cones  # fmt: skip


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_emotions_differ_in_colour_whatever_the_eyes(sight: str) -> None:
    seen = {emotion: oklab(colour, SIGHT[sight]) for emotion, colour in COLOURS.items()}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 0.1, (one, other)


def test_every_emotion_has_a_colour_and_a_sign_of_its_own() -> None:
    assert set(COLOURS) == set(LETTERS) == set(EMOTIONS)
    assert len(set(LETTERS.values())) == len(set(COLOURS.values())) == len(EMOTIONS)
