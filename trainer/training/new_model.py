"""A model before its first step: its specification and its fresh weights."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as package_version

import numpy as np
import torch

from ser_core.backbones import BACKBONES, Backbone
from ser_core.backbones.image import ImageBackbone, require_weights
from ser_core.checkpoints.model import Model, build
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import FRONTENDS
from ser_core.frontends.base import FeatureMap
from ser_core.frontends.encoder import DEFAULT_SOURCE, Encoder
from ser_core.frontends.encoder_source import require_source
from ser_core.frontends.normalise import fit_corpus
from trainer.data import batches
from trainer.data.batches import Example
from trainer.data.embeddings import Embeddings, pooled_states
from trainer.data.prepare import Prepared
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
        data_hash=batches.data_hash(prepared.sides),
        versions=versions(),
    )


def require_pretrained(settings: Settings) -> None:
    """Refuse weights that a model is to begin with and that can't be had, before anything is read.

    Args:
        settings: of the run; a checkpoint that it starts from holds its weights itself.

    Raises:
        SpecificationError: they are neither on this machine nor, at the moment, in reach.
    """
    if settings.start:
        return
    if settings.first_weights and issubclass(BACKBONES[settings.backbone], ImageBackbone):
        require_weights(settings.backbone, settings.first_weights)
    if issubclass(FRONTENDS[settings.frontend], Encoder):
        parameters = settings.frontend_arguments()
        if parameters.get("config") is None:
            require_source(str(parameters.get("source", DEFAULT_SOURCE)))


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
        samples = batches.centre(prepared.decoded.samples(item.digest), specification.samples)
        waveform = torch.from_numpy(samples).repeat(specification.input_channels, 1)[None]
        with torch.inference_mode():
            maps.append(model.features(waveform, torch.tensor([samples.shape[1]])))
    return maps


def scale(
    model: Model,
    specification: Specification,
    prepared: Prepared,
    embeddings: Embeddings | None = None,
) -> None:
    """Let the head take from training clips what it scales by, where it scales at all.

    Args:
        model: a new one, on its device.
        specification: of it.
        prepared: the clips.
        embeddings: pooled states that are kept; without them 2,000 clips stand for all.
    """
    if type(model.backbone).fit_scale is Backbone.fit_scale:
        return
    items = prepared.sides["train"]
    if embeddings is not None:
        model.backbone.fit_scale(embeddings.of(items).float())
        fit_voices(model, items, embeddings)
        return
    rng = np.random.default_rng(specification.seed)
    chosen = [items[index] for index in rng.permutation(len(items))[:2000].tolist()]
    clips = [
        batches.centre(prepared.decoded.samples(item.digest), specification.samples)
        for item in chosen
    ]
    found = [
        pooled_states(model, specification, clips[first : first + 16])
        for first in range(0, len(clips), 16)
    ]
    model.backbone.fit_scale(torch.from_numpy(np.concatenate(found)).float())


def fit_voices(model: Model, items: Sequence[Example], embeddings: Embeddings) -> None:
    """Let the backbone learn how neutral speech differs between training speakers.

    Args:
        model: any; what it knows of voices is replaced.
        items: training clips.
        embeddings: their states.
    """
    plain = [
        item
        for item in items
        # Who sings neutrally doesn't speak so.
        if item.clip.emotion == "neutral"
        and item.clip.person
        and not item.clip.corpus.endswith("_song")
    ]
    if plain:
        owners = [item.clip.person for item in plain]
        model.backbone.fit_voices(embeddings.of(plain).float(), owners)
