"""How long short clips of many visitors take while one of them sends an hour of audio.

    python -m benchmarks.speed.fair_turns_speed [--clients 50] [--clips 4] [--minutes 60]

The page is started once. First all clients send a 2 s clip to ``/predict``, one after the other
each and all of them at once; then the same again while the long file is being worked on. Printed:
errors, medians, the slowest, and the ratio of the medians; the same for one client alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import soundfile

from benchmarks.speed.page_speed import ROOT, start
from ser_core.audio import load


class Visitor:
    """One visitor's way through the API: upload, call, wait for the answer."""

    def __init__(self, url: str) -> None:
        self.api = httpx.Client(base_url=f"{url}gradio_api/", timeout=1800)

    def predict(self, name: str, data: bytes) -> str:
        """Return the emotion, or raise."""
        sent = self.api.post("upload", files={"files": (name, data)})
        sent.raise_for_status()
        given = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        called = self.api.post("call/predict", json={"data": [given, ""]})
        called.raise_for_status()
        with self.api.stream("GET", f"call/predict/{called.json()['event_id']}") as lines:
            event = ""
            for line in lines.iter_lines():
                if line.startswith("event:"):
                    event = line.removeprefix("event:").strip()
                elif line.startswith("data:") and event in ("complete", "error"):
                    answer = json.loads(line.removeprefix("data:"))
                    if event == "error":
                        raise RuntimeError(f"the page answered: {answer}")
                    return str(answer[0]["emotion"])
        raise RuntimeError("the page ended the answer early")


def flac(samples: np.ndarray, rate: int) -> bytes:
    """Return samples ``[time]`` as a FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def rounds(url: str, clip: bytes, clients: int, clips: int) -> tuple[list[float], int]:
    """Return how long each answer took, in seconds, and how many failed."""
    taken: list[float] = []
    failed = []

    def work(place: int) -> None:
        visitor = Visitor(url)
        for number in range(clips):
            begun = time.perf_counter()
            try:
                visitor.predict(f"short-{place}-{number}.flac", clip)
                taken.append(time.perf_counter() - begun)
            except (httpx.HTTPError, RuntimeError) as error:
                failed.append(error)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    for error in failed[:3]:
        print(f"error: {error!r}")
    return taken, len(failed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--clips", type=int, default=4, help="of each client, each time")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the long file")
    parser.add_argument("--model", type=Path, help="checkpoint folder")
    wished = parser.parse_args()
    spoken = load(ROOT / "examples" / "2_lively.flac").samples[0]
    short = flac(np.resize(spoken, 2 * 16_000), 16_000)
    long = flac(np.resize(spoken, round(60 * wished.minutes * 16_000)), 16_000)
    with tempfile.TemporaryDirectory() as folder:
        process, url, _ = start(Path(folder) / "home", wished.model)
        try:
            rounds(url, short, 2, 3)
            found = {}
            done = threading.Event()

            def send() -> None:
                try:
                    Visitor(url).predict("long.flac", long)
                except (httpx.HTTPError, RuntimeError) as error:
                    print(f"the long file: {error!r}")
                done.set()

            for beside in (False, True):
                if beside:
                    threading.Thread(target=send, daemon=True).start()
                    time.sleep(1.0)
                found["alone", beside] = rounds(url, short, 1, 3 * wished.clips)
                found["many", beside] = rounds(url, short, wished.clients, wished.clips)
                if beside:
                    print(f"the long file was {'done' if done.is_set() else 'at work'} at the end")
        finally:
            process.kill()
            process.wait(20)
    for who, count in (("alone", 1), ("many", wished.clients)):
        for beside in (False, True):
            taken, failed = found[who, beside]
            words = f"{count} at once{f', beside {wished.minutes:g} minutes' if beside else ''}"
            print(
                f"{words:32} median {statistics.median(taken):6.2f} s, "
                f"slowest {max(taken):6.2f} s, {failed} errors"
            )
        middle = [statistics.median(found[who, beside][0]) for beside in (False, True)]
        print(f"{'ratio of the medians':32} {middle[1] / middle[0]:.2f}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
