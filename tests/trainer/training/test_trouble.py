"""Whatever goes wrong is one sentence, leaves the champion alone and nothing half-written."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from label_store.store import LabelStore
from ser_core.backbones.pooling import Pooling
from ser_core.checkpoints import checkpoint
from ser_core.corpora.committed_sides import TABLES
from ser_core.errors import CheckpointError, SpecificationError
from trainer.__main__ import main
from trainer.errors import DataError, OutOfMemoryError, StorageError
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit


def quiet(lines: list[str] | None = None) -> Callbacks:
    return Callbacks(log=lambda line: lines.append(line) if lines is not None else None)


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a disk does that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small(tiny_settings: Settings) -> Settings:
    """A model without batch normalisation or dropout, in which pieces of a batch add up."""
    return dataclasses.replace(
        tiny_settings, backbone="pooling", backbone_parameters={"dropout": 0.0}
    )


def train(settings: Settings, home: Path, name: str, lines: list[str] | None = None) -> Path:
    found = fit(settings, home / name, home / f"run-{name}", home / "cache", progress=quiet(lines))
    return found.folder


def test_out_of_memory_halves_the_batch_and_changes_nothing_else(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(small, accumulate=2)
    whole = checkpoint.load(train(settings, tmp_path, "whole")).model.state_dict()
    plain, calls = Pooling.forward, [0]

    def once(self: Pooling, features: Any) -> torch.Tensor:
        calls[0] += 1
        if self.training and calls[0] == 4:  # in the middle of two accumulated batches
            raise torch.OutOfMemoryError("tried to allocate 20 GiB")
        return plain(self, features)

    monkeypatch.setattr(Pooling, "forward", once)
    lines: list[str] = []
    parts = checkpoint.load(train(settings, tmp_path, "parts", lines)).model.state_dict()
    assert any("now goes through in 2 pieces" in line for line in lines)
    for name, value in whole.items():
        assert torch.allclose(value, parts[name], atol=1e-5), name


def test_too_little_memory_for_one_clip_is_one_sentence(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Pooling, features: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Pooling, "forward", never)
    lines: list[str] = []
    with pytest.raises(OutOfMemoryError, match="even clip by clip"):
        train(small, tmp_path, "m", lines)
    assert len([line for line in lines if "pieces" in line]) == 3  # 2, 4, 8
    assert not (tmp_path / "m").exists()


def test_a_full_disk_costs_neither_the_old_state_nor_the_old_checkpoint(
    small: Settings, tmp_path: Path
) -> None:
    folder = train(small, tmp_path, "m")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    held = checkpoint.load(folder)
    with (
        full_disk(20_000),
        pytest.raises(CheckpointError, match="what was there before is untouched"),
    ):
        checkpoint.save(
            folder, held.model, held.specification, held.calibration, {"uar": 1.0}, "new"
        )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with full_disk(60_000), pytest.raises(StorageError, match="make room"):
        train(small, tmp_path, "n")
    assert not (tmp_path / "n").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "m"]


def test_a_checkpoint_that_lacks_a_weight_starts_no_training(
    small: Settings, tmp_path: Path
) -> None:
    folder = train(small, tmp_path, "m")
    weights = load_file(folder / "weights.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match="1 missing"):
        train(dataclasses.replace(small, start=str(folder)), tmp_path, "n")
    assert not (tmp_path / "n").exists()


def test_an_empty_side_of_the_split_is_one_sentence(
    small: Settings, tmp_path: Path, speech: Any
) -> None:
    only = [speaker for speaker, side in sorted(TABLES["cremad"].items()) if side == "train"][:2]
    root = speech.write_cremad(tmp_path / "corpora", only, takes=1)
    settings = dataclasses.replace(small, corpora=str(root))
    with pytest.raises(DataError, match="the validation side of the split “fixed” is empty"):
        train(settings, tmp_path, "m")
    assert not (tmp_path / "m").exists()


def test_labels_of_another_version_leave_the_champion_alone(
    small: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    folder = train(small, tmp_path, "m")
    LabelStore(home)
    (home / "labels").mkdir(parents=True, exist_ok=True)
    (home / "labels" / "events-9-old.csv").write_text("who,what\nada,joy\n")
    words = ["--home", str(home), "--default", str(folder), "--corpora", small.corpora]
    assert main(words) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "events-9-old.csv" in said[-1]
    assert not (home / "models" / "champion.json").exists()
    assert [p.name for p in (home / "models").iterdir() if p.is_dir()] == ["runs"]
    assert [p.name for p in (home / "models" / "runs").iterdir()] == ["progress.json"]


def test_first_weights_that_are_not_there_are_said_before_a_clip_is_read(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    wanted = {"backbone": "resnet50", "first_weights": str(tmp_path / "absent.pth")}
    with pytest.raises(SpecificationError, match=r"absent\.pth"):
        fit(tiny_settings.with_values(wanted), tmp_path / "m", tmp_path / "r", tmp_path / "cache")
    encoder = {
        "frontend": "encoder", "frontend_preset": "base", "backbone": "pooling",
        "frontend_parameters": {"source": str(tmp_path / "none")}, "feature_augment": [],
    }  # fmt: skip
    with pytest.raises(SpecificationError, match="no folder"):
        fit(tiny_settings.with_values(encoder), tmp_path / "m", tmp_path / "r", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
