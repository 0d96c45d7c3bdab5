"""How long a slider's move takes in a real browser, and the robustness sweep, on this machine.

A slider of the Augment tab is moved; the clock stops when the answer, the sound and the last
picture are the new ones. Beside it stands what the same work costs without a page, so that a slow
machine shows. ``python -m benchmarks.speed.augment_page_speed [CLIP]`` starts the app itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from scripts.ports import free_port
from scripts.take_pictures import FLAGS, find_chromium
from ui.augment.figures import comparison
from ui.augment.session import change
from ui.robustness.session import sweep
from ui.services import AppSettings, Services

ROOT = Path(__file__).resolve().parents[2]
MOVE = """value => new Promise(done => {
  const state = () => [
    document.querySelector('#augment-drawn pre').textContent,
    [...document.querySelectorAll('#augment-player audio')].map(a => a.dataset.stamp).join(),
    [...document.querySelectorAll('#augment-picture .heatmaplayer image')]
      .map(i => i.getAttribute('href')).pop()];
  const old = state(), begun = performance.now();
  const slider = document.querySelector('#augment-chain input[data-parameter]');
  slider.value = value;
  slider.dispatchEvent(new Event('input'));
  const look = () => state().every((now, place) => now !== old[place])
    ? requestAnimationFrame(() => done(performance.now() - begun)) : setTimeout(look, 5);
  look();
})"""


def timed(action: Callable[[], object], times: int) -> float:
    """Return the median of several calls in milliseconds, after one that does not count."""
    found = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        action()
        found.append(1000 * (time.perf_counter() - begun))
    return statistics.median(found[1:])


def without_page(clip: Path, model: Path, times: int) -> None:
    """Print what the work behind a slider and the sweep cost by themselves."""
    with tempfile.TemporaryDirectory() as home:
        services = Services(AppSettings(home=Path(home), model=model))

        def move() -> None:
            found = change(services, clip, [{"name": "gaussian_noise"}], 0)
            held = found.bench.clip
            recognizer = services.serving.recognizer
            figure = comparison(
                recognizer, held.samples, found.samples, held.sample_rate, found.drawn
            )
            figure.to_json()

        print(f"Work behind a slider's move, median of {times}: {timed(move, times):.0f} ms")
        swept = timed(lambda: sweep(services, clip), 3) / 1000
        print(f"Robustness sweep, 11 x 3, median of 3: {swept:.2f} s (target 3 s)")


def in_browser(clip: Path, model: Path, times: int) -> None:
    """Print the time from a slider's move to the new answer, sound and pictures."""
    from playwright.sync_api import sync_playwright

    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        settings = {"SER_HOME": home, "SER_PORT": str(port), "SER_MODEL": str(model)}
        app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=os.environ | settings)
        try:
            _wait(f"http://127.0.0.1:{port}/config")
            browser = driver.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_role("tab", name="Augment", exact=True).click(timeout=120_000)
            page.set_input_files("#augment-clip input[type=file]", str(clip))
            page.wait_for_selector(
                "#augment-picture .heatmaplayer image", state="attached", timeout=120_000
            )
            page.wait_for_timeout(2000)
            found = [page.evaluate(MOVE, 5 + number % 40) for number in range(times + 2)][2:]
        finally:
            app.terminate()
            app.wait(30)
    slow = sorted(found)[int(0.95 * (len(found) - 1))]
    print(
        f"Slider to new answer, sound and pictures, {times} moves: "
        f"median {statistics.median(found):.0f} ms (target 600), 95 % within {slow:.0f} ms"
    )


def _wait(url: str) -> None:
    for _ in range(1200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("app.py did not answer within two minutes.")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    clip = ROOT / "examples" / "2_lively.flac"
    parser.add_argument("clip", nargs="?", type=Path, default=clip, help="a clip of about 5 s")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--moves", type=int, default=30, help="how many moves are timed")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, clip {options.clip.name}")
    without_page(options.clip, options.model, options.moves)
    in_browser(options.clip, options.model, options.moves)


if __name__ == "__main__":
    main()
