"""How deep a training reaches: the head alone, the last layers, or everything."""

from __future__ import annotations

import dataclasses

from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.frontends.encoder import Encoder
from trainer.errors import SettingsError
from trainer.settings import Settings

DEPTHS: dict[str, str] = {
    "head": "what lies behind the pooled state, on states that are computed once and kept",
    "last": "the head and the last layers in front of it",
    "all": "everything that the model's specification lets learn",
}


def set_depth(
    model: Model, specification: Specification, settings: Settings
) -> tuple[Model, Specification]:
    """Let gradients reach what ``settings.depth`` names.

    Args:
        model: what is to be trained.
        specification: of it.
        settings: of the run.

    Returns:
        The model, and the specification with what the front-end now says of itself.

    Raises:
        SettingsError: the settings ask for something that needs a deeper training.
    """
    if settings.depth == "all":
        return model, specification
    if settings.depth == "head":
        _require_kept_states(settings)
    model.requires_grad_(False)
    for weight in model.backbone.head_parameters():
        weight.requires_grad_(True)
    if settings.depth == "last":
        if isinstance(model.frontend, Encoder):
            front = model.frontend
            front.set_trained("last", min(front.last_layers, front.kept_layers))
        for weight in model.backbone.last_parameters():
            weight.requires_grad_(True)
    elif isinstance(model.frontend, Encoder):
        model.frontend.set_trained("none", model.frontend.last_layers)
    parameters = model.frontend.parameters_json()
    return model, dataclasses.replace(specification, frontend_parameters=parameters)


def _require_kept_states(settings: Settings) -> None:
    """Refuse what would change the pooled state from one epoch to the next."""
    for name in ("feature_augment", "crop_seconds"):
        if getattr(settings, name):
            raise SettingsError(
                f"{name} draws anew in every epoch, and depth “head” computes each clip once; "
                "leave it out, or take depth “last” or “all”. For augmentation of the sound give "
                "augment and copies."
            )
    if bool(settings.augment) != bool(settings.copies):
        raise SettingsError(
            "with depth “head” augment and copies go together: the recipe, and how many augmented "
            "copies of each clip are kept beside it."
        )
    if settings.balance in ("smote", "adasyn"):
        raise SettingsError(f"{settings.balance} and depth “head” exclude each other.")
