"""A checkpoint is read back whole, or refused in a sentence; the pointer moves at once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.champion import Serving, champion_folder, read_pointer, write_pointer
from ser_core.checkpoints.model import build
from ser_core.checkpoints.shipped import locate, shipped_models
from ser_core.checkpoints.specification import Specification
from ser_core.errors import CheckpointError, SpecificationError
from ser_core.home import Home

EMOTIONS = ("anger", "joy", "sadness")


def specification(version: str = "v1") -> Specification:
    model = Specification(
        frontend_parameters={"n_mels": 32, "hop_length": 512},
        backbone="cnn",
        emotions=EMOTIONS,
        seconds=1.0,
        name="tiny",
        version=version,
    )
    built = build(model)
    return dataclasses.replace(
        model,
        frontend_parameters=built.frontend.parameters_json(),
        backbone_parameters=built.backbone.parameters_json(),
    )


def save(folder: Path, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    wanted = specification(folder.name)
    model = build(wanted)
    checkpoint.save(folder, model, wanted, Calibration(temperature=1.5), {"test": {}}, "# card\n")
    return model


def test_a_model_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    model = save(tmp_path / "v1").eval()
    found = checkpoint.load(tmp_path / "v1")
    waveform, lengths = torch.randn(2, 1, 16_000), torch.tensor([16_000, 9_000])
    with torch.inference_mode():
        assert torch.equal(model(waveform, lengths), found.model(waveform, lengths))
    assert found.specification == specification("v1")
    assert found.calibration.temperature == 1.5
    assert found.card == "# card\n"


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    wanted = specification()
    model = build(wanted)
    for name, half in (("whole", False), ("half", True)):
        checkpoint.save(tmp_path / name, model, wanted, Calibration(), {}, "", half=half)
    sizes = [(tmp_path / n / checkpoint.WEIGHTS).stat().st_size for n in ("half", "whole")]
    assert 0.45 < sizes[0] / sizes[1] < 0.6
    assert (
        checkpoint.load(tmp_path / "half").model.backbone.classifier.weight.dtype == torch.float32
    )


def test_saving_over_a_checkpoint_replaces_all_of_it(tmp_path: Path) -> None:
    save(tmp_path / "v1", seed=0)
    model = save(tmp_path / "v1", seed=1)
    found = checkpoint.load(tmp_path / "v1").model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in model.state_dict().items())
    assert [p.name for p in tmp_path.iterdir()] == ["v1"]


def _drop(name: str):  # type: ignore[no-untyped-def]
    return lambda folder: (folder / name).unlink()


def _cut(folder: Path) -> None:
    data = (folder / checkpoint.WEIGHTS).read_bytes()
    (folder / checkpoint.WEIGHTS).write_bytes(data[: len(data) // 2])


def _rename_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / checkpoint.WEIGHTS)
    state["strange"] = state.pop(next(iter(state)))
    save_file(state, folder / checkpoint.WEIGHTS)


def _not_a_number(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / checkpoint.WEIGHTS)
    state["backbone.classifier.bias"][0] = float("nan")
    save_file(state, folder / checkpoint.WEIGHTS)


def _other_field(folder: Path) -> None:
    path = folder / checkpoint.SPECIFICATION
    values = json.loads(path.read_text(encoding="utf-8")) | {"surprise": 1}
    path.write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_drop(checkpoint.WEIGHTS), "no readable weights.safetensors"),
        (_drop(checkpoint.SPECIFICATION), "no readable specification.json"),
        (_drop(checkpoint.CALIBRATION), "no readable calibration.json"),
        (_cut, "no readable weights.safetensors"),
        (_rename_weight, "1 missing .* 1 unexpected"),
        (_not_a_number, "values that are not numbers"),
        (_other_field, "surprise"),
    ],
)
def test_damage_is_refused_in_a_sentence(tmp_path: Path, damage, sentence: str) -> None:  # type: ignore[no-untyped-def]
    save(tmp_path / "v1")
    damage(tmp_path / "v1")
    with pytest.raises(CheckpointError, match=sentence):
        checkpoint.load(tmp_path / "v1")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 99}', '{"format": 1}', "not json", '{"format": 1, "a": 2}']
)
def test_a_strange_specification_is_refused(text: str) -> None:
    with pytest.raises(SpecificationError):
        Specification.from_json(text)


def test_the_pointer_serves_the_promoted_model_without_a_restart(tmp_path: Path) -> None:
    save(tmp_path / "shipped")
    for version in ("v1", "v2"):
        save(tmp_path / "models" / version)
    serving = Serving(tmp_path, tmp_path / "shipped", "cpu")
    assert serving.recognizer.version == "shipped"
    assert serving.recognizer is serving.recognizer
    write_pointer(tmp_path, "v1", reason="better")
    assert serving.recognizer.version == "v1"
    write_pointer(tmp_path, "v2", reason="better still")
    assert serving.recognizer.version == "v2"
    held = read_pointer(tmp_path)
    assert held is not None
    assert (held["version"], held["previous"]) == ("v2", "v1")


def test_a_broken_promotion_leaves_the_old_model_serving_and_says_so(tmp_path: Path) -> None:
    save(tmp_path / "shipped")
    save(tmp_path / "models" / "v1")
    serving = Serving(tmp_path, tmp_path / "shipped", "cpu")
    before = serving.recognizer
    write_pointer(tmp_path, "v1", reason="better")
    _cut(tmp_path / "models" / "v1")
    assert serving.recognizer is before
    assert "weights.safetensors" in str(serving.problem)


def test_a_pinned_model_stays(tmp_path: Path) -> None:
    save(tmp_path / "asked")
    save(tmp_path / "models" / "v1")
    write_pointer(tmp_path, "v1", reason="better")
    assert Serving(tmp_path, tmp_path / "asked", "cpu", pinned=True).recognizer.version == "asked"


@pytest.mark.parametrize("folder", ["../../etc", "/etc", "a/../../.."])
def test_a_pointer_out_of_its_folder_is_refused(tmp_path: Path, folder: str) -> None:
    Home(tmp_path).champion.parent.mkdir(parents=True)
    Home(tmp_path).champion.write_text(json.dumps({"version": "x", "folder": folder}))
    with pytest.raises(CheckpointError, match="outside"):
        champion_folder(tmp_path, tmp_path)


def test_what_is_no_checkpoint_is_not_promoted(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        write_pointer(tmp_path, "v9", reason="wish")
    assert not Home(tmp_path).champion.exists()


def test_levels_change_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    """A quiet copy of a clip has the same logits: the map is clamped to its own maximum."""
    model = save(tmp_path / "v1").eval()
    clip = torch.from_numpy(rng.standard_normal((1, 1, 16_000)).astype(np.float32)) * 0.3
    lengths = torch.tensor([16_000])
    with torch.inference_mode():
        loud, quiet = model(clip, lengths), model(clip * 0.03, lengths)
    assert torch.allclose(loud, quiet, atol=1e-3)


def test_a_shipped_model_is_opened_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("zeta", "default"):
        held = specification(name)
        checkpoint.save(tmp_path / "models" / name, build(held), held, Calibration(), {}, "card")
    assert shipped_models(tmp_path / "models") == ("default", "zeta")
    assert locate("zeta", tmp_path / "models") == tmp_path / "models" / "zeta"
    assert locate(tmp_path / "other", tmp_path / "models") == tmp_path / "other"
    monkeypatch.chdir(tmp_path / "models")  # a folder of that name comes first
    assert locate("zeta", tmp_path / "nowhere") == Path("zeta")
    assert checkpoint.load("default").specification.version == "default"
    with pytest.raises(CheckpointError, match="one of default"):
        checkpoint.load("nobody")
