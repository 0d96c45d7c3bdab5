"""The real page in a real browser: upload, record, read, correct, find the event in the CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#clip input[type=file]", str(path))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)


@pytest.fixture
def awkward(speech: Path, tmp_path: Path) -> Path:
    """A clip of speech whose name is a formula with umlauts, blanks and quotes."""
    path = tmp_path / f"=1+1 Grüße an 'alle'{speech.suffix}"
    path.write_bytes(speech.read_bytes())
    return path


def test_upload_read_correct_and_find_the_event(
    open_tab: Any,
    app_server: Any,
    events: Any,
    awkward: Path,
    screenshot: Callable[[Any, str], None],
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, awkward)
    assert awkward.name in page.inner_text("#answer .file")
    page.wait_for_selector("#picture .js-plotly-plot .playhead", state="attached")
    assert page.locator("#picture .subplot").count() >= 2
    page.click("#choose-sadness")
    page.wait_for_selector("#saved .done", timeout=PATIENCE)
    assert "Saved #1" in page.inner_text("#saved")
    page.keyboard.press("Numpad6")
    page.wait_for_function("document.querySelector('#saved').innerText.includes('#2: joy')")
    rows = events(app_server.home)
    assert [row["emotion"] for row in rows] == ["sadness", "joy"]
    assert {row["file_name"] for row in rows} == {awkward.name}
    kept = list((app_server.home / "clips").glob("*/*"))
    assert [path.read_bytes() for path in kept] == [awkward.read_bytes()]
    screenshot(page, "recognise-wide-light")


def test_record_from_the_microphone(open_tab: Any, app_server: Any, events: Any) -> None:
    page = open_tab(app_server.url, "Recognise")
    page.click("#record")
    page.wait_for_selector("#record.on", timeout=PATIENCE)
    page.wait_for_timeout(3000)
    page.click("#record")
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.wait_for_selector("#picture .js-plotly-plot", timeout=PATIENCE)
    page.click("#choose-anger")
    page.wait_for_selector("#saved .done", timeout=PATIENCE)
    assert [row["emotion"] for row in events(app_server.home)] == ["anger"]


def test_what_is_no_sound_gets_a_sentence_and_no_event(
    open_tab: Any, app_server: Any, events: Any, tmp_path: Path
) -> None:
    text = tmp_path / "diary.wav"
    text.write_text("dear diary", encoding="utf-8")
    page = open_tab(app_server.url, "Recognise")
    upload(page, text)
    said = page.inner_text("#answer")
    assert "diary.wav" in said
    assert "Traceback" not in page.content()
    page.keyboard.press("1")
    page.wait_for_timeout(500)
    assert events(app_server.home) == []


def test_the_picture_seeks_the_sound_by_click_and_key(
    open_tab: Any, app_server: Any, speech: Path
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, speech)
    page.wait_for_selector("#picture .js-plotly-plot .playhead", state="attached")
    page.wait_for_function("document.querySelector('#clip audio').duration > 1")
    length = page.evaluate("document.querySelector('#clip audio').duration")
    plot = page.locator("#picture .js-plotly-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6)
    at = page.evaluate("document.querySelector('#clip audio').currentTime")
    assert 0.4 < at / length < 0.6
    page.focus("#picture .playhead")
    page.keyboard.press("ArrowRight")
    after = page.evaluate("document.querySelector('#clip audio').currentTime")
    assert after == pytest.approx(at + 0.5, abs=0.05)


def test_at_360_px_nothing_runs_out_of_the_page(
    open_tab: Any, app_server: Any, speech: Path, screenshot: Callable[[Any, str], None]
) -> None:
    page = open_tab(app_server.url, "Recognise", width=360, theme="dark")
    upload(page, speech)
    page.wait_for_selector("#picture .js-plotly-plot", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    answer, choices = (page.locator(name).bounding_box() for name in ("#answer", "#put-right"))
    assert answer["y"] < choices["y"]
    screenshot(page, "recognise-narrow-dark")


def test_a_long_clip_is_summed_up_and_another_emotion_is_looked_for(
    open_tab: Any, shared_server: Any, speech: Path, tmp_path: Path
) -> None:
    clip = load(speech)
    path = tmp_path / "talk.wav"
    path.write_bytes(to_wav_bytes(np.tile(clip.samples, 4), clip.sample_rate))
    page = open_tab(shared_server.url, "Recognise")
    upload(page, path)
    page.wait_for_selector("#over-time table tbody tr", timeout=PATIENCE)
    assert "of speech" in page.inner_text("#over-time .hint")
    page.wait_for_selector("#picture .js-plotly-plot .playhead", state="attached")
    page.wait_for_function("document.querySelector('#clip audio').duration > 5")
    button = page.locator("#over-time .seek").last
    button.click()
    wanted = float(button.get_attribute("data-seek"))
    at = page.evaluate("document.querySelector('#clip audio').currentTime")
    assert at == pytest.approx(wanted, abs=0.05)
    field = page.locator("#looked-for input")
    images = "document.querySelectorAll('#picture .heatmaplayer image').length"
    for emotion, count in (("anger", 2), ("nothing", 1)):
        field.click()
        field.fill(emotion)
        field.press("Enter")
        page.wait_for_function(f"{images} === {count}", timeout=PATIENCE)


def test_a_correction_is_marked_taken_back_and_never_goes_to_the_clip_before(
    open_tab: Any, app_server: Any, events: Any, speech: Path
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, speech)
    page.keyboard.press("8")
    page.wait_for_selector("#choose-sadness.chosen", timeout=PATIENCE)
    assert page.locator("#put-right button.predicted").count() == 0
    page.click("#undo")
    page.wait_for_selector("#put-right button.predicted", timeout=PATIENCE)
    assert page.locator("#put-right button.chosen").count() == 0
    assert [row["action"] for row in events(app_server.home)] == ["label", "undo"]
    page.click("#recognise-left .examples button >> nth=0")
    assert page.evaluate("document.getElementById('put-right').inert")
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('#answer .file')?.innerText.includes('1_even')")
    page.wait_for_function("!document.getElementById('put-right').inert")
    assert len(events(app_server.home)) == 2


def test_a_row_of_several_files_opens_its_file(open_tab: Any, shared_server: Any) -> None:
    page = open_tab(shared_server.url, "Recognise")
    page.click("#several button >> nth=0")
    examples = Path(__file__).resolve().parents[2] / "examples"
    files = [str(examples / name) for name in ("1_even.flac", "5_german.flac")]
    page.set_input_files("#several input[type=file]", files)
    page.wait_for_selector("table.batch tbody tr >> nth=1", timeout=PATIENCE)
    heights = page.eval_on_selector_all("table.batch th", "all => all.map((th) => th.offsetHeight)")
    assert max(heights) < 60, "no heading is broken letter by letter"
    page.click("table.batch button[data-open='1']")
    page.wait_for_function("document.querySelector('#answer .file')?.innerText.includes('german')")
