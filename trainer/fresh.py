"""A model before its first step: its specification and its fresh weights."""

from __future__ import annotations

import dataclasses
import platform
from datetime import UTC, datetime
from importlib.metadata import version as package_version

import torch

from ser_core.frontends.base import FeatureMap
from ser_core.model import Model, build
from ser_core.normalise import fit_corpus
from ser_core.specification import Specification
from trainer import data
from trainer.prepare import Prepared
from trainer.settings import Settings


def specify(settings: Settings, prepared: Prepared, version: str) -> Specification:
    """Return the specification of the model that the settings describe."""
    return Specification(
        frontend=settings.frontend,
        frontend_parameters=settings.frontend_arguments(),
        backbone=settings.backbone,
        backbone_parameters=dict(settings.backbone_parameters),
        emotions=prepared.emotions,
        seconds=settings.seconds,
        input_channels=settings.input_channels,
        trim_silence=settings.trim_silence,
        normalisation={
            "kind": "none" if settings.normalisation == "corpus" else settings.normalisation
        },
        name=settings.name,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=settings.seed,
        data_hash=data.data_hash(prepared.sides),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    names = ("torch", "torchaudio", "torchvision", "transformers", "numpy", "pytorch-ignite")
    return {"python": platform.python_version()} | {n: package_version(n) for n in names}


def new_model(
    settings: Settings, specification: Specification, prepared: Prepared
) -> tuple[Model, Specification]:
    """Build the model with fresh weights, statistics of the training clips included."""
    torch.manual_seed(settings.seed)
    if settings.normalisation == "corpus":
        plain = build(dataclasses.replace(specification, normalisation={"kind": "none"}))
        normaliser = fit_corpus(_training_maps(plain, specification, prepared))
        specification = dataclasses.replace(specification, normalisation=normaliser.to_json())
        torch.manual_seed(settings.seed)
    model = build(specification, weights=settings.first_weights or None)
    complete = dataclasses.replace(
        specification,
        frontend_parameters=model.frontend.parameters_json(),
        backbone_parameters=model.backbone.parameters_json(),
    )
    return model, complete


def _training_maps(
    model: Model, specification: Specification, prepared: Prepared
) -> list[FeatureMap]:
    maps = []
    for item in prepared.sides["train"][:2000]:
        samples = data.centre(prepared.decoded.samples(item.digest), specification.samples)
        waveform = torch.from_numpy(samples).repeat(specification.input_channels, 1)[None]
        with torch.inference_mode():
            maps.append(model.features(waveform, torch.tensor([samples.shape[1]])))
    return maps
