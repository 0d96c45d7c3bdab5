"""From a folder of recordings to the first label, in a real browser.

    python -m benchmarks.speed.first_label_speed [--clips 200] [--seconds 3]

The app runs with an empty home. Counted from the page's address: open it, go to Label, give it the
files, name the corpus' speakers by a pattern, press Add, wait for the first clip, press a digit,
and read "Saved". What a person takes to decide is not in it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.label_page_speed import ROOT, studio
from scripts.take_pictures import FLAGS, find_chromium

GOAL = 60.0
PATIENCE = 600_000


def recordings(folder: Path, clips: int, seconds: float) -> list[Path]:
    """Write stretches of the shipped examples as so many WAV files of ten speakers."""
    from ser_core import audio

    speech = [audio.load(path) for path in sorted((ROOT / "examples").glob("*.flac"))]
    found = []
    for number in range(clips):
        clip = speech[number % len(speech)]
        length = min(round(seconds * clip.sample_rate), clip.samples.shape[1])
        start = (clip.samples.shape[1] - length) * (number // len(speech)) // clips
        sound = clip.samples[:, start : start + length] * (1 - 0.0005 * number)
        path = folder / f"s{number % 10}_{number:04d}.wav"
        path.write_bytes(audio.to_wav_bytes(sound, clip.sample_rate))
        found.append(path)
    return found


def measure(url: str, files: list[Path]) -> list[tuple[str, float]]:
    """Return what was reached and the seconds until then, from the page's address."""
    from playwright.sync_api import sync_playwright

    reached: list[tuple[str, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        begun = time.perf_counter()

        def note(what: str) -> None:
            reached.append((what, time.perf_counter() - begun))

        page.goto(url)
        page.get_by_role("tab", name="Label", exact=True).click()
        page.wait_for_selector("#label-card .welcome")
        note("the Label tab stands open")
        page.set_input_files("#label-import-files input[type=file]", [str(path) for path in files])
        page.fill("#label-import-pattern :is(input, textarea)", "{speaker}_*")
        page.wait_for_selector(".pattern-examples li")
        note("the files are there and the pattern shows its speakers")
        page.click("#label-import-add")
        page.wait_for_selector("#label-import-result .done")
        told = re.sub(r"\s+", " ", page.inner_text("#label-import-result"))[:60]
        note(f"the page says: {told}")
        page.wait_for_selector("#label-card .clip-card")
        note("the first clip is shown")
        page.keyboard.press("Digit6")
        page.wait_for_function("document.querySelector('#label-saved').innerText.includes('Saved')")
        note("the first label is saved")
        browser.close()
    return reached


def main() -> int:
    """Measure and print."""
    parser: Any = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a clip")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        files = recordings(Path(folder), given.clips, given.seconds)
        with studio(Path(home)) as url:
            reached = measure(url, files)
    for what, seconds in reached:
        print(f"{seconds:6.1f} s  {what}")
    return 0 if reached[-1][1] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
