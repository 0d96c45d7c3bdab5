"""How soon Label and Corpus stand with many clips, in a real browser.

    python -m benchmarks.speed.large_corpus_speed [--clips 20000] [--after 30]

Makes a home with that many short clips and a table of their emotions, starts the app on it, and
measures from the press on the tab until the clip's card (Label) or the rows (Corpus) are painted;
on Corpus then from the press on "next" until the next page's rows are. Then the same with the app
started anew, which finds what the first start had noted of the files.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.label_page_speed import studio
from scripts.take_pictures import FLAGS, find_chromium
from ser_core.audio import to_wav_bytes

EMOTIONS = ("anger", "joy", "neutral", "sadness", "")
PATIENCE = 600_000


def made(home: Path, clips: int) -> None:
    """Put short clips, each of another sound, and their table into a home."""
    folder = home / "corpora" / "many"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["Filename,Emotion,Speaker"]
    for number in range(clips):
        name = f"clip_{number:05d}.wav"
        sound = rng.normal(0, 0.05, (1, 3200)).astype(np.float32)
        (folder / name).write_bytes(to_wav_bytes(sound, 16_000))
        rows.append(f"{name},{EMOTIONS[number % 5]},speaker {number % 50}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def measure(url: str) -> tuple[float, float, list[float]]:
    """Return the seconds of Label, of Corpus, and of each of ten next pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url, timeout=PATIENCE)
        page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
        spent = []
        for title, painted in (
            ("label", "#label-card .clip-card"),
            ("corpus", "#corpus-table tbody tr"),
        ):
            begun = time.perf_counter()
            page.click(f"#tab-{title}-button")
            page.wait_for_selector(painted, timeout=PATIENCE)
            spent.append(time.perf_counter() - begun)
        pages = []
        for _ in range(10):
            first = page.inner_html("#corpus-table tbody tr")
            begun = time.perf_counter()
            page.click("#corpus-table [aria-label='Next page']")
            page.wait_for_function(
                "first => { const row = document.querySelector('#corpus-table tbody tr');"
                " return row && row.innerHTML !== first; }",
                arg=first,
                timeout=PATIENCE,
            )
            pages.append(time.perf_counter() - begun)
        browser.close()
    return spent[0], spent[1], pages


def main() -> None:
    """Measure and print."""
    parser: Any = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=20_000, help="clips in the corpus")
    parser.add_argument(
        "--after", type=float, default=0.0, help="seconds that the app has run before it is opened"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder), given.clips)
        for start in ("first start", "started anew"):
            with studio(Path(folder)) as url:
                time.sleep(given.after)
                label, corpus, pages = measure(url)
            print(
                f"{start}, {given.clips} clips: Label {label:.2f} s, Corpus {corpus:.2f} s, "
                f"next page {statistics.median(pages):.2f} s (median of {len(pages)})",
                flush=True,
            )


if __name__ == "__main__":
    main()
