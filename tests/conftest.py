"""Fixtures that every test may use, the real corpora among them where they are present."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent

# A shared machine may be slow for a moment; pytest-timeout ends what hangs.
hypothesis.settings.register_profile(
    "studio", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("studio")

# Gradio empties its folder of uploads when a page closes: tests that run at once have one each.
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="studio-tests-")
atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)


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

    from ser_core.checkpoints import checkpoint
    from ser_core.checkpoints.calibration import Calibration
    from ser_core.checkpoints.model import build
    from ser_core.checkpoints.specification import Specification

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


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder model with random weights that has met voices."""
    import torch

    from ser_core.checkpoints import checkpoint
    from ser_core.checkpoints.calibration import Calibration
    from ser_core.checkpoints.model import build
    from ser_core.checkpoints.specification import Specification

    whisper = {
        "model_type": "whisper",
        "d_model": 16,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 24,
        "num_mel_bins": 20,
        "max_source_positions": 200,
    }
    torch.manual_seed(0)
    words = Specification(
        frontend="encoder",
        frontend_parameters={"config": whisper, "stack": True},
        backbone="layer_pooling",
        backbone_parameters={"sizes": [8]},
        normalisation={"kind": "none"},
        emotions=("anger", "joy", "neutral"),
        seconds=4.0,
        name="small-encoder",
        version="small-encoder-1",
    )
    model = build(words).eval()
    size = 2 * 2 * 16
    voices = torch.randn(10, 1, size)
    model.backbone.fit_voices(
        (voices + 0.2 * torch.randn(10, 5, size)).flatten(0, 1), [str(i // 5) for i in range(50)]
    )
    with torch.no_grad():
        model.backbone.classifier.weight.mul_(20)
    place = tmp_path_factory.mktemp("encoder") / "small"
    return checkpoint.save(place, model, words, Calibration(), {}, "card")
