"""Named starting points for a run's settings."""

from __future__ import annotations

import difflib
from typing import Any

from trainer.errors import SettingsError
from trainer.settings import Settings

_MASKS: tuple[dict[str, Any], ...] = (
    {"name": "frequency_mask", "width": [0, 0.15], "p": 0.8},
    {"name": "time_mask", "width": [0, 0.15], "p": 0.8},
)

SETTINGS_PRESETS: dict[str, dict[str, Any]] = {
    "baseline": {
        "frontend_preset": "baseline",
        "seconds": 5.0,
        "input_channels": 2,
        "normalisation": "minmax",
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "schedule": "constant",
        "warm_up": 0.0,
        "weight_decay": 0.0,
        "batch_size": 16,
        "epochs": 50,
        "label_smoothing": 0.0,
        "balance": "none",
        "early_stop": 4,
        "early_stop_on": "loss",
        "augment": "baseline",
    },
    "default": {
        "augment": "train",
        "feature_augment": _MASKS,
        "crop_seconds": (1.25, 2.75),
        "short_clips": "repeat",
        "trim_silence": True,
        "average": 0.999,
    },
    "quick": {
        "epochs": 2,
        "epoch_clips": 512,
        "batch_size": 16,
        "learning_rate": 0.01,
    },
    "statistics": {
        "frontend": "descriptors",
        "frontend_preset": "statistics",
        "backbone": "pooling",
        "normalisation": "corpus",
        "balance": "smote",
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "epochs": 60,
        "early_stop": 8,
    },
    "encoder": {
        "frontend": "encoder",
        "frontend_preset": "whisper",
        "frontend_parameters": {"keep_layers": 3, "stack": True},
        "backbone": "layer_pooling",
        "normalisation": "none",
        "seconds": 8.0,
        "trim_silence": True,
        "depth": "head",
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 0.02,
        "batch_size": 128,
        "epoch_clips": 12_800,
        "epochs": 12,
        "mixup": 0.2,
        "average": 0.99,
    },
    "wav2vec2": {
        "frontend": "encoder",
        "frontend_preset": "base",
        "backbone": "pooling",
        "normalisation": "none",
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "epochs": 15,
        "batch_size": 16,
        "early_stop": 4,
    },
    "fine-tune": {
        "depth": "head",
        "epochs": 3,
        "epoch_clips": 12_800,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.02,
        "batch_size": 128,
        "mixup": 0.2,
        "average": 0.98,
        "correction_share": 0.2,
        "half_weights": True,
    },
    "fine-tune-deep": {
        "epochs": 4,
        "optimizer": "adamw",
        "learning_rate": 5e-5,
        "weight_decay": 0.05,
        "batch_size": 32,
        "mixup": 0.2,
        "average": 0.99,
        "keep_statistics": True,
        "weight_interpolation": True,
        "augment": "train",
        "feature_augment": _MASKS,
        "crop_seconds": (1.25, 2.5),
        "short_clips": "repeat",
    },
}
"""Named starting points; a TOML file and flags go over them."""

PRESET_ALIASES: dict[str, str] = {"seed": "baseline"}
"""Presets' former names."""


def preset(name: str) -> Settings:
    """Return the settings of a preset.

    Raises:
        SettingsError: there is no such preset.
    """
    found = SETTINGS_PRESETS.get(PRESET_ALIASES.get(name, name))
    if found is None:
        near = difflib.get_close_matches(name, SETTINGS_PRESETS, 1)
        hint = f" Did you mean “{near[0]}”?" if near else ""
        raise SettingsError(
            f"there is no preset “{name}”; known are {', '.join(SETTINGS_PRESETS)}.{hint}"
        )
    return Settings().with_values(found, f"preset {name}")


def with_encoder(settings: Settings, source: str) -> Settings:
    """Return the settings with another pretrained encoder as the front-end.

    Args:
        settings: any; parameters of another front-end are left out.
        source: name on the Hub, or local folder.

    >>> with_encoder(preset("encoder"), "folder").frontend_arguments()["source"]
    'folder'
    """
    kept = settings.frontend_parameters if settings.frontend == "encoder" else {}
    named = settings.frontend_preset if settings.frontend == "encoder" else ""
    values = {
        "frontend": "encoder",
        "frontend_preset": named,
        "frontend_parameters": {**kept, "source": source},
    }
    return settings.with_values(values, "--encoder")
