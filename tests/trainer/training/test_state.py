"""The state of a run that was damaged while nobody looked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainer.errors import StorageError
from trainer.training import state


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    state.write(tmp_path, {"step": 3, "weights": torch.arange(4.0)})
    found = state.read(tmp_path)
    assert found is not None
    assert found["step"] == 3
    assert found["weights"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert state.read(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("kept", [0, 10, 400])
def test_a_state_that_is_cut_off_is_one_sentence(tmp_path: Path, kept: int) -> None:
    state.write(tmp_path, {"weights": torch.arange(1000.0)})
    path = tmp_path / state.STATE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageError, match="is damaged"):
        state.read(tmp_path)


def test_a_state_that_is_something_else_is_one_sentence(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / state.STATE)
    with pytest.raises(StorageError, match="is damaged"):
        state.read(tmp_path)
