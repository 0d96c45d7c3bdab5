"""The page without a server: answers as Python's, with the network cut off, also by keyboard."""

from __future__ import annotations

import csv
import functools
import http.server
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from ser_core import audio
from ser_core.export.web_folder import export_web
from ser_core.inference.recognizer import Recognizer
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "default"
Judge = Callable[[Page, Path], dict[str, Any]]


@pytest.fixture(scope="session")
def web_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_web(MODEL, tmp_path_factory.mktemp("web") / "page").folder


@pytest.fixture(scope="session")
def web_url(web_folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012 - as the base class has it
            **http.server.SimpleHTTPRequestHandler.extensions_map,
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
        }

        def end_headers(self) -> None:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(web_folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()


@pytest.fixture
def open_web(browser: Browser, web_url: str) -> Callable[..., Page]:
    """A function that opens the page, waits for the model and cuts the network off."""

    def opened(width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            permissions=["microphone"],
        )
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(web_url)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=PATIENCE)
        assert problems == []
        context.set_offline(True)
        return page

    return opened


@pytest.fixture
def judge() -> Judge:
    def judged(page: Page, clip: Path) -> dict[str, Any]:
        page.evaluate("delete document.documentElement.dataset.answer")
        page.locator("#file").set_input_files(clip)
        page.wait_for_selector("html[data-answer]", state="attached", timeout=PATIENCE)
        found: dict[str, Any] = json.loads(page.evaluate("document.documentElement.dataset.answer"))
        return found

    return judged


def long_clip(folder: Path) -> Path:
    """Three sentences and a pause, at 44.1 kHz, in stereo."""
    parts = [audio.load(p, sample_rate=44100) for p in sorted((ROOT / "examples").glob("*.flac"))]
    pause = np.zeros((1, 44100), np.float32)
    mixed = [audio.mono(part.samples) for part in parts]
    whole = np.concatenate([mixed[0], mixed[1], pause, mixed[3]], axis=1)
    path = folder / "=long.wav"
    path.write_bytes(audio.to_wav_bytes(audio.stereo(whole), 44100))
    return path


def test_answers_are_those_of_python(
    open_web: Callable[..., Page], judge: Judge, tmp_path: Path
) -> None:
    recognizer = Recognizer(MODEL, "cpu")
    page = open_web()
    clips = [*sorted((ROOT / "examples").glob("*.flac")), long_clip(tmp_path)]
    for clip in clips:
        expected, found = recognizer.predict(clip).to_json(), judge(page, clip)
        for emotion, share in expected["probabilities"].items():
            assert found["probabilities"][emotion] == pytest.approx(share, abs=0.01), clip.name
        same = ("file", "emotion", "unsure", "conformal_set", "warnings", "model", "sha256")
        assert {key: found[key] for key in same} == {key: expected[key] for key in same}
        assert set(found) == set(expected)
        assert [(w["start"], w["end"], w["emotion"]) for w in found["windows"]] == [
            (w["start"], w["end"], w["emotion"]) for w in expected["windows"]
        ]
        if expected["summary"] is None:
            assert found["summary"] is None
        else:
            assert found["summary"]["changes"] == expected["summary"]["changes"]
            assert found["summary"]["speaking"] == pytest.approx(expected["summary"]["speaking"])
    expect(page.locator("#line .part").first).to_be_visible()


def test_what_holds_no_speech_gets_no_answer(
    open_web: Callable[..., Page], judge: Judge, tmp_path: Path, rng: np.random.Generator
) -> None:
    page = open_web()
    cases = {
        "silence.wav": (np.zeros((1, 32000), np.float32), "silent"),
        "noise.wav": (0.02 * rng.standard_normal((1, 32000)).astype(np.float32), "No speech"),
        "short.wav": (np.full((1, 1600), 0.1, np.float32), "too short"),
    }
    recognizer = Recognizer(MODEL, "cpu")
    for name, (samples, reason) in cases.items():
        clip = tmp_path / name
        clip.write_bytes(audio.to_wav_bytes(samples, 16000))
        found, expected = judge(page, clip), recognizer.predict(clip).to_json()
        assert found["emotion"] is None
        assert reason in found["unsure"]
        assert found["unsure"] == expected["unsure"]
        expect(page.locator("#word")).to_have_text("No answer")
    text = tmp_path / "notes.mp3"
    text.write_text("no sound at all")
    page.locator("#file").set_input_files(text)
    expect(page.locator("#status")).to_contain_text("not a sound file that this browser can read")


def test_a_recording_is_judged_and_kept(open_web: Callable[..., Page]) -> None:
    page = open_web(width=360)
    page.locator("#record").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#record-text")).to_contain_text("Stop")
    time.sleep(4)
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-answer]", state="attached", timeout=PATIENCE)
    found = json.loads(page.evaluate("document.documentElement.dataset.answer"))
    assert found["emotion"] is not None
    assert found["seconds"] > 2
    with page.expect_download() as download:
        page.locator("#json").click()
    assert json.loads(Path(download.value.path()).read_text()) == found
    with page.expect_download() as download:
        page.locator("#csv").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert len(rows) == len(found["windows"])
    assert float(rows[0]["end"]) == found["windows"][0]["end"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_the_page_keeps_its_looks(
    width: int,
    scheme: str,
    open_web: Callable[..., Page],
    judge: Judge,
    screenshot: Callable[[Page, str], Path],
    tmp_path: Path,
) -> None:
    page = open_web(width, scheme)
    screenshot(page, f"web-start-{width}-{scheme}")
    judge(page, long_clip(tmp_path))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for label in ("Record", "Choose a file", "Download JSON", "Download CSV"):
        expect(page.get_by_role("button", name=label)).to_be_visible()
    screenshot(page, f"web-answer-{width}-{scheme}")
