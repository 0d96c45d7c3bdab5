"""SMOTE and ADASYN make rows of the training clips alone, and those rows are trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.checkpoints import checkpoint
from trainer.errors import SettingsError
from trainer.training.fit import fit, require_trainable
from trainer.training.new_model import new_model, specify
from trainer.training.loop import Loop
from trainer.training.callbacks import Callbacks
from trainer.evaluation.middle_window import middle_window_logits, row_logits
from trainer.data.prepare import Prepared, prepare
from trainer.data.feature_rows import batches_of_rows, make_rows, row_batches
from trainer.data.feature_rows import statistics as take
from trainer.settings import Settings
from trainer.presets import preset


@pytest.fixture
def statistics(tiny_settings: Settings) -> Settings:
    values = preset("statistics").to_json() | {
        "corpora": tiny_settings.corpora,
        "seconds": 0.6,
        "epochs": 3,
        "batch_size": 8,
        "precision": "fp32",
        "workers": 0,
        "seed": 3,
    }
    return Settings().with_values(values)


def uneven(prepared: Prepared) -> Prepared:
    """Keep all clips of anger and a few of every other emotion, for training."""
    kept, counts = [], dict.fromkeys(range(len(prepared.emotions)), 0)
    for item in prepared.sides["train"]:
        counts[item.label] += 1
        if item.label == 0 or counts[item.label] <= 4:
            kept.append(item)
    return dataclasses.replace(prepared, sides=prepared.sides | {"train": kept})


def overlapping(prepared: Prepared) -> Prepared:
    """Give training clips emotions that their sound does not tell, as ADASYN wants neighbours."""
    order = np.random.default_rng(1).permutation(len(prepared.sides["train"]))
    rows = np.eye(len(prepared.emotions)).tolist()
    labels = [0] * (len(order) - 16) + [1] * 8 + [2] * 8
    train = [
        dataclasses.replace(prepared.sides["train"][index], target=tuple(rows[label]))
        for index, label in zip(order.tolist(), labels, strict=True)
    ]
    return dataclasses.replace(prepared, sides=prepared.sides | {"train": train})


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_made_up_rows_are_trained_on_and_validation_rows_are_not(
    method: str, statistics: Settings, tmp_path: Path
) -> None:
    settings = dataclasses.replace(statistics, balance=method)
    prepared = overlapping(prepare(settings, tmp_path / "cache"))
    train, validation = prepared.sides["train"], list(prepared.sides["validation"])
    model, specification = new_model(settings, specify(settings, prepared, "v"), prepared)
    rows = make_rows(model, specification, train, prepared.decoded, settings)
    counts = rows.targets.sum(dim=0)
    assert rows.clips == len(train)
    assert len(rows) > rows.clips + 10
    assert counts.min() > 0.6 * counts.max()
    # What was made lies between rows of clips: inside their range, and none of them.
    real, made = rows.values[: rows.clips], rows.values[rows.clips :]
    assert (made >= real.amin(dim=0) - 1e-4).all()
    assert (made <= real.amax(dim=0) + 1e-4).all()

    loop = Loop(
        model,
        specification,
        settings,
        train,
        prepared.sides["validation"],
        prepared.decoded,
        tmp_path / "run",
        Callbacks(lambda line: None),
    )
    seen: list[torch.Tensor] = []
    plain = loop.model.backbone.forward

    def watched(features: torch.nn.Module) -> torch.Tensor:
        if loop.model.training:
            seen.append(features.values.detach().clone())  # type: ignore[union-attr, operator]
        return plain(features)  # type: ignore[arg-type]

    loop.model.backbone.forward = watched  # type: ignore[method-assign, assignment]
    loop.run()
    trained = torch.cat(seen).flatten(1)
    among_made = (trained[:, None] == made.flatten(1)[None]).all(dim=2).any(dim=1)
    among_real = (trained[:, None] == real.flatten(1)[None]).all(dim=2).any(dim=1)
    assert among_made.any()
    assert (among_made | among_real).all()
    assert loop.validation == validation


def test_a_run_on_statistics_repeats_and_learns(statistics: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(statistics, epochs=12, learning_rate=5e-3)
    prepared = uneven(prepare(settings, tmp_path / "cache"))
    made = [
        fit(
            settings,
            tmp_path / name,
            tmp_path / f"run-{name}",
            tmp_path / "cache",
            prepared=prepared,
            progress=Callbacks(lambda line: None),
        )
        for name in ("a", "b")
    ]
    one, two = (checkpoint.load(found.folder).model.state_dict() for found in made)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert made[0].figures["test"]["cremad"]["uar"] > 0.6


def test_statistics_that_were_taken_once_give_the_logits_of_the_clips(
    statistics: Settings, tmp_path: Path
) -> None:
    prepared = prepare(statistics, tmp_path / "cache")
    model, specification = new_model(statistics, specify(statistics, prepared, "v"), prepared)
    items = prepared.sides["validation"]
    values = take(model, specification, items, prepared.decoded)
    assert np.allclose(
        row_logits(model, values),
        middle_window_logits(model, specification, items, prepared.decoded),
        atol=1e-5,
    )


def test_an_epoch_of_rows_can_be_entered_anywhere(statistics: Settings, tmp_path: Path) -> None:
    prepared = uneven(prepare(statistics, tmp_path / "cache"))
    model, specification = new_model(statistics, specify(statistics, prepared, "v"), prepared)
    rows = make_rows(model, specification, prepared.sides["train"], prepared.decoded, statistics)
    whole = list(row_batches(rows, statistics, epoch=1))
    assert len(whole) == batches_of_rows(rows, statistics) == len(rows) // 8
    later = list(row_batches(rows, statistics, epoch=1, skip=2))
    assert all(torch.equal(a.waveform, b.waveform) for a, b in zip(whole[2:], later, strict=True))
    halves = [list(row_batches(rows, statistics, epoch=1, rank=r, world=2)) for r in (0, 1)]
    assert sum(len(batch.targets) for half in halves for batch in half) == 8 * len(whole)
    assert np.isclose(
        sum(b.waveform.sum() for h in halves for b in h),
        sum(b.waveform.sum() for b in whole),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    "values", [{"augment": "train"}, {"mixup": 0.2}, {"crop_seconds": [0.3, 0.5]}]
)
def test_nothing_that_changes_a_waveform_goes_with_rows(
    values: dict[str, object], statistics: Settings
) -> None:
    with pytest.raises(SettingsError, match="takes each clip's features once"):
        statistics.with_values(values)


def test_frames_and_other_backbones_are_refused(statistics: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs the backbone “pooling”"):
        require_trainable(dataclasses.replace(statistics, backbone="bigru"))
    frames = dataclasses.replace(statistics, frontend_preset="frames")
    with pytest.raises(SettingsError, match="preset “statistics”"):
        fit(
            frames,
            tmp_path / "m",
            tmp_path / "run",
            tmp_path / "cache",
            progress=Callbacks(lambda line: None),
        )
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_spectrograms_are_oversampled_for_the_cnn(
    method: str, tiny_settings: Settings, tmp_path: Path
) -> None:
    plain = {"augment": "", "feature_augment": [], "mixup": 0.0}
    settings = tiny_settings.with_values(plain | {"balance": method, "epochs": 1})
    require_trainable(settings)
    prepared = overlapping(prepare(settings, tmp_path / "cache"))
    train = prepared.sides["train"]
    model, specification = new_model(settings, specify(settings, prepared, "v"), prepared)
    lines: list[str] = []
    rows = make_rows(model, specification, train, prepared.decoded, settings, lines.append)
    assert rows.values.shape[1:] == rows.values[0].shape
    assert rows.values.shape[-1] > 1
    assert len(rows) > len(train)
    assert (rows.lengths[len(train) :] == rows.values.shape[-1]).all()
    assert any("feature maps made" in line and "MiB" in line for line in lines)
    made = fit(
        settings,
        tmp_path / "m",
        tmp_path / "run",
        tmp_path / "cache",
        prepared=prepared,
        progress=Callbacks(lambda line: None),
    )
    assert np.isfinite(made.history[0]["train_loss"])


def test_rows_that_would_not_fit_into_memory_are_refused(
    tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"augment": "", "feature_augment": [], "balance": "smote"}
    settings = tiny_settings.with_values(plain)
    prepared = prepare(settings, tmp_path / "cache")
    model, specification = new_model(settings, specify(settings, prepared, "v"), prepared)
    monkeypatch.setattr("trainer.data.feature_rows.MOST_BYTES", 10_000)
    with pytest.raises(SettingsError, match="GiB are allowed"):
        make_rows(model, specification, prepared.sides["train"], prepared.decoded, settings)
