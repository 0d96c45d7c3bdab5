"""Fixtures that every test may use, the real corpora among them where they are present."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def corpora_root() -> Path:
    """Folder of real corpora: SER_TEST_CORPORA, else ``shared/corpora`` beside the project."""
    folder = Path(os.environ.get("SER_TEST_CORPORA", ROOT.parent / "shared" / "corpora"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real corpora at {folder} (set SER_TEST_CORPORA to use another folder)")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights: wrong, but complete."""
    import torch

    from ser_core import checkpoint
    from ser_core.calibration import Calibration
    from ser_core.model import build
    from ser_core.specification import Specification

    torch.manual_seed(0)
    made = Specification(
        frontend_parameters={"n_mels": 64, "n_fft": 1024, "hop_length": 512},
        backbone="cnn",
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=2.0,
        name="small",
        version="small-1",
    )
    folder = tmp_path_factory.mktemp("model") / "small"
    return checkpoint.save(folder, build(made).eval(), made, Calibration(), {}, "A small model.")
