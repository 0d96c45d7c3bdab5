"""How soon the page is up, how fast /predict answers beside the plain way, how big figures are.

    python -m benchmarks.speed.page_speed [--calls 30] [--model DIR] [--clip FILE]

The plain way is what one would write without the studio: librosa.load, a librosa mel spectrogram,
torchvision's ResNet50 in eager mode. Both are measured in the same run, on the same clip.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100


def make_clip(path: Path, seconds: float) -> Path:
    """Write a voice-like buzz with syllables as a 44.1 kHz WAV."""
    from ser_core.audio import to_wav_bytes

    moment = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 25 * np.sin(2 * np.pi * 1.3 * moment)) / RATE
    wave = sum(np.sin(n * phase) / n for n in range(1, 18))
    loud = np.clip(np.sin(2 * np.pi * 2.5 * moment), 0, None) ** 0.5
    path.write_bytes(to_wav_bytes((0.2 * wave * loud)[None].astype(np.float32), RATE))
    return path


def start(home: Path, model: Path | None) -> tuple[subprocess.Popen[bytes], str, float]:
    """Start the app and return it, its address and the seconds until it answered."""
    port = free_port()
    env = dict(os.environ) | {"SER_HOME": str(home), "SER_PORT": str(port)}
    env["GRADIO_TEMP_DIR"] = str(home.with_name("uploads"))  # another page empties the usual one
    if model is not None:
        env["SER_MODEL"] = str(model)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    while time.perf_counter() - began < 120:
        if process.poll() is not None:
            raise SystemExit("The app ended before it answered.")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return process, url, time.perf_counter() - began
        except OSError:
            time.sleep(0.05)
    process.terminate()
    raise SystemExit("The app did not answer within two minutes.")


def timed(call: Callable[[], Any], times: int) -> list[float]:
    """Return how long each call took, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def plain_way(clip: Path) -> Callable[[], Any]:
    """Return the prediction that one would write without the studio."""
    import librosa
    import torch
    import torchvision

    net = torchvision.models.resnet50(num_classes=8).eval()

    def predict() -> Any:
        samples, rate = librosa.load(clip, sr=16_000)
        samples = librosa.util.fix_length(samples, size=5 * int(rate))
        mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_mels=128, n_fft=2048)
        decibels = librosa.power_to_db(mel, ref=np.max).astype(np.float32)
        with torch.no_grad():
            return net(torch.from_numpy(decibels).expand(1, 3, -1, -1)).softmax(-1)

    return predict


def figure_bytes(home: Path, model: Path | None, clip: Path) -> int:
    """Return the size of the JSON of all figures of a clip."""
    from ui.analysis import analyse
    from ui.services import AppSettings, Services

    settings = AppSettings(home=home) if model is None else AppSettings(home=home, model=model)
    return len(analyse(Services(settings), clip).figure.to_json().encode())


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--clip", type=Path, help="a 4 s clip; one is made otherwise")
    wished = parser.parse_args()
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        clip = wished.clip or make_clip(Path(folder) / "four.wav", 4.0)
        long = make_clip(Path(folder) / "thirty.wav", 30.0)
        warm, _, first = start(home, wished.model)
        warm.terminate()
        warm.wait(20)
        process, url, again = start(home, wished.model)
        try:
            client = Client(url, verbose=False, httpx_kwargs={"timeout": 120})
            ask = lambda: client.predict(handle_file(str(clip)), api_name="/predict")  # noqa: E731
            timed(ask, 3)
            ours = timed(ask, wished.calls)
        finally:
            process.terminate()
            process.wait(20)
        plain = plain_way(clip)
        timed(plain, 3)
        theirs = timed(plain, wished.calls)
        ours_ms, plain_ms = statistics.median(ours), statistics.median(theirs)
        report = {
            "start_s": {"first": round(first, 2), "again": round(again, 2), "target": 8.0},
            "predict_ms": {
                "median": round(ours_ms, 1),
                "worst": round(max(ours), 1),
                "target": 250,
            },
            "plain_way_ms": {"median": round(plain_ms, 1), "worst": round(max(theirs), 1)},
            "predict_over_plain": round(ours_ms / plain_ms, 2),
            "figures_30_s_bytes": {
                "measured": figure_bytes(home, wished.model, long),
                "target": 300_000,
            },
            "load_average": round(os.getloadavg()[0], 1),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
