"""Augment, Robustness and Features in a real browser: sliders, A/B, the sweep, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def studio(start_app: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A started app with a small model of random weights: quick, and it does flip."""
    import torch

    from ser_core.checkpoints import checkpoint
    from ser_core.checkpoints.calibration import Calibration
    from ser_core.checkpoints.model import build
    from ser_core.checkpoints.specification import Specification

    torch.manual_seed(3)
    made = Specification(
        frontend_parameters={"n_mels": 64},
        backbone="cnn",
        emotions=("anger", "fear", "joy", "neutral", "sadness"),
        seconds=2.0,
        name="small",
        version="small-1",
    )
    folder = tmp_path_factory.mktemp("model") / "small"
    model = build(made).eval()
    for part in model.backbone.modules():
        if isinstance(part, torch.nn.Linear):
            torch.nn.init.normal_(part.weight, std=0.5)
    checkpoint.save(folder, model, made, Calibration(), {}, "A small model.")
    running = start_app(SER_MODEL=str(folder))
    yield running
    running.stop()


def give(page: Any, tab: str, path: Path) -> None:
    field = f"#{tab}-clip input[type=file]"
    page.wait_for_selector(field, state="attached", timeout=PATIENCE)
    page.set_input_files(field, str(path))


def at_bench(open_tab: Any, studio: Any, speech: Path, **look: Any) -> Any:
    page = open_tab(studio.url, "Augment", **look)
    give(page, "augment", speech)
    page.wait_for_selector("#augment-answer .shifts", timeout=PATIENCE)
    page.wait_for_selector(
        "#augment-picture .heatmaplayer image", state="attached", timeout=PATIENCE
    )
    return page


def stamp(page: Any) -> str:
    """Return which augmented sound the player holds."""
    found: str = page.evaluate("document.querySelectorAll('#augment-player audio[data-stamp]')."
                               "length ? [...document.querySelectorAll('#augment-player audio')]"
                               ".map(one => one.dataset.stamp).sort().join() : ''")  # fmt: skip
    return found


def changed(page: Any, before: str) -> None:
    page.wait_for_function(
        "old => [...document.querySelectorAll('#augment-player audio')]"
        ".map(one => one.dataset.stamp).sort().join() !== old",
        arg=before,
        timeout=PATIENCE,
    )


@dataclass(frozen=True)
class Look:
    """How wide and how bright the page is opened."""

    width: int
    theme: str
    screenshot: Callable[[Any, str], Path]

    def of(self) -> dict[str, Any]:
        return {"width": self.width, "theme": self.theme}

    def fits(self, page: Any, name: str) -> None:
        """Keep a picture of the page, and see that nothing runs out of it."""
        page.wait_for_timeout(800)
        self.screenshot(page, f"{name}-{self.width}-{self.theme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= self.width


@pytest.fixture
def look(request: pytest.FixtureRequest, screenshot: Callable[[Any, str], Path]) -> Look:
    return Look(*request.param, screenshot)


def looks(*pairs: tuple[int, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("look", pairs, indirect=True, ids="{0[0]}-{0[1]}".format)


def slide(page: Any, parameter: str, value: float) -> None:
    page.locator(f"#augment-chain input[data-parameter={parameter}]").first.evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }", value
    )


@looks((1280, "light"), (1280, "dark"), (360, "light"), (360, "dark"))
def test_the_bench_is_readable(open_tab: Any, studio: Any, speech: Path, look: Look) -> None:
    page = at_bench(open_tab, studio, speech, **look.of())
    before = stamp(page)
    page.click("#augment-chain [data-preset=hall]")
    changed(page, before)
    look.fits(page, "augment")


def test_a_slider_changes_sound_pictures_and_answer(
    open_tab: Any, studio: Any, speech: Path
) -> None:
    page = at_bench(open_tab, studio, speech)
    before, card = stamp(page), page.inner_html("#augment-answer")
    image = page.locator("#augment-picture .heatmaplayer image").last.get_attribute("href")
    slide(page, "snr", -5)
    changed(page, before)
    page.wait_for_function(
        "old => [...document.querySelectorAll('#augment-picture .heatmaplayer image')]"
        ".pop().getAttribute('href') !== old",
        arg=image,
        timeout=PATIENCE,
    )
    assert page.inner_html("#augment-answer") != card
    loud = page.inner_text("#augment-player .ab-levels")
    assert "A original" in loud
    assert "B augmented" in loud


def test_a_and_b_play_at_the_same_position_and_only_one_is_heard(
    open_tab: Any, studio: Any, speech: Path
) -> None:
    page = at_bench(open_tab, studio, speech)
    page.click("#augment-player .ab-play")
    page.wait_for_function(
        "[...document.querySelectorAll('#augment-player audio')].every(a => a.currentTime > 0.3)",
        timeout=PATIENCE,
    )
    times, muted = page.evaluate(
        "(() => { const s = [...document.querySelectorAll('#augment-player audio')];"
        "return [s.map(a => a.currentTime), s.map(a => a.muted)]; })()"
    )
    assert abs(times[0] - times[1]) < 0.3
    assert sorted(muted) == [False, True]
    page.keyboard.press("x")
    swapped = page.evaluate(
        "[...document.querySelectorAll('#augment-player audio')].map(a => a.muted)"
    )
    assert swapped == [not one for one in muted]
    assert page.locator("#augment-player input[value=a]").is_checked()


def test_order_seed_and_recipe_both_ways(open_tab: Any, studio: Any, speech: Path) -> None:
    page = at_bench(open_tab, studio, speech)
    chain = page.locator("#augment-chain")
    before = stamp(page)
    chain.locator(".adder").select_option("clipping")
    changed(page, before)
    assert chain.locator(".step").count() == 2
    before = stamp(page)
    chain.get_by_role("button", name="Earlier: Clipping").click()
    changed(page, before)
    assert [one.get_attribute("data-effect") for one in chain.locator(".step").all()] == [
        "clipping",
        "gaussian_noise",
    ]
    before = stamp(page)
    chain.locator(".dice").click()
    changed(page, before)
    chain.locator("summary").click()
    recipe = json.loads(chain.locator(".recipe-text").input_value())
    assert [step["name"] for step in recipe] == ["clipping", "gaussian_noise"]
    before = stamp(page)
    chain.locator(".recipe-text").fill('[{"name": "PitchShift", "semitones": [3, 5]}]')
    chain.locator(".use-json").click()
    changed(page, before)
    assert chain.locator(".step").get_attribute("data-effect") == "pitch_shift"
    assert chain.locator("input[data-parameter=semitones]").count() == 2
    chain.locator(".recipe-text").fill('[{"name": "revreb"}]')
    chain.locator(".use-json").click()
    page.wait_for_selector("text=Did you mean “reverb”?", timeout=PATIENCE)
    assert chain.locator(".step").get_attribute("data-effect") == "pitch_shift"


def test_a_shift_by_the_whole_clip_is_a_sentence_and_the_page_lives(
    open_tab: Any, studio: Any, speech: Path
) -> None:
    page = at_bench(open_tab, studio, speech)
    page.click("#augment-chain [data-preset='']")
    page.locator("#augment-chain .adder").select_option("shift")
    slide(page, "shift", 1)
    page.wait_for_selector("#augment-answer >> text=leaves nothing", timeout=PATIENCE)
    assert "silence" in page.inner_text("#augment-player .ab-levels")
    slide(page, "shift", 0.1)
    page.wait_for_selector(
        "#augment-answer >> text=leaves nothing", state="detached", timeout=PATIENCE
    )


def test_an_hour_is_cut_and_the_page_lives(open_tab: Any, studio: Any, tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    import soundfile

    tone = (3000 * np.sin(np.arange(3599 * 8000, dtype=np.float32) / 7)).astype(np.int16)
    soundfile.write(path, tone, 8000)
    page = open_tab(studio.url, "Augment")
    give(page, "augment", path)
    page.wait_for_selector("#augment-answer >> text=its first 30 s are used", timeout=PATIENCE)


def test_what_is_no_sound_is_a_sentence(open_tab: Any, studio: Any, tmp_path: Path) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("Dear Sir or Madam")
    page = open_tab(studio.url, "Augment")
    give(page, "augment", path)
    page.wait_for_selector("#augment-answer >> text=is not a sound file", timeout=PATIENCE)


@looks((1280, "light"), (360, "dark"))
def test_the_sweep_draws_its_map(open_tab: Any, studio: Any, speech: Path, look: Look) -> None:
    page = open_tab(studio.url, "Robustness", **look.of())
    page.click("#robustness-run")
    page.wait_for_selector("#robustness-map >> text=Choose a clip first", timeout=PATIENCE)
    give(page, "robustness", speech)
    page.wait_for_selector("#robustness-clip audio", state="attached", timeout=PATIENCE)
    page.click("#robustness-run")
    page.wait_for_selector("#robustness-map .heat-map", timeout=PATIENCE)
    assert page.locator("#robustness-map td").count() == 33
    assert "of 11 effects" in page.inner_text("#robustness-map [data-summary]")
    look.fits(page, "robustness")


def test_half_a_stereo_file_is_named_in_features(
    open_tab: Any, studio: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    left = 0.1 * rng.standard_normal(16000)
    path = tmp_path / "half.wav"
    path.write_bytes(to_wav_bytes(np.stack([left, np.zeros(16000)]), 16_000))
    page = open_tab(studio.url, "Features")
    give(page, "features", path)
    page.wait_for_selector("#features-answer >> text=Channel 2 of 2 is silent", timeout=PATIENCE)


@looks((1280, "dark"), (360, "light"))
def test_features_are_drawn_and_follow_the_sound(
    open_tab: Any, studio: Any, speech: Path, look: Look
) -> None:
    page = open_tab(studio.url, "Features", **look.of())
    give(page, "features", speech)
    page.wait_for_function(
        "document.querySelectorAll('[id^=features-] .js-plotly-plot .main-svg').length >= 15",
        timeout=PATIENCE,
    )
    page.wait_for_function(
        "document.querySelectorAll('[id^=features-] .playhead').length == 15", timeout=PATIENCE
    )
    look.fits(page, "features")
