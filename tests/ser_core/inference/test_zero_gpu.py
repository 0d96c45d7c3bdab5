"""A ZeroGPU Space, played by a made-up package ``spaces``: what is asked of the lent device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SPACES = """
import pickle
import torch
CALLS, MARKED, MOVED = [], [], []

def GPU(task=None, duration=60):
    def mark(function):
        MARKED.append(function.__name__)
        def lent(*args):
            CALLS.append({"seconds": duration(*args), "rows": len(args[1])})
            args = pickle.loads(pickle.dumps(args))  # as to the process that has the device
            return pickle.loads(pickle.dumps(function(*args)))
        return lent
    return mark if task is None else mark(task)

plain = torch.nn.Module.to
def to(self, *args, **kwargs):
    if args and torch.device(args[0]).type == "cuda":
        MOVED.append(type(self).__name__)
        return self
    return plain(self, *args, **kwargs)
torch.nn.Module.to = to
torch.cuda.is_available = lambda: True  # as there, where nothing may be computed on it yet
"""
CONFIG = "class Config:\n    zero_gpu = {zero}\n"
SCRIPT = """
import json, sys
import numpy as np
from pathlib import Path
import app
from ui.identity import Identity
from ui.services import AppSettings, Services
home, model, device, seconds = sys.argv[1:]
services = Services(AppSettings(home=Path(home), model=Path(model), device=device), Identity())
app.declare_lent_device(services)
import spaces
before = [list(spaces.MARKED), list(spaces.MOVED)]
spaces.CALLS.clear()
recognizer = services.serving.recognizer
sound = np.random.default_rng(0).normal(0, 0.1, (1, int(16000 * float(seconds))))
waveform, lengths = recognizer.pipeline().batch([sound.astype(np.float32)] * 3)
logits = recognizer.runtime(waveform, lengths)
print(json.dumps({"before": before, "calls": spaces.CALLS, "logits": logits.tolist(),
                  "device": recognizer.device.type}))
"""


def on_a_space(folder: Path, model: Path, device: str, *, zero: bool = True) -> dict[str, Any]:
    package = folder / "packages" / "spaces"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SPACES)
    (package / "config.py").write_text(CONFIG.format(zero=zero))
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder / "home"), str(model), device, "1.5"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{package.parent}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.slow
def test_the_device_is_used_where_it_was_asked_for_and_for_seconds(
    tmp_path: Path, small_model: Path
) -> None:
    lent = on_a_space(tmp_path / "cuda", small_model, "cuda")
    marked, moved = lent["before"]
    assert marked == ["lent_logits"]
    assert moved == ["Model"], "on the device before the page is opened"
    assert lent["calls"] == [{"seconds": 6, "rows": 3}]
    assert lent["device"] == "cpu", "what is not marked stays off the device"

    plain = on_a_space(tmp_path / "auto", small_model, "auto")
    assert plain["before"] == [["lent_logits"], []], "the Space wants one marked, used or not"
    assert plain["calls"] == []
    for one, other in zip(lent["logits"], plain["logits"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.slow
def test_a_space_with_a_processor_alone_marks_nothing(tmp_path: Path, small_model: Path) -> None:
    found = on_a_space(tmp_path, small_model, "cpu", zero=False)
    assert found["before"] == [[], []]
    assert found["calls"] == []
