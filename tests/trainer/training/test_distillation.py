"""A student learns what its teachers say, also of clips that nobody labelled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ser_core.checkpoints import checkpoint
from ser_core.corpora.committed_sides import TABLES
from trainer.data.prepare import Prepared, prepare
from trainer.errors import DataError, SettingsError
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.distillation import DistillationLoss, take_lessons
from trainer.training.fit import fit


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory, speech: ModuleType) -> Path:
    """CREMA-D with labels, and EMO-DB whose labels are not looked at."""
    root = tmp_path_factory.mktemp("two")
    sides: dict[str, list[str]] = {}
    for speaker, side in sorted(TABLES["cremad"].items()):
        sides.setdefault(side, []).append(speaker)
    speech.write_cremad(root, sides["train"][:3] + sides["validation"][:2] + sides["test"][:1])
    german = sorted(TABLES["emodb"])
    speech.write_emodb(root, german)
    return root


@pytest.fixture
def settings(tiny_settings: Settings, corpora: Path) -> Settings:
    return dataclasses.replace(tiny_settings, corpora=str(corpora), names=("cremad",), augment=())


@pytest.fixture
def teacher(settings: Settings, tmp_path: Path) -> str:
    lasting = dataclasses.replace(settings, epochs=6, learning_rate=0.05)
    return str(run(lasting, tmp_path, "teacher")[0])


def run(settings: Settings, folder: Path, name: str) -> tuple[Path, list[str]]:
    told: list[str] = []
    made = fit(
        settings,
        folder / name,
        folder / f"run-{name}",
        folder / "cache" / "decoded",
        progress=Callbacks(log=told.append),
    )
    return made.folder, told


def test_a_student_learns_from_teachers_and_from_clips_without_a_label(
    settings: Settings, teacher: str, tmp_path: Path
) -> None:
    taught = dataclasses.replace(
        settings,
        teacher=(teacher, teacher),
        unlabelled=("emodb",),
        augment=({"name": "gaussian_noise", "snr": [10.0, 30.0]},),
        copies=1,
        epochs=6,
        learning_rate=0.05,
        mixup=0.2,
    )
    folder, told = run(taught, tmp_path, "student")
    german = sum(side == "train" for side in TABLES["emodb"].values())
    assert any(f"2 teachers of 27 clips with a label and {6 * german} without" in t for t in told)
    held = checkpoint.load(folder)
    assert not any("project" in name for name in held.model.state_dict())
    assert held.metrics["settings"]["teacher"] == ["teacher", "teacher"]
    assert held.metrics["history"][-1]["train_loss"] < held.metrics["history"][0]["train_loss"]


def test_a_stopped_student_goes_on_to_the_same_weights(
    settings: Settings, teacher: str, tmp_path: Path
) -> None:
    from trainer.errors import InterruptedRunError

    taught = dataclasses.replace(settings, teacher=(teacher,), epochs=2)
    whole, _ = run(taught, tmp_path, "whole")

    def stop(done: int, total: int, loss: float) -> None:
        if done == 4:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)

    again = (taught, tmp_path / "again", tmp_path / "run-again", tmp_path / "cache" / "decoded")
    with pytest.raises(InterruptedRunError):
        fit(*again, progress=Callbacks(log=lambda line: None, step=stop))
    fit(*again, progress=Callbacks(log=lambda line: None))
    one, two = (checkpoint.load(place).model.state_dict() for place in (whole, tmp_path / "again"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture
def prepared(settings: Settings, tmp_path: Path) -> Prepared:
    return prepare(settings, tmp_path / "cache" / "decoded")


def test_lessons_are_the_mean_of_what_the_teachers_say(
    settings: Settings, teacher: str, prepared: Prepared
) -> None:
    items = prepared.sides["train"][:7]
    once = dataclasses.replace(settings, teacher=(teacher,), temperature=1.0)
    one = take_lessons(once, prepared.emotions, items, prepared.decoded)
    assert one.emotions == 3
    assert one.values.shape[:2] == (7, 1)
    chances = one.values[..., :3]
    torch.testing.assert_close(chances.sum(-1), torch.ones(7, 1))
    twice = dataclasses.replace(once, teacher=(teacher, teacher))
    both = take_lessons(twice, prepared.emotions, items, prepared.decoded)
    torch.testing.assert_close(both.values[..., :3], chances, atol=1e-5, rtol=1e-4)
    softer = dataclasses.replace(once, temperature=5.0)
    soft = take_lessons(softer, prepared.emotions, items, prepared.decoded).values[..., :3]
    assert (soft.amax(-1) <= chances.amax(-1) + 1e-6).all()


def test_the_loss_is_least_where_student_and_teacher_agree() -> None:
    torch.manual_seed(0)
    loss = DistillationLoss(4, 2, temperature=2.0, hint_weight=1.0)
    pooled, logits = torch.randn(5, 4), torch.randn(5, 3)
    hint = loss.project(pooled).detach()
    lesson = torch.cat([(logits / 2.0).softmax(1), hint], dim=1)
    torch.testing.assert_close(loss(pooled, logits, lesson), torch.zeros(5), atol=1e-5, rtol=0)
    assert (loss(pooled, logits.flip(0) * 2, lesson) >= 0).all()
    assert (loss(pooled + 1, logits, lesson) > 1e-4).all()


def test_what_can_not_be_taught_is_said(
    settings: Settings, teacher: str, prepared: Prepared, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="teacher"):
        dataclasses.replace(settings, unlabelled=("emodb",))
    with pytest.raises(SettingsError, match="depth"):
        dataclasses.replace(settings, teacher=(teacher,), depth="head")
    deaf = dataclasses.replace(settings, teacher=(teacher,))
    with pytest.raises(SettingsError, match="knows none"):
        take_lessons(deaf, ("boredom", "calm"), prepared.sides["train"], prepared.decoded)
    known = dataclasses.replace(settings, teacher=(teacher,), unlabelled=("cremad",))
    with pytest.raises(DataError, match="cremad has no clip without a label"):
        prepare(known, tmp_path / "cache" / "decoded")
