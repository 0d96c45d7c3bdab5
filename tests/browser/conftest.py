"""The real page in a real browser: a started app, a Chromium with a microphone that speaks."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from scripts.ports import free_port
from scripts.take_pictures import FLAGS, find_chromium
from ser_core import audio
from tests.browser.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
START_SECONDS = 240.0
EXPLORE = ("Augment", "Robustness", "Features", "Live")
"""Tabs that stand inside the tab Explore."""


@dataclass(frozen=True)
class Server:
    """A running studio.

    Attributes:
        url: where the page is.
        home: its SER_HOME.
        process: the `python app.py`.
        log: what it prints.
        seconds: from its start to its first answer.
    """

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path
    seconds: float

    def stop(self) -> None:
        """End it: each running studio holds a gigabyte."""
        _stop(self.process)


RUNNING: list[Server] = []
"""What was started and is stopped at the end."""

StartApp = Callable[..., Server]
OpenTab = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here as browser tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    """Playwright, stopped at the end."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def spoken_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence as WAV: what the fake microphone hears, again and again."""
    clip = audio.load(ROOT / "examples" / "2_lively.flac", sample_rate=48000)
    path = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    path.write_bytes(audio.to_wav_bytes(clip.samples, clip.sample_rate))
    return path


@pytest.fixture(scope="session")
def browser(playwright_driver: Playwright, spoken_wav: Path) -> Iterator[Browser]:
    """A headless Chromium whose microphone speaks; skipped without one, unless CI=true."""
    own = playwright_driver.chromium.executable_path
    program = find_chromium() or (own if Path(own).exists() else None)
    if program is None:
        reason = "no Chromium was found: install the package chromium, or set SER_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={spoken_wav}"]
    running = playwright_driver.chromium.launch(executable_path=program, args=flags)
    yield running
    running.close()


@pytest.fixture(scope="session")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApp]:
    """A function that starts `python app.py` on a free port.

    ``start_app(home=None, port=0, **environment)`` returns when the page answers. What still runs
    at the end of the session is stopped.
    """

    def start(home: Path | None = None, port: int = 0, **environment: str) -> Server:
        home = home or tmp_path_factory.mktemp("home")
        if not port:
            port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_")}
        kept |= {"SER_HOME": str(home), "SER_PORT": str(port), "SER_DEVICE": "cpu"}
        kept |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"} | environment
        log = tmp_path_factory.mktemp("log") / "app.txt"
        begun = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "app.py"],
                cwd=ROOT,
                env=kept,
                stdout=output,
                stderr=output,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url, process, log, begun)
        except BaseException:
            process.kill()
            raise
        server = Server(url, home, process, log, time.monotonic() - begun)
        RUNNING.append(server)
        return server

    yield start
    while RUNNING:
        RUNNING.pop().stop()


@pytest.fixture
def app_server(start_app: StartApp) -> Iterator[Server]:
    """A real `python app.py` for this test alone, with an empty home."""
    server = start_app()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_server(start_app: StartApp) -> Server:
    """One real `python app.py` for every test that writes nothing."""
    return start_app()


@pytest.fixture
def page(browser: Browser, shared_server: Server) -> Page:
    """The shared app, opened in a browser context of its own."""
    size = {"width": 1280, "height": 900}
    opened = browser.new_context(viewport=size, permissions=["microphone"]).new_page()
    opened.set_default_timeout(PATIENCE)
    opened.goto(shared_server.url)
    return opened


@pytest.fixture
def to_tab() -> Callable[[Page, str], None]:
    """A function that goes to a tab, also to one inside Explore."""
    return _to_tab


@pytest.fixture
def open_tab(browser: Browser) -> OpenTab:
    """A function that opens a studio: ``open_tab(url, "Label", width=360, theme="dark")``.

    ``script`` runs before the page's own. Each page has a browser context of its own.
    """

    def opened(
        url: str, title: str, width: int = 1280, theme: str = "light", script: str = ""
    ) -> Page:
        size = {"width": width, "height": 900}
        page = browser.new_context(viewport=size, permissions=["microphone"]).new_page()
        page.set_default_timeout(PATIENCE)
        if script:
            page.add_init_script(script)
        page.goto(f"{url}?__theme={theme}")
        page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
        _to_tab(page, title)
        return page

    return opened


@pytest.fixture
def events() -> Callable[[Path], list[dict[str, str]]]:
    """A function that reads every event that a home's store keeps, in order."""

    def read(home: Path) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = []
        for file in sorted((home / "labels").glob("events-*.csv")):
            with file.open(encoding="utf-8", newline="") as text:
                rows += csv.DictReader(text)
        return sorted(rows, key=lambda row: int(row["number"]))

    return read


@pytest.fixture(scope="session")
def speech() -> Path:
    """A clip of speech that the project ships, longer than two seconds."""
    return ROOT / "examples" / "2_lively.flac"


@pytest.fixture(autouse=True)
def evidence(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the pages after each test; of a failed one keep their pictures and the apps' logs."""
    if "browser" not in request.fixturenames:
        yield
        return
    running: Browser = request.getfixturevalue("browser")
    yield
    pages = _pages(request.node)
    report = request.node.stash.get(_REPORT, None)
    if report is not None and report.failed:
        name = "failed-" + re.sub(r"[^\w-]+", "_", request.node.name)
        SCREENSHOTS.mkdir(exist_ok=True)
        for number, opened in enumerate(pages):
            opened.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
        for server in _servers(request.node):
            shutil.copyfile(server.log, SCREENSHOTS / f"{name}-app.txt")
    for context in running.contexts:
        context.close()


@pytest.fixture
def screenshot() -> Callable[[Page, str], Path]:
    """A function that keeps a picture: ``screenshot(page, "recognise-dark")``."""

    def take(page: Page, name: str) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take


def _to_tab(page: Page, title: str) -> None:
    tab = page.locator(f"#tab-{title.lower()}-button")
    if title in EXPLORE and not tab.is_visible():
        page.click("#tab-explore-button")
    tab.click()


_REPORT = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """Keep how a test ended, so that the page's fixture knows; print what its apps said last."""
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    if report.failed:
        for server in _servers(item):
            ended = server.process.poll()
            state = "running" if ended is None else f"ended with {ended}"
            text = server.log.read_text(encoding="utf-8", errors="replace")
            report.sections.append((f"{server.url}, {state}", text[-6000:]))
        for opened in _pages(item):
            with suppress(PlaywrightError):
                opened.set_default_timeout(5000)
                report.sections.append((opened.url, opened.inner_text("body")[:1500]))
    return report


def _servers(item: pytest.Item) -> list[Server]:
    """Return the studios that a test uses."""
    used = getattr(item, "funcargs", {})
    found = [one for one in used.values() if isinstance(one, Server)]
    if "start_app" in used:
        found += [one for one in RUNNING if one.process.poll() is None]
    return list({one.log: one for one in found}.values())


def _pages(item: pytest.Item) -> list[Page]:
    """Return the pages that a test has open."""
    running = getattr(item, "funcargs", {}).get("browser")
    return [page for context in running.contexts for page in context.pages] if running else []


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, begun: float) -> None:
    while time.monotonic() - begun < START_SECONDS:
        if process.poll() is not None:
            pytest.fail(f"app.py ended with {process.returncode}:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(f"{url}/config", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"app.py did not answer within {START_SECONDS:.0f} s:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
