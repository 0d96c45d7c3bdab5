"""A tiny corpus and settings that train in a second or two."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ser_core.corpora.committed_sides import TABLES
from trainer.settings import Settings


def _speech() -> ModuleType:
    path = Path(__file__).parent / "speech.py"
    specification = importlib.util.spec_from_file_location("trainer_test_speech", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def speech() -> ModuleType:
    """The module that makes the corpus."""
    return _speech()


@pytest.fixture(scope="session")
def tiny_corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CREMA-D names, with speakers of every side of the committed split."""
    by_side: dict[str, list[str]] = {}
    for speaker, side in sorted(TABLES["cremad"].items()):
        by_side.setdefault(side, []).append(speaker)
    speakers = by_side["train"][:4] + by_side["validation"][:2] + by_side["test"][:2]
    root: Path = _speech().write_cremad(tmp_path_factory.mktemp("corpora"), speakers)
    return root


@pytest.fixture
def tiny_settings(tiny_corpora: Path) -> Settings:
    """A small plain network over a coarse mel, for two epochs."""
    values: dict[str, Any] = {
        "corpora": str(tiny_corpora),
        "backbone": "cnn",
        "frontend_parameters": {"n_mels": 32, "hop_length": 512},
        "seconds": 0.6,
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 0.02,
        "augment": "train",
        "feature_augment": [{"name": "time_mask", "width": [0, 0.1]}],
        "workers": 0,
        "threads": 1,
        "precision": "fp32",
        "average": 0.9,
        "seed": 3,
    }
    return Settings().with_values(values)


@pytest.fixture
def flags(tiny_settings: Settings) -> list[str]:
    """The tiny settings as words of the command line."""
    words = ["--crop-seconds="]
    for key, value in tiny_settings.to_json().items():
        plain = isinstance(value, str | int | float)
        if value not in ("", []):
            words += [f"--{key.replace('_', '-')}", str(value) if plain else json.dumps(value)]
    return words


@pytest.fixture
def put_version() -> Callable[[Path, str, str], None]:
    """Write a version with random weights into a home: home, name, date."""
    from ser_core.checkpoints import checkpoint
    from ser_core.checkpoints.calibration import Calibration
    from ser_core.checkpoints.model import build
    from ser_core.checkpoints.specification import Specification
    from ser_core.home import Home

    def put(home: Path, name: str, created: str) -> None:
        words = Specification(
            backbone="cnn", frontend_parameters={"n_mels": 16}, version=name, created=created
        )
        folder = Home(home).models / name
        checkpoint.save(folder, build(words), words, Calibration(), {"uar": 0.5}, "")

    return put


@pytest.fixture
def three(tmp_path: Path, put_version: Callable[[Path, str, str], None]) -> Path:
    """A home with the versions v1 to v3, of three days."""
    for number in (1, 2, 3):
        put_version(tmp_path, f"v{number}", f"2024-01-0{number}")
    return tmp_path
