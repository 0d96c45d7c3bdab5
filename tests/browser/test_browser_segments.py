"""Segments of a minute by the keyboard alone, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core import audio
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
WORDS = ((2.0, 4.0), (9.0, 11.5), (17.0, 19.0), (26.0, 28.5), (38.0, 40.0), (52.0, 54.5))
"""Where somebody speaks in the minute, in seconds."""


def minute() -> bytes:
    """Return a minute of near silence in which somebody speaks six times, as WAV."""
    rng = np.random.default_rng(3)
    sound = rng.normal(0, 1e-4, (1, 60 * RATE)).astype(np.float32)
    clips = [audio.load(path) for path in sorted((ROOT / "examples").glob("*.flac"))]
    for number, (start, end) in enumerate(WORDS):
        clip = audio.mono(clips[number % len(clips)].samples)
        length = round((end - start) * RATE)
        spoken = np.flatnonzero(np.abs(clip[0]) > 0.1 * np.abs(clip).max())
        piece = np.tile(clip[0, spoken[0] : spoken[-1]], 3)[:length]
        at = round(start * RATE)
        sound[0, at : at + length] += piece
    return audio.to_wav_bytes(sound, RATE)


@pytest.fixture
def server(start_app: Callable[..., Any], tmp_path: Path, small_model: Path) -> Iterator[Any]:
    folder = tmp_path / "home" / "corpora" / "talk"
    folder.mkdir(parents=True)
    (folder / "minute.wav").write_bytes(minute())
    (folder / "table.csv").write_text("Filename,Emotion,Speaker\nminute.wav,,ann\n")
    running = start_app(tmp_path / "home", SER_MODEL=str(small_model))
    yield running
    running.stop()


class Keys:
    """Presses keys and counts them.

    Args:
        page: the opened page.
    """

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.count += 1
            self.page.keyboard.press(key)

    def mark(self, start: float, end: float) -> None:
        """Press [ and ] at the moments in which the playhead comes to two places."""
        self.count += 2
        self.page.evaluate(
            """(places) => new Promise((done) => {
                const sound = document.querySelector("#label-card audio");
                sound.play();
                const look = () => {
                    /* A page that was held up came too late: the place is played again. */
                    if (sound.currentTime > places[0] + 0.07) sound.currentTime = places[0] - 0.3;
                    else if (sound.currentTime >= places[0]) {
                        document.body.dispatchEvent(new KeyboardEvent("keydown",
                            {key: places.length === 2 ? "[" : "]", bubbles: true}));
                        places.shift();
                    }
                    if (places.length) requestAnimationFrame(look);
                    else done();
                };
                look();
            })""",
            [start, end],
        )

    def label(self, key: str) -> None:
        """Press a key that saves, and wait until the page shows the saved segments."""
        before = self.page.get_attribute("#label-card .clip-card", "data-ticket")
        self.press(key)
        self.page.wait_for_function(
            "before => { const now = document.querySelector('#label-card .clip-card')"
            ".dataset.ticket; return now !== before && "
            "document.getElementById('label-wave').dataset.ready === now; }",
            arg=before,
            timeout=PATIENCE,
        )


def note(page: Any) -> str:
    return page.inner_text("#label-segment")


def labelled(page: Any) -> list[tuple[float, float, str]]:
    found = json.loads(page.get_attribute("#label-card .clip-card", "data-segments"))
    return [tuple(one) for one in found]


def test_six_segments_of_a_minute_in_forty_key_presses(
    open_tab: Any, server: Any, events: Any, screenshot: Any
) -> None:
    page = open_tab(server.url, "Label")
    page.wait_for_selector("#label-wave[data-ready]", timeout=PATIENCE)
    keys = Keys(page)
    sound = "document.querySelector('#label-card audio')"
    keys.press(">", ">")
    assert page.evaluate(f"{sound}.playbackRate") == 1.5
    assert page.inner_text("#label-rate") == "1.5×"
    # Two as they are heard, marked while the sound plays.
    keys.mark(*WORDS[0])
    keys.label("Digit6")
    keys.mark(*WORDS[1])
    keys.press("ArrowLeft", "u")  # an edge moved by mistake, and taken back
    keys.label("Digit1")
    # The others as the model suggests them, in turn.
    keys.press("m")
    page.wait_for_selector("#label-wave[data-drafts='4']", timeout=PATIENCE)
    assert page.evaluate(f"{sound}.currentTime") == pytest.approx(WORDS[2][0], abs=1.0)
    screenshot(page, "label-segments-light")
    for digit, (_, ended) in zip(("5", "8", "7", "9"), WORDS[2:], strict=True):
        # The breath after the last word is heard as speech: its edge is moved back.
        keys.press("ArrowDown")
        while (end := float(note(page).split("–")[1].split(" ")[0])) > ended + 0.06:
            keys.press("ArrowLeft")
            page.wait_for_function(
                "end => !document.getElementById('label-segment').innerText.includes(end)",
                arg=f"–{end:.2f} s",
            )
        keys.label(f"Digit{digit}")
    assert page.get_attribute("#label-wave", "data-drafts") == "0"
    assert keys.count <= 40, keys.count
    found = labelled(page)
    assert [one[2] for one in found] == [
        "joy", "anger", "fear", "sadness", "neutral", "surprise",
    ]  # fmt: skip
    for (start, end, _), (began, ended) in zip(found, WORDS, strict=True):
        assert (start, end) == (pytest.approx(began, abs=0.1), pytest.approx(ended, abs=0.1))

    # A labelled segment's edge is moved: it is saved in the place of the one before.
    page.keyboard.press("Tab")
    assert "2.0" in note(page)
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.get_attribute("#label-wave", "data-drafts") == "1"
    keys.label("Enter")
    after = labelled(page)
    assert after[1:] == found[1:]
    assert after[0][2] == "joy"
    assert after[0][1] == pytest.approx(found[0][1] + 0.1, abs=0.002)
    # One is removed; one undone comes back as a segment to label, and may overlap another.
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    keys.label("Delete")
    assert [one[2] for one in labelled(page)] == ["joy", "fear", "sadness", "neutral", "surprise"]
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.inner_text("#label-zoom") == "4×"
    page.evaluate(f"{sound}.pause(); {sound}.currentTime = 3")
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    page.evaluate(f"{sound}.currentTime = 5")
    page.keyboard.press("]")
    keys.label("Digit2")
    assert len(labelled(page)) == 6
    keys.label("u")
    assert len(labelled(page)) == 5
    assert "3.00–5.00" in note(page)
    kept = [row["action"] for row in events(server.home)]
    assert kept.count("label") == 8
    assert kept.count("undo") == 3
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(page, "label-segments-narrow")
    keys.press("c")
    page.wait_for_selector("#label-saved:has-text('skipped')", timeout=PATIENCE)
    assert events(server.home)[-1]["reason"] == "can't tell"


def test_parts_of_a_clip_on_recognise_are_labelled(
    open_tab: Any, server: Any, events: Any, tmp_path: Path
) -> None:
    clip = tmp_path / "interview.wav"
    clip.write_bytes(minute())
    page = open_tab(server.url, "Recognise")
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.click("#parts")
    page.wait_for_selector("#tab-label-button[aria-selected=true]", timeout=PATIENCE)
    page.wait_for_selector("#label-card:has-text('interview.wav')", timeout=PATIENCE)
    page.wait_for_selector("#label-wave[data-ready]", timeout=PATIENCE)
    wave = page.locator("#label-wave").bounding_box()
    across = wave["y"] + wave["height"] / 2
    page.mouse.move(wave["x"] + wave["width"] * 0.15, across)
    page.mouse.down()
    page.mouse.move(wave["x"] + wave["width"] * 0.20, across, steps=8)
    page.mouse.up()
    page.wait_for_selector("#label-wave[data-drafts='1']", timeout=PATIENCE)
    Keys(page).label("Digit6")
    ((start, end, emotion),) = labelled(page)
    assert (start, end) == (pytest.approx(9, abs=1.5), pytest.approx(12, abs=1.5))
    (kept,) = events(server.home)
    assert (kept["file_name"], kept["emotion"], emotion) == ("interview.wav", "joy", "joy")
    assert float(kept["start"]) == pytest.approx(start, abs=0.01)
