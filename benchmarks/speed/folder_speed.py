"""A folder of clips: `python -m ser_core predict FOLDER` and the loop that a user would write.

    python -m benchmarks.speed.folder_speed [--clips 500] [--loop-clips 60]

The loop: librosa.load, a librosa mel spectrogram, the same ResNet50 in eager torch, one clip after
the other. Both run as processes of their own, beginning to end without the imports (a run of one
clip is taken off), in turns. Clips are of 3 s, 44.1 kHz.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.page_speed import ROOT, make_clip

LOOP = """
import sys
from pathlib import Path
import librosa, numpy as np, torch, torchvision
net = torchvision.models.resnet50(num_classes=8).eval()
for path in sorted(Path(sys.argv[1]).glob("*.wav"))[: int(sys.argv[2])]:
    samples, rate = librosa.load(path, sr=16_000)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_mels=80, n_fft=1024, hop_length=320)
    level = librosa.power_to_db(mel, ref=np.max).astype(np.float32)
    with torch.no_grad():
        shares = net(torch.from_numpy(level).expand(1, 3, -1, -1)).softmax(-1)
    print(path.name, int(shares.argmax()))
"""


def seconds(words: list[str]) -> float:
    """Return how long a command takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--loop-clips", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        many, one = Path(name) / "many", Path(name) / "one"
        for folder in (many, one):
            folder.mkdir()
        data = make_clip(one / "0.wav", 3.0).read_bytes()
        for number in range(wished.clips):
            (many / f"{number:04d}.wav").write_bytes(data)
        predict = ["-m", "ser_core", "predict", "--json"]
        seconds([*predict, str(one)])  # writes the network's graph
        ours, theirs = [], []
        for _ in range(wished.rounds):
            spent = seconds([*predict, str(many)]) - seconds([*predict, str(one)])
            ours.append((wished.clips - 1) / spent)
            spent = seconds(["-c", LOOP, str(many), str(wished.loop_clips)])
            spent -= seconds(["-c", LOOP, str(many), "1"])
            theirs.append((wished.loop_clips - 1) / spent)
    mine, plain = statistics.median(ours), statistics.median(theirs)
    print(f"predict FOLDER {mine:.1f} clips a second, loop {plain:.1f}, ratio {mine / plain:.1f}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
