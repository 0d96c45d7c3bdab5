"""Between what was and what came: the share that validation speakers prefer, and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from ser_core.checkpoints import checkpoint
from trainer.errors import SettingsError
from trainer.presets import SETTINGS_PRESETS
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit
from trainer.training.weight_interpolation import SHARES, choose, interpolated


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder).model.state_dict()


def test_the_best_share_wins_and_of_equals_the_one_nearest_to_the_start() -> None:
    start, tuned = {"w": torch.zeros(1)}, {"w": torch.ones(1)}
    found = choose(start, tuned, lambda held: -abs(float(held["w"]) - 0.8))
    assert found.share == 0.75
    assert list(found.scores) == [0.0, *SHARES]
    assert choose(start, tuned, lambda held: 0.5).share == SHARES[0]
    # Even where the start itself is best: a challenger that is the champion would tell nothing.
    assert choose(start, tuned, lambda held: -float(held["w"])).share == SHARES[0]


def test_counts_are_not_mixed() -> None:
    mixed = interpolated({"n": torch.tensor(3)}, {"n": torch.tensor(8)}, 0.5)
    assert mixed["n"].item() == 8
    assert mixed["n"].dtype == torch.int64


def test_a_fine_tune_keeps_the_share_that_it_tells(tiny_settings: Settings, tmp_path: Path) -> None:
    lines: list[str] = []

    def run(name: str, settings: Settings) -> Path:
        work = tmp_path / f"run-{name}"
        progress = Callbacks(log=lines.append)
        return fit(settings, tmp_path / name, work, tmp_path / "cache", progress=progress).folder

    start = run("start", tiny_settings)
    tuning = dataclasses.replace(tiny_settings, start=str(start), seed=1, learning_rate=0.1)
    whole = weights(run("whole", tuning))
    lines.clear()
    mixed = run("mixed", dataclasses.replace(tuning, weight_interpolation=True))
    metrics = checkpoint.load(mixed).metrics
    assert metrics["settings"]["start"] == "start"  # the version; its folder is nobody's business
    chosen = metrics["weight_interpolation"]
    assert chosen["share"] in SHARES
    scores = dict(chosen["scores"])
    assert scores[chosen["share"]] == max(scores[share] for share in SHARES)
    assert any(line.startswith(f"weights: {chosen['share'] * 100:.0f} %") for line in lines)
    expected = interpolated(weights(start), whole, chosen["share"])
    held = weights(mixed)
    assert all(torch.allclose(held[name], value) for name, value in expected.items())


def test_without_a_start_there_is_nothing_to_mix_with(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = dataclasses.replace(tiny_settings, weight_interpolation=True)
    with pytest.raises(SettingsError, match="give a start"):
        fit(settings, tmp_path / "a", tmp_path / "run", tmp_path / "cache")
    assert SETTINGS_PRESETS["fine-tune-deep"]["weight_interpolation"]
