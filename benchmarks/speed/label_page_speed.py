"""Key press to next clip on the Label tab, in a real browser.

    python -m benchmarks.speed.label_page_speed --clips 60 [--url http://127.0.0.1:7860]

Starts the app on a home of its own that holds the shipped examples as a corpus, opens the Label
tab in Chromium, presses digits, and measures from the key press until the next clip's card is
painted. With --url it labels at a studio that already runs (its events are real ones).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.ports import free_port
from scripts.take_pictures import FLAGS, find_chromium

ROOT = Path(__file__).resolve().parents[2]
GOAL_MS = (200.0, 350.0)
"""Median, and within which 95 of a hundred presses are."""

PRESS = """(code) => new Promise((done, fail) => {
  const card = () => document.querySelector("#label-card .clip-card");
  const before = card().dataset.ticket, start = performance.now();
  const watch = new MutationObserver(() => {
    if (!card() || card().dataset.ticket === before) return;
    watch.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  });
  watch.observe(document.body, {childList: true, subtree: true});
  setTimeout(() => fail(new Error("no next clip within 60 s")), 60000);
  document.body.dispatchEvent(new KeyboardEvent("keydown",
    {code, key: code.slice(-1), bubbles: true, cancelable: true}));
})"""


def corpus(home: Path, clips: int) -> None:
    """Put stretches of the shipped examples into a home as a corpus with EMO-DB's names."""
    from ser_core import audio

    folder = home / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    speech = [audio.load(path) for path in sorted((ROOT / "examples").glob("*.flac"))]
    for number in range(clips):
        clip = speech[number % len(speech)]
        length = round(1.8 * clip.sample_rate)
        start = (clip.samples.shape[1] - length) * (number // len(speech)) // clips
        speaker = ("03", "08", "09", "10", "11", "12")[number % 6]
        name = f"{speaker}a{number // 42 + 1:02d}{'WLEAFTN'[number // 6 % 7]}a.wav"
        sound = clip.samples[:, start : start + length]
        (folder / name).write_bytes(audio.to_wav_bytes(sound, clip.sample_rate))


@contextlib.contextmanager
def studio(home: Path) -> Iterator[str]:
    """Run the app on a free port; yield its address."""
    port = free_port()
    env = os.environ | {"SER_HOME": str(home), "SER_PORT": str(port)}
    running = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        while running.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/config", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        running.terminate()
        running.wait(30)


def measure(url: str, clips: int) -> list[float]:
    """Return milliseconds from each key press to the next clip."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.get_by_role("tab", name="Label", exact=True).click(timeout=120_000)
        page.wait_for_selector("#label-card .clip-card", timeout=120_000)
        spent = []
        for number in range(clips):
            page.wait_for_timeout(400)
            spent.append(page.evaluate(PRESS, f"Digit{number % 9 + 1}"))
        browser.close()
    return spent


def main() -> int:
    """Measure and print."""
    parser: Any = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40, help="key presses to measure")
    parser.add_argument("--url", default="", help="a studio that already runs")
    given = parser.parse_args()
    if given.url:
        spent = measure(given.url, given.clips)
    else:
        with tempfile.TemporaryDirectory() as folder:
            corpus(Path(folder), given.clips + 10)
            with studio(Path(folder)) as url:
                spent = measure(url, given.clips)
    spent.sort()
    middle, slow = statistics.median(spent), spent[int(0.95 * (len(spent) - 1))]
    print(
        f"key press to next clip, {len(spent)} presses: median {middle:.0f} ms (goal: "
        f"{GOAL_MS[0]:.0f}), 95 % within {slow:.0f} ms (goal: {GOAL_MS[1]:.0f})"
    )
    return 0 if middle <= GOAL_MS[0] and slow <= GOAL_MS[1] else 1


if __name__ == "__main__":
    sys.exit(main())
