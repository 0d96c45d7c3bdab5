"""Take the README's pictures of the page: one PNG a tab, from the running studio itself.

    python scripts/take_pictures.py                          # all of them, into docs/
    python scripts/take_pictures.py --only page,live         # some
    python scripts/take_pictures.py --width 360 --theme dark --out somewhere

It starts `python app.py` on a free port with a temporary home, fills that with the project's own
example clips, drives a headless Chromium through every tab and ends both. Nothing of yours is read
but the model: the shipped one, or `--model FOLDER`. It wants what the tests want
(requirements-dev.txt) and a Chromium (SER_CHROMIUM names one that is not on the path).
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TALLEST = 1500
"""Pixels; what lies below that is left out of a picture."""

SHADES = 220
"""A page is flat colours and one spectrogram; a palette keeps the files small. The colours of the
emotions are put into it beside these, for their areas are too small to win a place."""

MOST_BYTES = 2_500_000
"""Most that the pictures may weigh together."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
"""Of a browser that asks nothing, calls nobody and hears a file; the tests drive the same."""

ROWS = (
    ("1_even.flac", "neutral"),
    ("2_lively.flac", "joy"),
    ("3_slow.flac", "sadnes"),
    ("4_hard.flac", "anger"),
    ("5_german.flac", "joy"),
    ("6_polish.flac", "neutral"),
    ("7_missing.flac", "fear"),
)
"""The made-up corpus: what was meant, with one word misspelt and one file that is not there."""


@dataclass
class Stage:
    """What a picture is taken of.

    Attributes:
        page: the open page.
        clip: a short clip of speech.
        talk: several clips one after the other, longer than the model's window.
        patience: most milliseconds to wait for anything.
    """

    page: Any
    clip: Path
    talk: Path
    patience: float

    def open(self, title: str) -> None:
        """Go to a tab, by the name that it has in the address."""
        self.until("window.serPage?.ready")
        self.page.evaluate("name => window.serPage.visit(name)", title.lower())
        self.wait(f"#tab-{title.lower()}-button[aria-selected=true]")

    def give(self, holder: str, path: Path) -> None:
        """Upload a clip."""
        field = f"{holder} input[type=file]"
        self.page.wait_for_selector(field, state="attached", timeout=self.patience)
        self.page.set_input_files(field, str(path))

    def wait(self, selector: str, state: str = "visible") -> None:
        """Wait until something is on the page."""
        self.page.wait_for_selector(selector, state=state, timeout=self.patience)

    def until(self, condition: str) -> None:
        """Wait until an expression of the page is true."""
        self.page.wait_for_function(condition, timeout=self.patience)


def recognise(stage: Stage) -> None:
    """A talk with its time line, and where the model looked."""
    stage.give("#clip", stage.talk)
    stage.wait("#answer .verdict")
    stage.wait("#picture .heatmaplayer image", "attached")
    message = stage.page.evaluate(
        "document.querySelector('#answer .bars li .name').lastChild.textContent"
    )
    field = stage.page.locator("#looked-for input")
    field.click()
    field.fill(message)
    field.press("Enter")
    stage.until("document.querySelectorAll('#picture .heatmaplayer image').length > 1")
    stage.page.evaluate("document.activeElement.blur()")


def live(stage: Stage) -> None:
    """Ten seconds of a microphone that plays the talk."""
    stage.open("Live")
    stage.wait(".live-toggle")
    stage.page.click(".live-toggle")
    stage.until("window.serLive.ages().length >= 20")
    stage.page.click(".live-toggle")


def augment(stage: Stage) -> None:
    """A clip as it would sound in a noisy street."""
    stage.open("Augment")
    stage.give("#augment-clip", stage.clip)
    stage.wait("#augment-answer .shifts")
    stage.wait("#augment-picture .heatmaplayer image", "attached")
    stamps = "[...document.querySelectorAll('#augment-player audio')].map(a => a.dataset.stamp)"
    before = stage.page.evaluate(f"{stamps}.sort().join()")
    stage.page.click("#augment-chain [data-preset='noisy street']")
    stage.until(f"{stamps}.sort().join() !== '{before}'")


def robustness(stage: Stage) -> None:
    """A clip under every effect."""
    stage.open("Robustness")
    stage.give("#robustness-clip", stage.clip)
    stage.wait("#robustness-clip audio", "attached")
    stage.page.click("#robustness-run")
    stage.wait("#robustness-map .heat-map")


def features(stage: Stage) -> None:
    """What can be measured of a clip."""
    stage.open("Features")
    stage.give("#features-clip", stage.clip)
    stage.until("document.querySelectorAll('.js-plotly-plot .main-svg').length > 8")


def label(stage: Stage) -> None:
    """The next clip of the queue."""
    stage.open("Label")
    stage.wait("#label-card .clip-card")
    stage.wait("#label-picture .heatmaplayer image", "attached")


def corpus(stage: Stage) -> None:
    """The table of names and emotions, with what is wrong in it."""
    stage.open("Corpus")
    stage.wait("#corpus-table tbody tr")


def model(stage: Stage) -> None:
    """The figures of the model that serves."""
    stage.open("Model")
    stage.wait("#model-history .versions")
    stage.until("document.querySelectorAll('#model-head .figure, #model-head .notice').length")


def about(stage: Stage) -> None:
    """What it can tell and what it can't."""
    stage.open("About")
    stage.wait("#about-text h2")


PICTURES: dict[str, Callable[[Stage], None]] = {
    "page": recognise,
    "live": live,
    "augment": augment,
    "robustness": robustness,
    "features": features,
    "label": label,
    "corpus": corpus,
    "model": model,
    "about": about,
}
"""Name of each picture, and how the page is brought to where it is taken."""


def small_png(data: bytes, tallest: int = TALLEST) -> bytes:
    """Return a picture with a palette in place of full colour, cut at a height.

    Args:
        data: a PNG.
        tallest: most rows kept.
    """
    from PIL import Image

    from ui.theme import COLOURS

    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, tallest)))
    usual = image.quantize(SHADES, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    shades = [*(usual.getpalette() or [])[: SHADES * 3]]
    for colour in COLOURS.values():
        shades += [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(shades)
    flat = image.quantize(palette=palette, dither=Image.Dither.NONE)
    held = io.BytesIO()
    flat.save(held, "PNG", optimize=True)
    return held.getvalue()


def fill_home(home: Path) -> None:
    """Put a small corpus of the project's own clips into a home."""
    folder = home / "corpora" / "examples"
    folder.mkdir(parents=True)
    table = ["Filename,Emotion", *(f"{name},{emotion}" for name, emotion in ROWS)]
    (folder / "labels.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    for path in sorted((ROOT / "examples").glob("*.flac")):
        shutil.copyfile(path, folder / path.name)


def make_talk(folder: Path) -> Path:
    """Join the example clips, with a pause in the middle, and return the file."""
    from ser_core import audio

    rate = 48_000
    clips = [audio.load(p, sample_rate=rate) for p in sorted((ROOT / "examples").glob("*.flac"))]
    pause = np.zeros((1, 2 * rate), np.float32)
    sounds = [audio.mono(clip.samples) for clip in clips]
    path = folder / "talk.wav"
    joined = np.concatenate([*sounds[:3], pause, *sounds[3:]], axis=1)
    path.write_bytes(audio.to_wav_bytes(joined, rate))
    return path


@contextmanager
def studio(home: Path, model: Path | None, patience: float) -> Iterator[str]:
    """Run the app on a free port and give its address."""
    from scripts.ports import free_port

    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_")}
    kept |= {"SER_HOME": str(home), "SER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    if model is not None:
        kept["SER_MODEL"] = str(model)
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=kept)
    try:
        begun, url = time.monotonic(), f"http://127.0.0.1:{port}"
        while not answers(f"{url}/config"):
            if process.poll() is not None:
                raise SystemExit(f"app.py ended with {process.returncode}; see above.")
            if time.monotonic() - begun > patience / 1000:
                raise SystemExit(f"app.py did not answer within {patience / 1000:.0f} s.")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    """Say whether something answers there."""
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False


def find_chromium() -> str | None:
    """Return the browser to drive: SER_CHROMIUM or the system's; None leaves it to playwright."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("SER_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def take(args: argparse.Namespace, names: list[str]) -> int:
    """Take the pictures and return how many bytes they are."""
    from playwright.sync_api import sync_playwright

    args.out.mkdir(parents=True, exist_ok=True)
    total = 0
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        home, clip = Path(place) / "home", ROOT / "examples" / "2_lively.flac"
        fill_home(home)
        talk = make_talk(Path(place))
        with studio(home, args.model, args.patience) as url:
            flags = [*FLAGS, f"--use-file-for-fake-audio-capture={talk}"]
            browser = driver.chromium.launch(executable_path=find_chromium(), args=flags)
            size = {"width": args.width, "height": 900}
            for name in names:
                context = browser.new_context(viewport=size, permissions=["microphone"])
                page = context.new_page()
                page.goto(f"{url}?__theme={args.theme}", timeout=args.patience)
                stage = Stage(page, clip, talk, args.patience)
                stage.wait("#clip input[type=file]", "attached")
                PICTURES[name](stage)
                page.wait_for_timeout(args.settle)
                data = small_png(
                    page.screenshot(full_page=True, timeout=args.patience), args.tallest
                )
                (args.out / f"{name}.png").write_bytes(data)
                print(f"{args.out / name}.png  {len(data) / 1024:.0f} kB", flush=True)
                total += len(data)
                context.close()
            browser.close()
    return total


def main() -> int:
    """Take what was asked for; say so where the pictures weigh too much."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder (default: docs)")
    parser.add_argument("--only", default="", help=f"some of: {','.join(PICTURES)}")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in pixels")
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the shipped one)")
    parser.add_argument("--tallest", type=int, default=TALLEST, help="cut a picture below this")
    parser.add_argument("--settle", type=float, default=1500, help="milliseconds before each")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for anything")
    args = parser.parse_args()
    args.patience *= 1000
    names = [name.strip() for name in args.only.split(",") if name.strip()] or list(PICTURES)
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        parser.error(f"no picture is called {', '.join(unknown)}; known are {', '.join(PICTURES)}")
    total = take(args, names)
    print(f"{total / 1024:.0f} kB in all; {MOST_BYTES // 1024} are the most.")
    return 0 if total <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
