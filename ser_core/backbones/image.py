"""Image networks of torchvision over a feature map seen as a picture.

Padding never matters: in front of every layer that looks beyond its own frame, the frames behind
a clip's end are set to 0, which is what the layer itself puts around a clip that stands alone.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser_core.backbones.base import Backbone, check_share
from ser_core.backbones.masking import hide, hide_, masked_mean, pooled, strided
from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap

IMAGENET = "imagenet"
"""What stands for torchvision's own weights where a path could be given."""

PROBE_SECONDS = 5.0


def adapt_first_convolution(old: nn.Conv2d, channels: int) -> nn.Conv2d:
    """Return a copy of ``old`` for ``channels`` inputs that keeps what its kernels respond to.

    The kernels are averaged over the old inputs and scaled so that a picture repeated on every
    channel gives the same response as before.
    """
    if old.in_channels == channels:
        return old
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        mean = old.weight.mean(dim=1, keepdim=True) * (old.in_channels / channels)
        new.weight.copy_(mean.expand_as(new.weight))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    return new


class ImageBackbone(Backbone):
    """A network of torchvision without its classifier.

    Args:
        channels: channels of the feature map.
        bins: its bins, 32 or more.
        classes: emotions.
        dropout: share of the embedding dropped in training, 0 to less than 1.
        weights: None (from scratch), "imagenet" (torchvision's, from the network) or the path
            of a local state dict (safetensors, or a torch file that is read weights-only).

    Raises:
        SpecificationError: too few bins, a dropout out of range, or weights that do not fit.
    """

    takes: ClassVar[tuple[str, ...]] = ("picture",)
    least = 32
    last_stage: ClassVar[tuple[str, ...]] = ("layer4.",)
    net: nn.Module

    def __init__(
        self,
        *,
        channels: int,
        bins: int,
        classes: int,
        dropout: float = 0.2,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        import torchvision

        check_share(self.name, dropout)
        if bins < self.least:
            raise SpecificationError(
                f"{self.name} halves a picture five times and needs {self.least} bins or more; "
                f"this map has {bins}. Take more bins or a sequence backbone."
            )
        try:
            net = torchvision.models.get_model(
                self.name, weights="DEFAULT" if weights == IMAGENET else None
            )
        except OSError as error:  # of the network, or of the disk that the weights go to
            raise _no_weights(self.name, str(error)) from error
        if weights is not None and weights != IMAGENET:
            _load(net, Path(weights), self.name)
        if weights is None:
            _calm(net)
        self.net = self._adapt(net, channels)
        # The blocks are run by hand, so the last maps are the output of this module alone, and
        # whoever explains a prediction looks at the outputs of modules.
        self.last = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.width, classes)
        # Where first weights came from is no longer a parameter of what is trained.
        self._json = {"dropout": dropout}

    def _adapt(self, net: nn.Module, channels: int) -> nn.Module:
        """Return ``net`` for ``channels`` inputs and without its classifier."""
        raise NotImplementedError

    def maps(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the last convolutional maps, ``[batch, width, bin / 32, frame / 32]``.

        Args:
            values: ``[batch, channel, bin, frame]``.
            lengths: valid frames, ``[batch]``; None means that all are.
        """
        if lengths is None:
            lengths = torch.full((len(values),), values.shape[-1], device=values.device)
        return self._maps(values, lengths)[0]

    def _maps(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last maps and how many of their frames are valid."""
        raise NotImplementedError

    def last_parameters(self) -> list[nn.Parameter]:
        """Return the weights of the network's last stage."""
        return [
            weight
            for name, weight in self.net.named_parameters()
            if name.startswith(self.last_stage)
        ]

    def embed(self, features: FeatureMap) -> Tensor:
        """Return the average of the last maps over valid frames, ``[batch, width]``."""
        values, lengths = features
        short = self.least - values.shape[-1]
        maps, valid = self._maps(F.pad(values, (0, max(short, 0))), lengths)
        dropped: Tensor = self.dropout(masked_mean(self.last(maps), valid))
        return dropped


class ResNet50(ImageBackbone):
    """ResNet-50 (He et al. 2016, https://arxiv.org/abs/1512.03385) from torchvision.

    Args: see ``ImageBackbone``.
    """

    name: ClassVar[str] = "resnet50"
    width = 2048

    def _adapt(self, net: nn.Module, channels: int) -> nn.Module:
        net.conv1 = adapt_first_convolution(net.get_submodule("conv1"), channels)  # type: ignore[arg-type]
        net.fc = nn.Identity()
        return net

    def _maps(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        net: Any = self.net
        out, valid = net.relu(net.bn1(net.conv1(hide(values, valid)))), strided(valid, 2)
        out, valid = net.maxpool(hide(out, valid)), strided(valid, 2)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            for block in layer:
                out, valid = _bottleneck(block, out, valid)
        return out, valid


class ResNeXt50(ResNet50):
    """ResNeXt-50 32x4d (Xie et al. 2017, https://arxiv.org/abs/1611.05431) from torchvision.

    Args: see ``ImageBackbone``.
    """

    name: ClassVar[str] = "resnext50_32x4d"


class DenseNet161(ImageBackbone):
    """DenseNet-161 (Huang et al. 2017, https://arxiv.org/abs/1608.06993) from torchvision.

    Args: see ``ImageBackbone``.
    """

    name: ClassVar[str] = "densenet161"
    last_stage = ("features.denseblock4.", "features.norm5.")
    width = 2208

    def _adapt(self, net: nn.Module, channels: int) -> nn.Module:
        features: Any = net.get_submodule("features")
        features.conv0 = adapt_first_convolution(features.conv0, channels)
        net.classifier = nn.Identity()
        return net

    def _maps(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        net: Any = self.net.get_submodule("features")
        out, valid = net.relu0(net.norm0(net.conv0(hide(values, valid)))), strided(valid, 2)
        out, valid = net.pool0(hide(out, valid)), strided(valid, 2)
        for number in (1, 2, 3, 4):
            for layer in net.get_submodule(f"denseblock{number}").values():
                new = layer.conv1(layer.relu1(layer.norm1(out)))
                new = layer.conv2(hide(layer.relu2(layer.norm2(new)), valid))
                out = torch.cat([out, new], dim=1)
            if number < 4:
                between = net.get_submodule(f"transition{number}")
                out = between.conv(between.relu(between.norm(out)))
                out, valid = between.pool(hide(out, valid)), pooled(valid, 2)
        return torch.relu(net.norm5(out)), valid


def _bottleneck(block: Any, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Run a bottleneck of torchvision; only its middle convolution looks at other frames."""
    # What is 0 in front of a rectifier is 0 behind it, and there it can be written in place.
    out = block.relu(hide_(block.bn1(block.conv1(values)), valid))
    out = block.relu(block.bn2(block.conv2(out)))
    out = block.bn3(block.conv3(out))
    old = values if block.downsample is None else block.downsample(values)
    return block.relu(out + old), strided(valid, block.stride)


def _calm(net: nn.Module) -> None:
    """Let every bottleneck of a fresh network begin as the identity.

    Fifty random layers answer a rounding error with another gradient altogether; as identities
    they train at high rates, and in bfloat16 (Goyal et al. 2017, section 5.1,
    https://arxiv.org/abs/1706.02677).
    """
    from torchvision.models.resnet import Bottleneck

    for module in net.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)  # type: ignore[arg-type]


def _load(net: nn.Module, path: Path, name: str) -> None:
    """Load a local state dict of torchvision's ``name`` into ``net``."""
    # torchvision's own DenseNet files predate today's names: norm.1 is norm1.
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
    state = {old.sub(r"\1\2.", key): value for key, value in _read_state(path).items()}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        text = " ".join(str(error).split())[:300]
        raise SpecificationError(
            f"The weights in {path} are not those of torchvision's {name}: {text}"
        ) from error


def require_weights(name: str, weights: str) -> None:
    """Refuse first weights that can't be had: asked before anything that takes long.

    Args:
        name: of the backbone.
        weights: as `ImageBackbone` takes them.

    Raises:
        SpecificationError: the file is not there, or neither a copy nor the network is.
    """
    if weights != IMAGENET:
        _require_file(Path(weights))
        return
    import httpx
    from torchvision.models import get_model_weights

    url = get_model_weights(name).DEFAULT.url  # type: ignore[attr-defined]
    if (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file():
        return
    try:
        httpx.head(url, timeout=PROBE_SECONDS)
    except httpx.HTTPError as error:
        raise _no_weights(name, str(error)) from error


def _no_weights(name: str, why: str) -> SpecificationError:
    return SpecificationError(
        f"The ImageNet weights of {name} are not on this machine and can't be fetched ({why}). Try "
        "again with the network there, or give the path of a state dict of torchvision's "
        f"{name} in place of “{IMAGENET}”."
    )


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise SpecificationError(
            f"There are no weights at {path}. Give a local file, or “{IMAGENET}” for the network's."
        )


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict without unpickling code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _require_file(path)
    try:
        if path.suffix == ".safetensors":
            state: dict[str, Tensor] = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise SpecificationError(
            f"{path} can't be read as weights (expected safetensors or a torch state dict): "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise SpecificationError(f"{path} holds no state dict (a mapping of names to tensors).")
    return state
