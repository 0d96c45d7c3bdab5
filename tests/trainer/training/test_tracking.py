"""Trackers keep what they are given, and are asked for in vain in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trainer.errors import TrackingError
from trainer.training.tracking import build_tracker


def test_tensorboard_reads_the_figures_and_the_settings_of_a_run(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracker = build_tracker(
        "tensorboard", project="studio", run="v1", settings={"epochs": 2}, folder=tmp_path
    )
    tracker.log({"loss": 1.5, "uar": 0.25}, 1)
    tracker.log({"loss": 0.5, "uar": 0.75}, 2)
    tracker.finish()
    board = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / "studio" / "v1"))
    board.Reload()
    assert [(e.step, e.value) for e in board.Scalars("loss")] == [(1, 1.5), (2, 0.5)]
    assert [(e.step, e.value) for e in board.Scalars("uar")] == [(1, 0.25), (2, 0.75)]
    (text,) = board.Tensors("settings/text_summary")
    assert b'"epochs": 2' in text.tensor_proto.string_val[0]


def test_a_folder_that_is_a_file_starts_no_tracker(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.raises(TrackingError, match="doesn't start"):
        build_tracker("tensorboard", project="p", run="r", settings={}, folder=tmp_path)


@pytest.mark.parametrize("name", ["wandb", "wandb-offline", "trackio", "tensorboard"])
def test_a_tracker_that_is_not_installed_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name.partition("-")[0], None)
    with pytest.raises(TrackingError, match=r"is not installed; `pip install -r") as refused:
        build_tracker(name, project="p", run="r", settings={}, folder=tmp_path)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
