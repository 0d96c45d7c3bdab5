"""Chains: strict reading, drawing, replay to the same bytes, bad input, threads."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_core.augment import (
    ALIASES,
    EFFECTS,
    FEATURE_EFFECTS,
    RECIPES,
    ROBUSTNESS,
    STRENGTHS,
    Chain,
    DrawnChain,
    augment,
    find,
    worker_rng,
)
from ser_core.errors import AugmentError

RATE = 16000
PLAIN = [name for name, effect in EFFECTS.items() if not effect.needs_noises]


def speechlike(seconds: float = 0.5, channels: int = 1, seed: int = 0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    loud = 0.1 * np.abs(np.sin(2 * np.pi * 3 * time)) * voice
    hiss = 0.001 * rng.standard_normal((channels, len(time)))
    return (loud + hiss).astype(np.float32)


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    effect = EFFECTS[draw(st.sampled_from(PLAIN))]
    step: dict[str, Any] = {"name": effect.name, "p": draw(st.sampled_from([0.0, 0.5, 1.0]))}
    for parameter in effect.parameters:
        value = st.floats(parameter.low, parameter.high)
        if parameter.whole:
            value = st.integers(int(parameter.low), int(parameter.high))  # type: ignore[assignment]
        if draw(st.booleans()):
            step[parameter.name] = draw(value)
        elif draw(st.booleans()):
            step[parameter.name] = sorted([draw(value), draw(value)])
    return step


@settings(max_examples=60, deadline=None)
@given(st.lists(steps(), max_size=2), st.integers(0, 2**32), st.sampled_from([1, 2]))
def test_what_was_drawn_replays_to_the_same_bytes(
    recipe: list[dict[str, Any]], seed: int, channels: int
) -> None:
    clip = speechlike(0.2, channels)
    before = clip.copy()
    result, drawn = augment(clip, RATE, recipe, seed)
    text = json.dumps(drawn)
    assert DrawnChain.from_json(text).apply(clip, RATE).tobytes() == result.tobytes()
    assert DrawnChain.from_json(text).to_json() == drawn
    assert augment(clip, RATE, drawn, seed + 1)[0].tobytes() == result.tobytes()
    assert result.dtype == np.float32
    assert result.shape[0] == channels
    assert np.isfinite(result).all()
    assert np.array_equal(clip, before)
    assert not np.shares_memory(clip, result)
    for step in drawn:
        source = next(s for s in Chain.from_json(recipe).steps if s.effect.name == step["name"])
        assert all(name in step for name in source.ranges)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps(), max_size=4))
def test_a_recipe_prints_itself(recipe: list[dict[str, Any]]) -> None:
    chain = Chain.from_json(recipe)
    assert Chain.from_json(json.dumps(chain.to_json())) == chain
    assert Chain.from_json(recipe).to_json() == chain.to_json()


@pytest.mark.parametrize("seconds", [1 / RATE, 0.001, 0.02, 0.3])
@pytest.mark.parametrize("name", PLAIN)
def test_sliders_at_both_ends_on_short_silent_and_stereo_clips(name: str, seconds: float) -> None:
    effect = EFFECTS[name]
    for end in ("low", "high"):
        step = {"name": name, **{p.name: getattr(p, end) for p in effect.parameters}}
        for clip in (
            speechlike(seconds),
            speechlike(seconds, channels=2),
            speechlike(seconds, channels=3),
            np.zeros((1, round(seconds * RATE)), np.float32),
        ):
            result, _ = augment(clip, RATE, [step], 3)
            assert result.shape[0] == clip.shape[0]
            assert result.shape[1] >= 1
            assert result.dtype == np.float32
            assert np.isfinite(result).all()
            if not effect.changes_length:
                assert result.shape == clip.shape


@pytest.mark.parametrize("name", PLAIN)
def test_silence_stays_silent_unless_noise_of_an_amplitude_is_added(name: str) -> None:
    silence = np.zeros((1, 4000), np.float32)
    result, _ = augment(silence, RATE, [EFFECTS[name].step("strong")], 1)
    assert result.any() == (name == "amplitude_noise")


def test_both_channels_of_duplicated_stereo_stay_alike_where_no_noise_is_added() -> None:
    mono = speechlike(0.3)
    stereo = np.repeat(mono, 2, axis=0)
    for name in PLAIN:
        if "noise" in name:
            continue
        result, drawn = augment(stereo, RATE, [EFFECTS[name].step("strong")], 2)
        alone = DrawnChain.from_json(drawn).apply(mono, RATE)
        # The stretcher of audiomentations treats two channels alike to about -60 dB only.
        assert np.allclose(result[0], result[1], atol=1e-3), name
        assert np.allclose(result[:1], alone, atol=2e-3), name


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ([{"name": "revreb"}], ["Step 1", "Did you mean “reverb”"]),
        ([{"name": "gain"}, {"name": "zzz"}], ["Step 2", "Known are"]),
        ([{"name": "gain", "gain": 99}], ["“gain” is 99", "between -40 and 20 dB"]),
        ([{"name": "gain", "gian": 1}], ["no “gian”", "Did you mean “gain”"]),
        ([{"name": "gain", "gain": "loud"}], ["'loud'", "must be a number"]),
        ([{"name": "gain", "gain": True}], ["must be a number"]),
        ([{"name": "gain", "gain": [1]}], ["a list of 1"]),
        ([{"name": "gain", "gain": [3, -3]}], ["lower end comes first"]),
        ([{"name": "gain", "p": 1.5}], ["“p” is 1.5"]),
        ([{"name": "gain", "p": [0, 1]}], ["“p”"]),
        ([{"name": "gain", "seed": 4}], ["no “seed”"]),
        ([{"name": "reverb", "seed": -1}], ["“seed” is -1"]),
        ([{"name": "lowpass", "poles": 1.5}], ["whole number between 1 and 8"]),
        ([{"name": "TimeStretch", "min_rate": 0.9}], ["both min_rate and max_rate"]),
        ([{"gain": 3}], ["“name”"]),
        (["gain"], ["“name”"]),
        ({"name": "gain"}, ["list of steps"]),
        ("[", ["neither JSON"]),
        ('[{"name": "gain", "gain": NaN}]', ["between -40 and 20"]),
        ("baselin", ["baseline"]),
        ([{"name": "gain"}] * 33, ["33 steps"]),
        (None, ["list of steps"]),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(recipe: Any, words: list[str]) -> None:
    with pytest.raises(AugmentError) as caught:
        Chain.from_json(recipe)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("clip", "word"),
    [
        (np.zeros((1, 0), np.float32), "no samples"),
        (np.zeros(100, np.float32), "[channel, time]"),
        (np.zeros((1, 100)), "float32"),
        (np.zeros((1, 100), np.int16), "float32"),
        (np.full((1, 100), np.nan, np.float32), "not numbers"),
        (np.full((1, 100), 3e38, np.float32), "louder than numbers go"),
    ],
)
def test_a_clip_that_is_no_sound_is_refused(clip: Any, word: str) -> None:
    with pytest.raises(AugmentError) as caught:
        augment(clip, RATE, [{"name": "gain", "gain": 20}], 0)
    assert word in str(caught.value)


def test_a_recipe_cannot_make_a_clip_grow_without_bound() -> None:
    with pytest.raises(AugmentError, match="8 times as long"):
        augment(speechlike(1.0), RATE, [{"name": "speed", "factor": 0.5}] * 10, 0)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "x"])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(AugmentError, match="seed"):
        augment(speechlike(), RATE, "seed", seed)


def test_a_drawn_chain_has_nothing_left_to_draw() -> None:
    with pytest.raises(AugmentError, match="neither ranges"):
        DrawnChain.from_json([{"name": "gain", "gain": [-3, 3]}])
    with pytest.raises(AugmentError, match="seed"):
        DrawnChain.from_json([{"name": "gaussian_noise", "snr": 3}])
    with pytest.raises(AugmentError, match="nor “p”"):
        DrawnChain.from_json([{"name": "gain", "gain": 3, "p": 0.5}])


def test_the_seeds_names_and_pairs_resolve() -> None:
    recipe = [
        {"name": "AddGaussianNoise", "min_amplitude": 0.001, "max_amplitude": 0.015, "p": 0.5},
        {"name": "TimeStretch", "min_rate": 0.8, "max_rate": 1.25, "keep_length": True, "p": 0.5},
        {"name": "PitchShift", "min_semitones": -4, "max_semitones": 4, "p": 0.5},
        {"name": "Shift", "min_shift": -0.5, "max_shift": 0.5, "rollover": True, "p": 0.5},
    ]
    assert Chain.from_json(recipe) == Chain.from_json("seed")
    assert {find(alias, "here").name for alias in ALIASES} == set(ALIASES.values())


def test_probability_and_range_are_kept() -> None:
    chain = Chain.from_json([{"name": "gain", "gain": [-6, 6], "p": 0.3}])
    rng = np.random.default_rng(0)
    drawn = [chain.draw(rng, 100, RATE).to_json() for _ in range(3000)]
    gains = [steps[0]["gain"] for steps in drawn if steps]
    assert len(gains) / 3000 == pytest.approx(0.3, abs=0.03)
    assert -6 <= min(gains) < -5.9
    assert 5.9 < max(gains) <= 6
    assert np.mean(gains) == pytest.approx(0, abs=0.4)


def test_a_switch_and_a_count_are_drawn_whole_and_evenly() -> None:
    chain = Chain.from_json([{"name": "lowpass", "poles": [1, 4]}])
    rng = np.random.default_rng(0)
    poles = [chain.draw(rng, 1, RATE).to_json()[0]["poles"] for _ in range(2000)]
    assert np.bincount(poles)[1:].tolist() == pytest.approx([500] * 4, rel=0.2)


def test_threads_get_the_same_bytes_and_global_randomness_is_left_alone() -> None:
    clip = speechlike(0.5, channels=2)
    recipe = [EFFECTS[name].step("medium") for name in PLAIN]
    drawn = Chain.from_json(recipe).draw(np.random.default_rng(5), clip, RATE)
    np.random.seed(3)
    random.seed(3)
    numbers = np.random.get_state()[1].tobytes(), random.getstate()  # type: ignore[union-attr]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: drawn.apply(clip, RATE).tobytes(), range(16)))
    assert len(set(results)) == 1
    assert numbers == (np.random.get_state()[1].tobytes(), random.getstate())  # type: ignore[union-attr]


def test_loader_workers_never_repeat_a_stream() -> None:
    chain = Chain.from_json("train")
    streams = [
        (seed, epoch, index) for seed in (0, 1) for epoch in range(3) for index in range(200)
    ]
    firsts = {worker_rng(s, i % 4, e, i).integers(2**63) for s, e, i in streams}
    assert len(firsts) == len(streams)
    one, other = (chain.draw(worker_rng(0, w, 2, 17), 100, RATE) for w in (0, 3))
    assert one.to_json() == other.to_json()
    with pytest.raises(AugmentError, match="0 or more"):
        worker_rng(0, 0, -1, 0)


@pytest.mark.parametrize("name", list(RECIPES))
def test_named_recipes_run_and_differ_from_the_clip(name: str) -> None:
    clip = speechlike(0.5)
    results = [augment(clip, RATE, name, seed)[0] for seed in range(5)]
    assert all(np.isfinite(result).all() for result in results)
    assert any(not np.array_equal(result, clip) for result in results)


def test_the_table_is_complete() -> None:
    assert len(ROBUSTNESS) == len(set(ROBUSTNESS)) == 11
    assert set(ROBUSTNESS) <= set(PLAIN)
    for name, effect in {**EFFECTS, **FEATURE_EFFECTS}.items():
        assert effect.name == name
        assert effect.summary.endswith(".")
        assert tuple(effect.strengths) == STRENGTHS
        assert len({json.dumps(effect.step(strength)) for strength in STRENGTHS}) == 3
        for parameter in effect.parameters:
            assert parameter.low <= parameter.default <= parameter.high
            assert 0 < parameter.step <= parameter.high - parameter.low
            assert parameter.description.endswith(".")
        Chain.from_json([effect.step(strength) for strength in STRENGTHS])
    with pytest.raises(AugmentError, match="mild, medium, strong"):
        EFFECTS["gain"].step("huge")


@pytest.mark.parametrize("name", ROBUSTNESS)
def test_a_stronger_strength_changes_more(name: str) -> None:
    clip = speechlike(1.0)

    def change(strength: str) -> float:
        result, _ = augment(clip, RATE, [{**EFFECTS[name].step(strength)}], 1)
        size = min(result.shape[1], clip.shape[1])
        spectra = [np.abs(np.fft.rfft(x[0, :size])) for x in (result, clip)]
        return float(np.mean((spectra[0] - spectra[1]) ** 2))

    changes = [change(strength) for strength in STRENGTHS]
    assert changes[0] > 0
    # Effects on time and pitch move the harmonics, which then meet others by chance.
    if name not in ("time_stretch", "pitch_shift", "shift", "speed"):
        assert changes == sorted(changes)


def test_three_of_the_seeds_transforms_give_the_bytes_of_audiomentations() -> None:
    from audiomentations import PitchShift, Shift, TimeStretch

    clip = speechlike(0.5)
    pairs = [
        (TimeStretch(0.9, 0.9, p=1.0), {"name": "time_stretch", "rate": 0.9, "keep_length": 1}),
        (PitchShift(2.0, 2.0, p=1.0), {"name": "pitch_shift", "semitones": 2}),
        (Shift(0.3, 0.3, p=1.0), {"name": "shift", "shift": 0.3, "rollover": 1}),
    ]
    for transform, step in pairs:
        result, _ = augment(clip, RATE, [step], 0)
        assert np.array_equal(result, transform(clip, RATE)), step


@pytest.mark.corpora
def test_real_speech_goes_through_every_effect(corpora_root: Any) -> None:
    from ser_core import audio

    path = next(iter(sorted((corpora_root / "emodb").rglob("*.opus"))))
    clip = audio.load(path).samples
    for name in PLAIN:
        result, drawn = augment(clip, RATE, [EFFECTS[name].step("medium")], 4)
        assert np.isfinite(result).all()
        assert not np.array_equal(result, clip)
        assert DrawnChain.from_json(drawn).apply(clip, RATE).tobytes() == result.tobytes()
