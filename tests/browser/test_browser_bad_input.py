"""What is not speech gets a message, and the page goes on to predict the next good clip."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from scripts.ports import free_port
from ser_core.audio import load, to_wav_bytes
from tests.browser.patience import PATIENCE
from ui.analysis import analyse
from ui.identity import Identity
from ui.page import build_page, launch_options
from ui.services import AppSettings, Services

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RATE = 16_000
MOST_BYTES = 600_000
UNREADABLE = ("empty.wav", "diary.wav", "not a number.wav")
REFUSE = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', '%s'); }"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Iterator[Services]:
    """The real page in this process, with a small model and a small limit for uploads."""
    port = free_port()
    home = tmp_path_factory.mktemp("home")
    services = Services(
        AppSettings(home=home, model=small_model, pinned=True, port=port, max_bytes=MOST_BYTES),
        Identity(),
    )
    services.warm()
    page = build_page(services)
    page.queue(max_size=64, default_concurrency_limit=4)
    page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
    yield services
    page.close()


def open_page(browser: Any, services: Services, script: str = "") -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    if script:
        page.add_init_script(script)
    page.goto(f"http://127.0.0.1:{services.settings.port}")
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    return page


def put(page: Any, path: Path) -> None:
    """Take the clip of before away, and upload another."""
    if not page.locator("#clip input[type=file]").count():
        page.click("#clip button[aria-label='Clear']")
        page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
        page.wait_for_selector("#answer .welcome h2", timeout=PATIENCE)
    page.set_input_files("#clip input[type=file]", str(path))


def answer(page: Any) -> str:
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    said: str = page.inner_text("#answer")
    assert "Traceback" not in page.content()
    return said


def wav(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    held = io.BytesIO()
    soundfile.write(held, samples, RATE, format="WAV", subtype=subtype)
    return held.getvalue()


def still_alive(page: Any, speech: Path) -> None:
    put(page, speech)
    said = answer(page)
    assert speech.name in said
    assert "No answer" not in said
    assert "%" in said


@pytest.fixture
def bad(tmp_path: Path, speech: Path) -> dict[str, tuple[Path, str]]:
    """Files that hold no speech, and the message that the page shows for each."""
    spoken = load(speech).samples[0]
    broken = spoken.copy()
    broken[1000:2000] = np.nan
    tone = np.sin(np.arange(round(0.02 * RATE)) / 10).astype(np.float32)
    files = {
        "empty.wav": (b"", "empty.wav"),
        "diary.wav": (b"dear diary, today I felt", "diary.wav"),
        "not a number.wav": (wav(broken, "FLOAT"), "not a number.wav"),
        "silence.wav": (wav(np.zeros(RATE, np.float32)), "silen"),
        "blink.wav": (wav(tone), "short"),
    }
    found = {}
    for name, (data, said) in files.items():
        (tmp_path / name).write_bytes(data)
        found[name] = (tmp_path / name, said)
    return found


def test_each_bad_file_gets_a_sentence_and_none_an_event(
    browser: Any, studio: Services, bad: dict[str, tuple[Path, str]], speech: Path
) -> None:
    page = open_page(browser, studio)
    for name, (path, told) in bad.items():
        put(page, path)
        said = answer(page)
        assert "No answer" in said, name
        assert told in said, (name, said)
        assert said.rstrip().endswith("."), (name, said)
        assert "%" not in said, name
        if name in UNREADABLE:  # a sound without an answer may be labelled: the ear may know better
            page.keyboard.press("1")
    still_alive(page, speech)
    assert studio.store.events() == []


def test_one_silent_channel_takes_nothing_from_the_other(
    browser: Any, studio: Services, speech: Path, tmp_path: Path
) -> None:
    spoken = load(speech).samples[0]
    path = tmp_path / "one ear.wav"
    path.write_bytes(wav(np.stack([spoken, np.zeros_like(spoken)], axis=1)))
    page = open_page(browser, studio)
    put(page, path)
    said = answer(page)
    assert "one ear.wav" in said
    assert "No answer" not in said
    assert studio.store.events() == []


def test_a_file_that_is_too_large_is_refused_and_the_limit_stood_there_before(
    browser: Any, studio: Services, speech: Path, tmp_path: Path
) -> None:
    long = np.random.default_rng(0).normal(0, 0.1, (1, 30 * RATE)).astype(np.float32)
    path = tmp_path / "long.wav"
    path.write_bytes(to_wav_bytes(long, RATE))
    assert path.stat().st_size > MOST_BYTES
    page = open_page(browser, studio)
    hint = page.inner_text("#clip-limits")
    assert f"{MOST_BYTES / 2**10:.0f} kB" in hint
    assert "60 minutes" in hint
    page.set_input_files("#clip input[type=file]", str(path))
    page.wait_for_selector(".toast-body", timeout=PATIENCE)
    assert "size" in page.inner_text(".toast-body").lower()
    still_alive(page, speech)
    assert studio.store.events() == []


@pytest.mark.parametrize("error", ["NotAllowedError", "NotFoundError"])
def test_a_refused_microphone_leaves_the_upload_at_work(
    browser: Any, studio: Services, speech: Path, error: str
) -> None:
    page = open_page(browser, studio, REFUSE % error)
    assert not page.locator(".mic-message").is_visible()
    page.click("#clip button[aria-label='Record audio']")
    page.click("#clip button.record-button")
    page.wait_for_selector(".mic-message", state="visible", timeout=PATIENCE)
    assert "upload a file" in page.inner_text(".mic-message")
    page.click("#clip button[aria-label='Upload file']")
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    still_alive(page, speech)
    assert studio.store.events() == []


def test_a_tab_closed_during_a_run_takes_nobody_with_it(
    browser: Any,
    studio: Services,
    speech: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, closed = threading.Event(), threading.Event()

    def slow(*words: Any, **named: Any) -> Any:
        begun.set()
        closed.wait(PATIENCE / 1000)
        return analyse(*words, **named)

    monkeypatch.setattr("ui.recognise.tab.analyse", slow)
    staying, leaving = open_page(browser, studio), open_page(browser, studio)
    leaving.set_input_files("#clip input[type=file]", str(speech))
    assert begun.wait(PATIENCE / 1000)
    leaving.close()
    closed.set()
    still_alive(staying, speech)
    assert studio.store.events() == []
    assert "Traceback" not in capfd.readouterr().err
