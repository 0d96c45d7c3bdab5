"""The page beside the smallest Gradio pages: start, answer and memory.

    python -m benchmarks.speed.gradio_speed [--starts 5] [--calls 30] [--predictions 300]

- start: seconds from `python app.py` to the page's first answer, over those of a Gradio
  hello-world; they take turns.
- answer: `/predict` through gradio_client, over an endpoint that returns the name of the same
  uploaded file; they take turns.
- memory: the page's peak after that many predictions, each of another clip, over its peak after 10.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.speed.page_speed import make_clip, start
from scripts.ports import free_port
from ser_core.audio import load, to_wav_bytes

HELLO = """
import sys
import gradio as gr
gr.Interface(lambda name: f"Hello {name}", "text", "text").launch(
    server_port=int(sys.argv[1]), quiet=True)
"""
ECHO = """
import sys
from pathlib import Path
import gradio as gr
with gr.Blocks() as page:
    file, name = gr.File(type="filepath"), gr.JSON()
    gr.Button().click(lambda path: {"file": Path(path).name}, file, name, api_name="echo")
page.launch(server_port=int(sys.argv[1]), quiet=True)
"""


def start_small(code: str) -> tuple[subprocess.Popen[bytes], str, float]:
    """Start a small Gradio page; return it, its address and the seconds until it answered."""
    port = free_port()
    env = dict(os.environ) | {"GRADIO_ANALYTICS_ENABLED": "False"}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(port)], env=env, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    while process.poll() is None and time.perf_counter() - begun < 120:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return process, url, time.perf_counter() - begun
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise SystemExit("The small page did not answer.")


def peak_megabytes(pid: int) -> float:
    """Return the largest resident memory that a process had, from Linux's own count."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This system does not tell a process's peak memory.")


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a page."""
    process.terminate()
    process.wait(20)


def timed(work: Callable[[], object]) -> float:
    """Return seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--predictions", type=int, default=300)
    wished = parser.parse_args()
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        clip = make_clip(Path(folder) / "three.wav", 3.0)
        ended(start(home, None)[0])  # the first start of a home writes the network's graph
        starts: list[tuple[float, float]] = []
        for _ in range(wished.starts):
            small, _, theirs = start_small(HELLO)
            ended(small)
            page, _, ours = start(home, None)
            ended(page)
            starts.append((ours, theirs))
        ours, theirs = (statistics.median(column) for column in zip(*starts, strict=True))
        print(f"start: {ours:.2f} s, hello-world {theirs:.2f} s, ratio {ours / theirs:.2f}")

        small, small_url, _ = start_small(ECHO)
        page, url, _ = start(home, None)
        try:
            clients = [Client(one, verbose=False) for one in (url, small_url)]
            ways = [
                lambda: clients[0].predict(handle_file(str(clip)), api_name="/predict"),
                lambda: clients[1].predict(handle_file(str(clip)), api_name="/echo"),
            ]
            for way in ways:
                way()
            rounds = [[timed(way) for way in ways] for _ in range(wished.calls)]
            ours, theirs = (1e3 * statistics.median(one) for one in zip(*rounds, strict=True))
            print(f"answer: {ours:.0f} ms, echo {theirs:.0f} ms, ratio {ours / theirs:.2f}")
            sound = load(clip)
            rng = np.random.default_rng(0)
            path, before = Path(folder) / "one.wav", 0.0
            for number in range(1, wished.predictions + 1):
                noisy = sound.samples + 1e-3 * rng.standard_normal(sound.samples.shape)
                path.write_bytes(to_wav_bytes(noisy.astype(np.float32), sound.sample_rate))
                clients[0].predict(handle_file(str(path)), api_name="/predict")
                if number == 10:
                    before = peak_megabytes(page.pid)
            after = peak_megabytes(page.pid)
            print(
                f"memory: {before:.0f} MB after 10 predictions, {after:.0f} MB after "
                f"{wished.predictions}, ratio {after / before:.3f}"
            )
        finally:
            ended(page)
            ended(small)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
