"""Training the head alone on kept states, the last layers, or everything."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.model import Model, build
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import whisper
from trainer.data.embeddings import Embeddings, front_key, logits_of_states, state_batches
from trainer.data.prepare import Prepared, prepare
from trainer.errors import SettingsError
from trainer.settings import Settings
from trainer.training.average_heads import another_head, average_heads
from trainer.training.callbacks import Callbacks
from trainer.training.depth import set_depth
from trainer.training.fit import fit

WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "num_mel_bins": 20,
    "max_source_positions": 50,
}
RECIPE = ({"name": "gaussian_noise", "snr": [5.0, 10.0]},)


@pytest.fixture
def settings(tiny_settings: Settings) -> Settings:
    """A small Whisper, frozen, whose head is fitted to kept states."""
    return dataclasses.replace(
        tiny_settings,
        frontend="encoder",
        frontend_preset="",
        frontend_parameters={"config": WHISPER, "stack": True},
        backbone="layer_pooling",
        backbone_parameters={"sizes": [8], "dropout": 0.0},
        normalisation="none",
        depth="head",
        augment=RECIPE,
        copies=1,
        feature_augment=(),
        optimizer="adamw",
        epochs=3,
    )


def specification(**values: Any) -> Specification:
    return Specification(
        frontend="encoder",
        frontend_parameters={"config": WHISPER, "stack": True},
        backbone="layer_pooling",
        backbone_parameters={"sizes": [8]},
        seconds=0.6,
        normalisation={"kind": "none"},
        **values,
    )


def model(seed: int = 0, **values: Any) -> Model:
    torch.manual_seed(seed)
    return build(specification(**values)).eval()


def run(settings: Settings, folder: Path, name: str) -> tuple[dict[str, torch.Tensor], list[str]]:
    told: list[str] = []
    fit(
        settings,
        folder / name,
        folder / f"run-{name}",
        folder / "cache" / "decoded",
        progress=Callbacks(log=told.append),
    )
    return checkpoint.load(folder / name).model.state_dict(), told


def test_states_are_computed_once_and_the_head_alone_learns(
    settings: Settings, tmp_path: Path
) -> None:
    first, told = run(settings, tmp_path, "a")
    again, said = run(settings, tmp_path, "b")
    assert any("pooled states to compute at" in line and "in all" in line for line in told)
    assert any("all pooled states are kept" in line for line in said)
    assert all(torch.equal(first[name], again[name]) for name in first)
    fresh, _ = run(dataclasses.replace(settings, epochs=0), tmp_path, "c")
    moved = {name for name in first if not torch.equal(first[name], fresh[name])}
    assert moved
    assert all(name.startswith("backbone.") for name in moved)
    assert not torch.equal(first["backbone.mean"], torch.zeros_like(first["backbone.mean"]))


@pytest.fixture
def prepared(settings: Settings, tmp_path: Path) -> Prepared:
    return prepare(settings, tmp_path / "cache" / "decoded")


def test_a_kept_state_is_what_the_model_computes(prepared: Prepared, tmp_path: Path) -> None:
    one = model()
    items = prepared.sides["train"][:5]
    kept = Embeddings(one, specification(), prepared.decoded, recipe=RECIPE)
    assert kept.missing(items, 1) == 10
    states = kept.of(items)
    for item, state in zip(items, states, strict=True):
        samples = prepared.decoded.samples(item.digest)[:, : specification().samples]
        waveform = torch.from_numpy(samples)[None]
        with torch.inference_mode():
            features = one.features(waveform, torch.tensor([samples.shape[1]]))
            pooled = one.backbone.pooled(features)
            logits = one(waveform, torch.tensor([samples.shape[1]]))
        torch.testing.assert_close(state[None].float(), pooled, atol=0.02, rtol=2e-3)
        found = logits_of_states(one, state[None])
        np.testing.assert_allclose(found, logits.numpy(), atol=0.05)
    copies = kept.of(items, 1)
    assert not torch.equal(copies, states)
    assert kept.missing(items, 1) == 0
    other = Embeddings(one, specification(), prepared.decoded, recipe=RECIPE)
    assert torch.equal(other.of(items[::-1], 1), copies.flip(0))


def test_what_the_states_depend_on_is_in_their_key() -> None:
    first = front_key(model(), specification())
    other = model()
    with torch.no_grad():
        other.backbone.classifier.weight.add_(1)
        other.backbone.fit_scale(torch.randn(4, 3 * 2 * 16))
    assert front_key(other, specification()) == first
    assert front_key(model(1), specification()) != first
    longer = dataclasses.replace(specification(), seconds=0.5)
    assert front_key(model(), longer) != first


def test_batches_of_states_draw_among_the_copies(settings: Settings, prepared: Prepared) -> None:
    items = prepared.sides["train"]
    states = torch.stack([torch.arange(len(items)), torch.arange(len(items)) + 1000.0], 1)[
        ..., None
    ]
    found = list(state_batches(items, states, prepared.emotions, settings, epoch=0))
    again = list(state_batches(items, states, prepared.emotions, settings, epoch=0, skip=1))
    values = torch.cat([batch.waveform.flatten() for batch in found])
    assert 0 < int((values >= 1000).sum()) < len(values)
    assert torch.equal(again[0].waveform, found[1].waveform)
    for batch in found:
        rows = batch.waveform.flatten().long() % 1000
        assert batch.targets.argmax(1).tolist() == [items[int(row)].label for row in rows]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"feature_augment": ({"name": "time_mask", "width": [0, 0.1]},)}, "feature_augment"),
        ({"crop_seconds": (0.2, 0.5)}, "crop_seconds"),
        ({"copies": 0}, "copies"),
        ({"augment": ()}, "augment"),
    ],
)
def test_what_is_drawn_anew_each_time_needs_more_depth(
    settings: Settings, values: dict[str, Any], word: str
) -> None:
    with pytest.raises(SettingsError, match=word):
        set_depth(model(), specification(), dataclasses.replace(settings, **values))


def test_each_depth_reaches_as_far_as_it_says(settings: Settings) -> None:
    reached = {}
    for depth in ("head", "last", "all"):
        words = dataclasses.replace(
            specification(),
            frontend_parameters={"config": WHISPER, "stack": True, "train": "all"},
        )
        one = build(words)
        asked = dataclasses.replace(settings, depth=depth)
        one, told = set_depth(one, words, asked)
        reached[depth] = {name for name, weight in one.named_parameters() if weight.requires_grad}
        assert build(told).frontend.parameters_json() == one.frontend.parameters_json()
    assert reached["head"] < reached["last"] < reached["all"]
    assert all(name.startswith("backbone.") for name in reached["head"])
    assert "frontend.encoder.layers.1.fc1.weight" in reached["last"]
    assert "frontend.encoder.conv1.weight" in reached["all"] - reached["last"]


def test_the_last_layers_are_as_many_as_the_model_says(settings: Settings) -> None:
    asked = dataclasses.replace(settings, depth="last")
    for count, reached in ((1, {1}), (2, {0, 1})):
        words = dataclasses.replace(
            specification(),
            frontend_parameters={"config": WHISPER, "stack": True, "last_layers": count},
        )
        one, _ = set_depth(build(words), words, asked)
        layers = one.frontend.encoder.layers
        assert {i for i, layer in enumerate(layers) if layer.fc1.weight.requires_grad} == reached


def test_masks_of_a_training_lie_on_what_whisper_hears(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[torch.Tensor] = []
    plain = whisper.hidden_states

    def listened(encoder: Any, mel: torch.Tensor, frames: torch.Tensor) -> Any:
        if torch.is_grad_enabled():  # a step, not a validation
            heard.append(mel.detach())
        return plain(encoder, mel, frames)

    monkeypatch.setattr(whisper, "hidden_states", listened)
    deeper = dataclasses.replace(
        settings,
        depth="last",
        copies=0,
        epochs=1,
        feature_augment=({"name": "frequency_mask", "width": [0.5, 0.5]},),
    )
    run(deeper, tmp_path, "masked")
    assert heard
    for mel in heard:
        # Half of the bands of each clip have one value, the same at all times.
        flat = (mel.std(dim=2) < 1e-6).sum(dim=1)
        assert flat.tolist() == [10] * len(mel)


def test_a_network_of_pictures_learns_its_last_stage(settings: Settings) -> None:
    words = Specification(backbone="resnet50", frontend_parameters={"n_mels": 32})
    one, _ = set_depth(build(words), words, dataclasses.replace(settings, depth="last"))
    reached = {name for name, weight in one.named_parameters() if weight.requires_grad}
    assert "backbone.classifier.weight" in reached
    assert all(name.startswith(("backbone.net.layer4.", "backbone.classifier")) for name in reached)
    assert len(reached) > 20


def test_a_fine_tune_of_the_head_keeps_all_else(
    settings: Settings, tiny_settings: Settings, tmp_path: Path
) -> None:
    plain = dataclasses.replace(tiny_settings, epochs=1)
    start, _ = run(plain, tmp_path, "start")
    tuned, told = run(
        dataclasses.replace(
            settings,
            start=str(tmp_path / "start"),
            epochs=4,
            learning_rate=0.05,
        ),
        tmp_path,
        "tuned",
    )
    assert any("head alone" in line for line in told)
    moved = {name for name in start if not torch.equal(start[name], tuned[name])}
    assert moved == {"backbone.classifier.weight", "backbone.classifier.bias"}


def test_several_heads_become_one_whose_logits_are_their_mean(
    settings: Settings, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    states = torch.randn(6, 3 * 2 * 16)
    heads = [model()]
    heads[0].backbone.fit_scale(torch.randn(40, 3 * 2 * 16) * 2 + 1)
    heads += [another_head(heads[0], seed) for seed in (1, 2)]
    for head in heads:  # batch norms that have seen something
        head.train()
        head.backbone.head(torch.randn(32, 3 * 2 * 16))
        head.eval()
    one, words = average_heads(heads, specification())
    each = [logits_of_states(head, states) for head in heads]
    assert np.abs(each[0] - each[1]).max() > 0.01
    np.testing.assert_allclose(logits_of_states(one, states), np.mean(each, axis=0), atol=1e-5)
    assert build(words).backbone.parameters_json() == one.backbone.parameters_json()

    asked = dataclasses.replace(settings, heads=2, epochs=1)
    state, told = run(asked, tmp_path, "two")
    assert "head 2 of 2" in told
    assert state["backbone.classifier.weight"].shape[1] == 16
    with pytest.raises(SettingsError, match="one hidden layer"):
        average_heads([build(Specification(backbone="cnn"))], Specification(backbone="cnn"))
