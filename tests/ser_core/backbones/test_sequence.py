"""The backbones that are ours: padding, learning, parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ser_core.backbones import BACKBONES, Backbone, build_backbone
from ser_core.backbones.layer_pooling import VOICE_SHARE, LayerPooling
from ser_core.errors import SpecificationError
from ser_core.frontends import FeatureMap

SMALL: dict[str, list[dict[str, Any]]] = {
    "cnn": [{"base_width": 4, "depth": 3, "hidden": 8}, {"base_width": 4, "depth": 1}],
    "resnet1d": [{"base_width": 4}, {"base_width": 4, "blocks": [1]}],
    "alexnet1d": [{"base_width": 4, "hidden": 16}],
    "bigru": [{"hidden": 6}, {"hidden": 6, "layers": 1}],
    "bilstm": [{"hidden": 6}, {"hidden": 6, "layers": 1}],
    "attention": [{"size": 16, "layers": 1, "heads": 2}],
    "pooling": [
        {"hidden": 16},
        {"hidden": 16, "kind": "attentive", "layers": 1},
        {"sizes": [16, 8], "kind": "attentive", "norm": "all"},
    ],
    "layer_pooling": [{"sizes": [16]}, {"sizes": [16, 8], "dropout": 0.0}],
}
CASES = [(name, parameters) for name, several in SMALL.items() for parameters in several]


def small(name: str, parameters: dict[str, Any]) -> Backbone:
    return build_backbone(name, parameters, channels=2, bins=9, classes=3)


def unsettle(backbone: Backbone) -> None:
    """Give batch norms statistics in which a leak of padding would show."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_padding_and_batch_mates_change_nothing(name: str, parameters: dict[str, Any]) -> None:
    torch.manual_seed(2)
    backbone = small(name, parameters).eval()
    unsettle(backbone)
    lengths = torch.tensor([41, 40, 23, 7, 1])
    values = torch.randn(5, 2, 9, 50)  # the padding is not even silent
    with torch.inference_mode():
        together = backbone(FeatureMap(values, lengths))
        for index, length in enumerate(lengths.tolist()):
            part = values[index : index + 1, ..., :length]
            alone = backbone(FeatureMap(part, lengths[index : index + 1]))
            torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_it_hears_the_last_valid_frame(name: str, parameters: dict[str, Any]) -> None:
    torch.manual_seed(3)
    backbone = small(name, parameters).eval()
    values, lengths = torch.randn(1, 2, 9, 40), torch.tensor([32])
    changed = values.clone()
    changed[..., 31] += 3.0
    with torch.inference_mode():
        assert not torch.allclose(
            backbone(FeatureMap(values, lengths)), backbone(FeatureMap(changed, lengths))
        )


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_it_learns_what_a_few_clips_say(name: str, parameters: dict[str, Any]) -> None:
    torch.manual_seed(4)
    backbone = small(name, parameters | {"dropout": 0.0})
    values, lengths = torch.randn(6, 2, 9, 30), torch.tensor([30, 20, 30, 25, 30, 18])
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    values += torch.nn.functional.one_hot(targets, 9)[:, None, :, None]
    optimiser = torch.optim.Adam(backbone.parameters(), lr=0.02)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(backbone(FeatureMap(values, lengths)), targets)
        optimiser.zero_grad()
        loss.backward()
        assert all(
            p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in backbone.parameters()
        )
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_the_head_goes_on_where_the_pooling_ends(name: str, parameters: dict[str, Any]) -> None:
    backbone = small(name, parameters).eval()
    features = FeatureMap(torch.randn(3, 2, 9, 20), torch.tensor([20, 11, 15]))
    with torch.inference_mode():
        pooled = backbone.pooled(features)
        torch.testing.assert_close(backbone.head(pooled), backbone(features))
        backbone.fit_scale(pooled)
        torch.testing.assert_close(backbone.head(pooled), backbone(features))
    own = {id(weight) for weight in backbone.head_parameters()}
    backbone.zero_grad()
    backbone.head(pooled.clone()).sum().backward()
    reached = {id(weight) for weight in backbone.parameters() if weight.grad is not None}
    assert reached == own


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_parameters_build_the_same_again(name: str, parameters: dict[str, Any]) -> None:
    first = small(name, parameters).eval()
    second = small(name, first.parameters_json()).eval()
    second.load_state_dict(first.state_dict())
    assert second.parameters_json() == first.parameters_json()
    features = FeatureMap(torch.randn(2, 2, 9, 20), torch.tensor([20, 11]))
    with torch.inference_mode():
        assert torch.equal(first(features), second(features))
        assert first.embed(features).shape == (2, first.width)


@pytest.mark.parametrize("name", ["bigru", "bilstm", "attention"])
def test_order_in_time_matters_to_what_follows_it(name: str) -> None:
    torch.manual_seed(5)
    backbone = small(name, SMALL[name][0]).eval()
    values, lengths = torch.randn(1, 2, 9, 20), torch.tensor([20])
    with torch.inference_mode():
        forward = backbone(FeatureMap(values, lengths))
        backward = backbone(FeatureMap(values.flip(-1), lengths))
    assert not torch.allclose(forward, backward, atol=1e-4)


def test_statistics_do_not_hear_the_order() -> None:
    backbone = small("pooling", SMALL["pooling"][0]).eval()
    values, lengths = torch.randn(1, 2, 9, 20), torch.tensor([20])
    with torch.inference_mode():
        torch.testing.assert_close(
            backbone(FeatureMap(values, lengths)), backbone(FeatureMap(values.flip(-1), lengths))
        )


def test_layer_pooling_takes_the_statistics_of_each_layer() -> None:
    backbone = small("layer_pooling", {}).eval()
    assert isinstance(backbone, LayerPooling)
    values, lengths = torch.randn(2, 2, 9, 20), torch.tensor([20, 12])
    features = FeatureMap(values, lengths)
    found = backbone.pooled(features).view(2, 2, 2, 9)
    torch.testing.assert_close(found[1, :, 0], values[1, ..., :12].mean(-1))
    torch.testing.assert_close(found[1, :, 1], values[1, ..., :12].std(-1, correction=0))
    with torch.no_grad():  # a layer without weight has no say
        backbone.layer_weights.copy_(torch.tensor([30.0, -30.0]))
        other = values.clone()
        other[:, 1] = torch.randn(2, 9, 20)
        torch.testing.assert_close(backbone(features), backbone(FeatureMap(other, lengths)))


def test_a_voice_is_taken_out_as_far_as_its_clips_tell_of_it() -> None:
    torch.manual_seed(6)
    backbone = small("layer_pooling", {}).eval()
    size = 2 * 2 * 9
    voices = torch.randn(12, 1, size) * 2.0
    clips = (voices + torch.randn(12, 6, size) * 0.5).flatten(0, 1)
    names = [str(number // 6) for number in range(72)]
    strange = torch.randn(8, size) * 0.5 + 3.0
    unknown = backbone.voice_offset(strange)
    assert unknown is not None
    assert not unknown.any()  # nothing was learned of voices yet
    backbone.fit_voices(clips, names)
    whole, one = backbone.voice_offset(strange), backbone.voice_offset(strange[:1])
    usual = backbone.voice_offset(clips.mean(0, keepdim=True))
    assert whole is not None
    assert one is not None
    assert usual is not None
    apart = strange.mean(0) - clips.mean(0)
    assert ((whole / apart > 0.1) & (whole / apart < VOICE_SHARE)).float().mean() > 0.9
    assert one.norm() < whole.norm() * 1.2
    assert usual.norm() < 0.05 * whole.norm()
    assert backbone.voice_offset(strange * 1e6).abs().max() < 10  # an odd sample does no harm
    assert small("pooling", {}).voice_offset(strange) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("cnn", {"depth": 4}),
        ("cnn", {"base_width": 0}),
        ("resnet1d", {"blocks": []}),
        ("resnet1d", {"blocks": [2, 0]}),
        ("alexnet1d", {"hidden": 1.5}),
        ("bigru", {"layers": 0}),
        ("bilstm", {"dropout": 1.0}),
        ("attention", {"heads": 3}),
        ("pooling", {"kind": "median"}),
        ("pooling", {"hiden": 3}),
        ("pooling", {"norm": "layer"}),
        ("pooling", {"sizes": [16, 0]}),
        ("layer_pooling", {"sizes": []}),
        ("layer_pooling", {"dropout": 1.0}),
    ],
)
def test_a_wrong_parameter_is_named(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError, match=next(iter(wrong))):
        small(name, wrong)


def test_an_unknown_backbone_is_answered_with_the_known() -> None:
    with pytest.raises(SpecificationError, match="densenet161"):
        build_backbone("vgg", {}, channels=1, bins=40, classes=2)


def test_every_backbone_knows_its_name() -> None:
    assert {name: kind.name for name, kind in BACKBONES.items()} == {n: n for n in BACKBONES}
