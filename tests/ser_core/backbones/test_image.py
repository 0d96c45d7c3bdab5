"""Torchvision's networks: their weights, their first convolution, their padding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from ser_core.backbones import build_backbone
from ser_core.backbones.image import ImageBackbone, adapt_first_convolution
from ser_core.errors import SpecificationError
from ser_core.frontends import FeatureMap

IMAGE = ("resnet50", "resnext50_32x4d", "densenet161")


def image(name: str, channels: int = 1, bins: int = 40, **parameters: object) -> ImageBackbone:
    backbone = build_backbone(name, parameters, channels=channels, bins=bins, classes=3)
    assert isinstance(backbone, ImageBackbone)
    return backbone.eval()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A state dict of each network as safetensors, and resnet50's as a torch file."""
    folder = tmp_path_factory.mktemp("weights")
    found = {}
    for name in IMAGE:
        torch.manual_seed(5)
        state = torchvision.models.get_model(name).state_dict()
        found[name] = folder / f"{name}.safetensors"
        save_file(state, found[name])
        if name == "resnet50":
            found["torch"] = folder / "resnet50.pth"
            torch.save(state, found["torch"])
    return found


@pytest.mark.parametrize("channels", [1, 2])
def test_a_repeated_picture_gives_the_pretrained_response(channels: int) -> None:
    torch.manual_seed(0)
    old = nn.Conv2d(3, 8, 7, 2, 3)
    new = adapt_first_convolution(old, channels)
    picture = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(
        new(picture.expand(2, channels, 32, 32)), old(picture.expand(2, 3, 32, 32))
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGE)
def test_local_weights_give_torchvisions_own_features(name: str, files: dict[str, Path]) -> None:
    backbone = image(name, weights=str(files[name]))
    assert "weights" not in backbone.parameters_json()
    reference = torchvision.models.get_model(name)
    torch.manual_seed(5)
    reference = torchvision.models.get_model(name).eval()
    head = "classifier" if name == "densenet161" else "fc"
    setattr(reference, head, nn.Identity())
    picture = torch.randn(2, 1, 40, 48)
    with torch.inference_mode():
        wanted = reference(picture.expand(2, 3, 40, 48))
        found = backbone.embed(FeatureMap(picture, torch.tensor([48, 48])))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGE)
def test_padding_and_batch_mates_change_nothing(name: str) -> None:
    torch.manual_seed(1)
    backbone = image(name)
    for module in backbone.modules():  # else a fresh batch norm would hide what leaks into it
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.4, 0.6)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
    lengths = torch.tensor([71, 64, 33, 5, 1])
    values = torch.randn(5, 1, 40, 71)
    with torch.inference_mode():
        together = backbone(FeatureMap(values, lengths))
        for index, length in enumerate(lengths.tolist()):
            part = values[index : index + 1, ..., :length]
            alone = backbone(FeatureMap(part, lengths[index : index + 1]))
            scale = float(alone.abs().max())
            torch.testing.assert_close(
                together[index : index + 1], alone, atol=1e-4 * scale, rtol=1e-4
            )


def test_old_densenet_files_have_their_names_mended(tmp_path: Path, files: dict[str, Path]) -> None:
    from safetensors.torch import load_file

    state = {
        key.replace("norm1.", "norm.1.").replace("conv1.", "conv.1.")
        if "denselayer" in key
        else key: value
        for key, value in load_file(files["densenet161"]).items()
    }
    save_file(state, tmp_path / "old.safetensors")
    new = image("densenet161", weights=str(files["densenet161"])).net.state_dict()
    old = image("densenet161", weights=str(tmp_path / "old.safetensors")).net.state_dict()
    assert all(torch.equal(value, old[key]) for key, value in new.items())


def test_a_torch_file_is_read_as_the_same_weights(files: dict[str, Path]) -> None:
    first = image("resnet50", weights=str(files["torch"])).net.state_dict()
    second = image("resnet50", weights=str(files["resnet50"])).net.state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


class Trap:
    """An object that would write a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_weights_that_are_none_are_refused_and_never_run(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    torch.save({"a": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    (tmp_path / "noise.safetensors").write_bytes(b"noise")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("trap.pth", "noise.safetensors", "list.pth", "absent.pth"):
        with pytest.raises(SpecificationError, match=name):
            image("resnet50", weights=str(tmp_path / name))
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(SpecificationError, match="resnext50"):
        image("resnext50_32x4d", weights=str(files["densenet161"]))


def test_imagenet_weights_out_of_reach_are_said_at_once_with_the_way_by_a_file(
    tmp_path: Path,
) -> None:
    """In a process of its own, with no network and no copy of the weights."""
    code = (
        "from ser_core.backbones.image import ResNet50, require_weights\n"
        "from ser_core.errors import SpecificationError\n"
        "def refused(work):\n"
        "    try: work()\n"
        "    except SpecificationError as error: print(error)\n"
        "refused(lambda: require_weights('resnet50', 'imagenet'))\n"
        "refused(lambda: require_weights('resnet50', 'absent.pth'))\n"
        "refused(lambda: ResNet50(channels=1, bins=32, classes=3, weights='imagenet'))\n"
    )
    nobody = "http://127.0.0.1:9"
    environment = os.environ | {
        "TORCH_HOME": str(tmp_path), "HTTPS_PROXY": nobody, "https_proxy": nobody,
        "NO_PROXY": "", "no_proxy": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Downloading")]
    first, second, third = lines
    for line in (first, third):
        assert "ImageNet weights of resnet50 are not on this machine" in line
        assert "give the path of a state dict" in line
    assert "no weights at absent.pth" in second


def test_too_few_bins_and_a_wrong_dropout_are_named() -> None:
    with pytest.raises(SpecificationError, match="31"):
        image("resnet50", bins=31)
    with pytest.raises(SpecificationError, match="dropout"):
        image("resnet50", dropout=1.0)


def test_maps_without_lengths_are_all_valid() -> None:
    backbone = image("resnet50")
    values = torch.randn(1, 1, 40, 64)
    with torch.inference_mode():
        maps = backbone.maps(values)
        whole = backbone.maps(values, torch.tensor([64]))
    assert maps.shape == (1, 2048, 2, 2)
    assert torch.equal(maps, whole)
