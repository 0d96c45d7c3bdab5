"""Parts of a clip on Recognise, in a real browser: dragged, moved, labelled, taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core.audio import load, to_wav_bytes
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def clip(speech: Path, tmp_path: Path) -> Path:
    """The same speech three times over, as WAV: longer than the model's window."""
    found = load(speech)
    path = tmp_path / "talk.wav"
    path.write_bytes(to_wav_bytes(np.tile(found.samples, 3), found.sample_rate))
    return path


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#clip input[type=file]", str(path))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.wait_for_selector("#recognise-wave[data-ready]", timeout=PATIENCE)
    page.wait_for_function(
        "document.querySelector('#clip audio')?.readyState >= 1 && "
        "!document.getElementById('put-right').inert",
        timeout=PATIENCE,
    )


def drag(page: Any, start: float, end: float) -> None:
    """Drag on the wave from one share of the clip to another, and wait for the segment."""
    before = int(page.get_attribute("#recognise-wave", "data-drafts"))
    page.locator("#recognise-wave").scroll_into_view_if_needed()
    box = page.locator("#recognise-wave").bounding_box()
    inside, left, y = box["width"] - 22, box["x"] + 11, box["y"] + 40
    page.mouse.move(left + start * inside, y)
    page.mouse.down()
    page.mouse.move(left + (start + 0.02) * inside, y, steps=4)
    page.mouse.move(left + end * inside, y, steps=8)
    page.mouse.up()
    page.wait_for_selector(f"#recognise-wave[data-drafts='{before + 1}']", timeout=PATIENCE)


def said(page: Any, number: int) -> str:
    """Wait until a page says what was saved under a number and shows it, and return the line."""
    page.wait_for_function(
        "number => document.getElementById('saved').innerText.includes(`#${number}`) && "
        "document.getElementById('recognise-wave').dataset.ready ==="
        " document.querySelector('#recognise-segments .segments').dataset.ticket",
        arg=number,
        timeout=PATIENCE,
    )
    return str(page.inner_text("#saved"))


def labelled(page: Any) -> list[tuple[float, float, str]]:
    found = json.loads(page.get_attribute("#recognise-segments .segments", "data-segments"))
    return [tuple(one) for one in found]


def spans(rows: list[dict[str, str]]) -> list[tuple[str, bool]]:
    return [(row["emotion"], bool(row["start"])) for row in rows]


def test_a_segment_is_dragged_nudged_labelled_moved_removed_and_taken_back(
    open_tab: Any,
    app_server: Any,
    events: Any,
    clip: Path,
    screenshot: Callable[[Any, str], None],
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, clip)
    seconds = page.evaluate("document.querySelector('#clip audio').duration")
    drag(page, 0.25, 0.5)
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.getElementById('recognise-segment').innerText.includes('end')")
    before = page.inner_text("#recognise-segment")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.getElementById('recognise-segment').innerText !== before", arg=before
    )
    page.keyboard.press("8")
    line = said(page, 1)
    (row,) = events(app_server.home)
    assert (row["action"], row["emotion"], row["file_name"]) == ("label", "sadness", "talk.wav")
    start, end = float(row["start"]), float(row["end"])
    assert start == pytest.approx(0.25 * seconds, abs=0.2)
    assert end == pytest.approx(0.5 * seconds + 0.05, abs=0.2)
    assert f"Saved #1: sadness, {start:.2f}–{end:.2f} s." in line
    screenshot(page, "recognise-segments-light")

    # With none chosen, the digit is the whole clip's, which is marked; the segment stays.
    page.keyboard.press("6")
    assert "Saved #2: joy." in said(page, 2)
    page.wait_for_selector("#choose-joy.chosen", timeout=PATIENCE)
    assert spans(events(app_server.home)) == [("sadness", True), ("joy", False)]

    # Its edge is moved, taken back before it is saved, moved again and saved in its place.
    for saves in (False, True):
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#recognise-wave[data-drafts='1']", timeout=PATIENCE)
        page.keyboard.press("Enter" if saves else "u")
        page.wait_for_selector("#recognise-wave[data-drafts='0']", timeout=PATIENCE)
    said(page, 3)
    assert labelled(page) == [(pytest.approx(start + 0.05, abs=0.002), end, "sadness")]
    page.click("#undo")
    assert "#5: undone. Saved #6: sadness" in said(page, 6)
    assert labelled(page) == [(start, end, "sadness")]

    # A button labels what is chosen, too; one is removed and comes back.
    drag(page, 0.6, 0.8)
    page.keyboard.press("u")
    page.wait_for_selector("#recognise-wave[data-drafts='0']", timeout=PATIENCE)
    drag(page, 0.6, 0.8)
    page.click("#choose-fear")
    said(page, 7)
    assert [one[2] for one in labelled(page)] == ["sadness", "fear"]
    page.keyboard.press("Tab")
    page.click("#recognise-wave-holder [data-wave=remove]")
    assert "removed" in said(page, 8)
    assert [one[2] for one in labelled(page)] == ["fear"]
    page.keyboard.press("u")
    said(page, 9)
    assert [one[2] for one in labelled(page)] == ["sadness", "fear"]
    assert labelled(page)[0] == (start, end, "sadness")


def test_a_segment_is_drawn_moved_and_chosen_on_the_picture(
    open_tab: Any,
    app_server: Any,
    events: Any,
    clip: Path,
    screenshot: Callable[[Any, str], None],
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, clip)
    page.wait_for_selector("#picture .takes-segments", timeout=PATIENCE)
    seconds = page.evaluate("document.querySelector('#clip audio').duration")

    def pull(start: float, end: float) -> None:
        """Drag over the mel spectrogram, or click where start and end are one."""
        page.locator("#picture").scroll_into_view_if_needed()
        left, width, bottom = page.evaluate(
            "() => { const plot = document.querySelector('#picture .js-plotly-plot');"
            " const box = plot.getBoundingClientRect(), { xaxis, _size } = plot._fullLayout;"
            " return [box.left + xaxis._offset, xaxis._length, box.top + _size.t + _size.h]; }"
        )
        page.mouse.move(left + start * width, bottom - 40)
        page.mouse.down()
        page.mouse.move(left + end * width, bottom - 40, steps=10)
        page.mouse.up()

    def span(edge: str) -> list[float]:
        """Wait for the note to name an edge of the chosen segment, and return where it lies."""
        page.wait_for_selector(f"#recognise-segment:has-text('{edge} edge')", timeout=PATIENCE)
        found = re.findall(r"\d+\.\d+", page.inner_text("#recognise-segment"))
        return [float(number) for number in found[:2]]

    pull(0.25, 0.5)
    assert span("start") == pytest.approx([0.25 * seconds, 0.5 * seconds], abs=0.05)
    assert page.get_attribute("#recognise-wave", "data-drafts") == "1"
    # Its end is taken hold of where it lies, and arrows go on with that edge.
    pull(0.5, 0.6)
    assert span("end") == pytest.approx([0.25 * seconds, 0.6 * seconds], abs=0.05)
    page.keyboard.press("ArrowLeft")
    screenshot(page, "recognise-segment-on-picture-light")
    page.keyboard.press("8")
    said(page, 1)
    (row,) = events(app_server.home)
    assert float(row["start"]) == pytest.approx(0.25 * seconds, abs=0.05)
    assert float(row["end"]) == pytest.approx(0.6 * seconds - 0.05, abs=0.05)

    # A click beside it seeks as ever; one on it chooses it, and dragged it moves as a whole.
    pull(0.8, 0.8)
    page.wait_for_function(
        "at => Math.abs(document.querySelector('#clip audio').currentTime - at) < 0.1",
        arg=0.8 * seconds,
        timeout=PATIENCE,
    )
    assert page.is_disabled("#recognise-wave-holder [data-wave=remove]")
    pull(0.4, 0.4)
    page.wait_for_selector("#recognise-wave-holder [data-wave=remove]:enabled", timeout=PATIENCE)
    pull(0.4, 0.5)
    page.wait_for_selector("#recognise-wave[data-drafts='1']", timeout=PATIENCE)
    page.keyboard.press("ArrowRight")
    page.click("#recognise-wave-holder [data-wave=later]")
    page.keyboard.press("Enter")
    said(page, 2)
    ((start, end, emotion),) = labelled(page)
    assert emotion == "sadness"
    assert start == pytest.approx(0.35 * seconds + 0.1, abs=0.045)
    assert end == pytest.approx(0.7 * seconds - 0.05, abs=0.045)


def test_a_segment_never_labels_the_clip_that_came_after(
    open_tab: Any, app_server: Any, events: Any, clip: Path
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, clip)
    drag(page, 0.2, 0.4)
    page.click("#recognise-left .examples button >> nth=4")
    page.wait_for_function(
        "document.querySelector('#answer .file')?.innerText.includes('5_german') && "
        "!document.getElementById('put-right').inert && "
        "document.getElementById('recognise-wave').dataset.ready.split(':')[0] ==="
        " document.querySelector('#answer [data-clip]').dataset.clip",
        timeout=PATIENCE,
    )
    assert page.get_attribute("#recognise-wave", "data-drafts") == "0"
    page.keyboard.press("8")
    assert "Saved #1: sadness." in said(page, 1)
    (row,) = events(app_server.home)
    assert (row["file_name"], row["start"]) == ("5_german.flac", "")
    # A segment that lies on another clip than the answer's is refused, whatever brought that about.
    page.evaluate(
        "() => { const card = document.querySelector('#recognise-segments .segments');"
        " card.dataset.ticket = `${'0'.repeat(64)}:0`; }"
    )
    page.wait_for_selector(f"#recognise-wave[data-ready='{'0' * 64}:0']", timeout=PATIENCE)
    drag(page, 0.3, 0.6)
    page.keyboard.press("6")
    page.wait_for_selector("#saved .refused:has-text('Another clip')", timeout=PATIENCE)
    assert len(events(app_server.home)) == 1


def test_a_visitor_suggests_a_segment_on_a_phone(
    start_app: Callable[..., Any],
    open_tab: Any,
    events: Any,
    clip: Path,
    screenshot: Callable[[Any, str], None],
) -> None:
    server = start_app(SER_HOST="0.0.0.0")
    page = open_tab(server.url, "Recognise", width=390, theme="dark")
    upload(page, clip)
    drag(page, 0.2, 0.45)
    page.click("#choose-calm")
    assert "Kept as a suggestion, #1: calm," in said(page, 1)
    assert [one[2] for one in labelled(page)] == ["calm"]
    assert page.get_attribute("#recognise-wave", "data-drafts") == "0"
    assert page.locator("#undo").count() == 0
    (row,) = events(server.home)
    assert (row["action"], row["emotion"]) == ("suggest", "calm")
    assert float(row["end"]) > float(row["start"]) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "recognise-segments-narrow-dark")
    server.stop()


def test_a_jump_to_the_last_frames_of_a_flac_clip_plays_on(
    open_tab: Any, app_server: Any, events: Any, speech: Path
) -> None:
    page = open_tab(app_server.url, "Recognise")
    upload(page, speech)
    drag(page, 0.82, 0.97)  # plays from there, where the browser can't seek in FLAC
    page.wait_for_function(
        "document.querySelector('#clip audio').currentTime > 2", timeout=PATIENCE
    )
    assert page.locator("#clip .player-error").count() == 0
    page.keyboard.press("8")
    said(page, 1)
    assert spans(events(app_server.home)) == [("sadness", True)]
