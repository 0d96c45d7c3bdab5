"""How soon a sound has its label on the Live tab, and whether that drifts or grows.

    python -m benchmarks.speed.live_speed [--seconds 600] [--model DIR] [--clip FILE]

Two figures: what the server needs for a piece of half a second (resampling, voice activity, model,
picture), fed in real time or as fast as it goes; and, with --browser, the age that the page itself
measures of the sound whose label it shows, from a Chromium whose microphone plays the clip.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.speed.page_speed import ROOT, start
from scripts.take_pictures import FLAGS, find_chromium

HOP = 0.5
RATE = 48_000


def server(model: Path, clip: Path, seconds: float) -> dict[str, float]:
    """Feed pieces as fast as they are answered; return milliseconds a piece and growth in MB."""
    from ser_core import audio
    from ui.live import tab
    from ui.live.session import LiveSessions
    from ui.services import AppSettings, Services

    sound = audio.load(clip, sample_rate=RATE).samples[0]
    loop = np.tile(sound, 1 + round(20 * RATE / len(sound)))
    size, took, grown = round(HOP * RATE), [], 0
    with tempfile.TemporaryDirectory() as home:
        services = Services(AppSettings(home=Path(home), model=model, pinned=True))
        listening = LiveSessions()
        for number in range(1, round(seconds / HOP) + 1):
            at = number * size % (len(loop) - size)
            pcm = (loop[at : at + size] * 32767).astype("<i2").tobytes()
            text = {"number": number, "first": number == 1, "rate": RATE}
            message = json.dumps(text | {"pcm": base64.b64encode(pcm).decode()})
            began = time.perf_counter()
            tab.hear(services, listening, "page", message, "some")
            took.append((time.perf_counter() - began) * 1000)
            if number == max(20, round(0.2 * seconds / HOP)):
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    half = len(took) // 2
    return {
        "pieces": len(took),
        "median_ms": float(np.median(took[2:])),
        "p95_ms": float(np.percentile(took[2:], 95)),
        "first_half_ms": float(np.median(took[2:half])),
        "second_half_ms": float(np.median(took[half:])),
        "growth_mb": (peak - grown) / 1024,
    }


def browser(model: Path, clip: Path, seconds: float) -> dict[str, float]:
    """Let a Chromium listen; return the age of the oldest new sound when its label is shown."""

    from playwright.sync_api import sync_playwright

    from ser_core import audio

    with tempfile.TemporaryDirectory() as place:
        spoken = Path(place) / "spoken.wav"
        held = audio.load(clip, sample_rate=RATE)
        spoken.write_bytes(audio.to_wav_bytes(held.samples, RATE))
        process, url, _ = start(Path(place) / "home", model)
        try:
            with sync_playwright() as driver:
                flags = [*FLAGS, f"--use-file-for-fake-audio-capture={spoken}"]
                opened = driver.chromium.launch(executable_path=find_chromium(), args=flags)
                page = opened.new_context(permissions=["microphone"]).new_page()
                page.goto(url)
                page.get_by_role("tab", name="Live", exact=True).click(timeout=60_000)
                page.click(".live-toggle")
                page.wait_for_function("window.serLive.ages().length > 3", timeout=60_000)
                page.wait_for_timeout(seconds * 1000)
                ages = np.array(page.evaluate("window.serLive.ages()"))[3:, 1]
                skipped = page.evaluate("window.serLive.skipped()")
                opened.close()
        finally:
            process.terminate()
            process.wait(20)
    half = len(ages) // 2
    return {
        "labels": len(ages),
        "median_s": float(np.median(ages)),
        "p95_s": float(np.percentile(ages, 95)),
        "first_half_s": float(np.median(ages[:half])),
        "second_half_s": float(np.median(ages[half:])),
        "dropped_samples": float(skipped),
    }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--clip", type=Path, default=ROOT / "examples" / "2_lively.flac")
    parser.add_argument("--browser", action="store_true", help="in a real browser too")
    args = parser.parse_args()
    print(json.dumps({"server": server(args.model, args.clip, args.seconds)}), flush=True)
    if args.browser:
        print(json.dumps({"browser": browser(args.model, args.clip, args.seconds)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
