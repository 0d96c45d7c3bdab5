"""Every setting of a training run, in one dataclass, from presets, a TOML file and flags."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ser_core.augment import Chain
from ser_core.backbones import BACKBONES
from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError
from ser_core.frontends import FRONTENDS, PRESETS
from ser_core.normalise import KINDS
from trainer.errors import SettingsError

CHOICES: dict[str, tuple[str, ...]] = {
    "frontend": tuple(FRONTENDS),
    "backbone": tuple(BACKBONES),
    "normalisation": tuple(KINDS),
    "scheme": ("fixed", "kfold", "leave-one-corpus-out", "random"),
    "optimizer": ("sgd", "adam", "adamw"),
    "schedule": ("cosine", "constant"),
    "precision": ("auto", "fp32", "bf16", "fp16"),
    "balance": ("none", "class-weights", "sampling", "duplicate", "smote", "adasyn"),
    "early_stop_on": ("loss", "uar"),
    "short_clips": ("silence", "repeat"),
}


@dataclass(frozen=True)
class Settings:
    """A training run in words; saved whole with every run.

    Attributes:
        corpora: folder that holds the corpus folders.
        names: which of them; empty means all that are found.
        emotions: classes; empty means every emotion that the training clips have.
        scheme, fold, folds, held_out: how the speakers are divided (see ``ser_core.splits``).
        seed: of everything that is random.
        name: the model's name.
        frontend, frontend_preset, frontend_parameters: the front-end; parameters go over preset.
        backbone, backbone_parameters, first_weights: the backbone and what it starts from
            ("imagenet", a state dict's path, or "").
        start: checkpoint folder to fine-tune, or "".
        normalisation, input_channels, seconds: of the feature map, the waveform and the window.
        trim_silence: leave out what lies before and behind the speech, here and in use.
        epochs, batch_size, accumulate: length of the run; ``accumulate`` batches make a step.
        epoch_clips: clips drawn in one epoch; 0 means as many as there are.
        optimizer, learning_rate, momentum, weight_decay, schedule, warm_up, gradient_clip: steps;
            ``warm_up`` is a share of all steps, ``gradient_clip`` a norm (0 for none).
        label_smoothing: share of a label spread over all emotions, 0 to less than 1.
        votes: share of a label taken from listeners' votes where a clip has them, 0 to 1.
        mixup: parameter of the Beta distribution, 0 for none.
        augment: recipe on waveforms (list of steps); ``feature_augment`` on feature maps.
        crop_seconds: shortest and longest stretch of a clip shown in training, drawn for each
            batch; empty for the whole window.
        short_clips: what follows in training where a clip is shorter than what its batch shows:
            "silence", or "repeat", the clip once more from its beginning.
        balance, corpus_power: how rare emotions and small corpora are helped; with "sampling",
            ``corpus_power`` 0 leaves the corpora as they are and 1 makes them equal.
        average: decay of the averaged weights per step, 0 for none.
        keep_statistics: leave the batch norms' means and deviations as the start has them, so
            that a short fine-tune on few clips does not replace what many have taught.
        blend: keep weights between the start's and the fine-tune's, in the share that the
            validation speakers prefer (see ``trainer.blend``).
        early_stop, early_stop_on: epochs without a better validation figure; 0 for never.
        precision: "auto" is half precision on a GPU and bfloat16 on a CPU that has it in hardware.
        correction_weight: how much one corrected clip weighs beside a corpus clip.
        replay: corpus clips shown for each corrected clip in a fine-tune; 0 means all of them.
        max_clips: use at most so many training clips (a quick try); 0 for all.
        workers, threads: loader processes; threads of the arithmetic (0 leaves torch's choice).
        device: "auto", "cpu", "cuda", "mps".
        half_weights: store the checkpoint in half precision.
        save_seconds: how often the resumable state is written within an epoch.
    """

    corpora: str = "data/corpora"
    names: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    scheme: str = "fixed"
    fold: int = 0
    folds: int = 5
    held_out: str = ""
    seed: int = 0
    name: str = "studio"
    frontend: str = "mel"
    frontend_preset: str = "speech16k"
    frontend_parameters: dict[str, Any] = field(default_factory=dict)
    backbone: str = "resnet50"
    backbone_parameters: dict[str, Any] = field(default_factory=dict)
    first_weights: str = ""
    start: str = ""
    normalisation: str = "zscore"
    input_channels: int = 1
    seconds: float = 3.0
    trim_silence: bool = False
    epochs: int = 20
    batch_size: int = 32
    accumulate: int = 1
    epoch_clips: int = 0
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warm_up: float = 0.1
    gradient_clip: float = 5.0
    label_smoothing: float = 0.1
    votes: float = 0.0
    mixup: float = 0.0
    augment: tuple[dict[str, Any], ...] = ()
    feature_augment: tuple[dict[str, Any], ...] = ()
    crop_seconds: tuple[float, ...] = ()
    short_clips: str = "silence"
    balance: str = "sampling"
    corpus_power: float = 0.5
    average: float = 0.0
    keep_statistics: bool = False
    blend: bool = False
    early_stop: int = 0
    early_stop_on: str = "uar"
    precision: str = "auto"
    correction_weight: float = 3.0
    replay: float = 8.0
    max_clips: int = 0
    workers: int = 1
    threads: int = 0
    device: str = "auto"
    half_weights: bool = False
    save_seconds: float = 300.0

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                near = difflib.get_close_matches(str(value), choices, 1)
                hint = f" Did you mean “{near[0]}”?" if near else ""
                raise SettingsError(f"{name} is “{value}”; known are {', '.join(choices)}.{hint}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}; it must lie in {low:g} to {high:g}.")
        if odd := [emotion for emotion in self.emotions if emotion not in EMOTIONS]:
            raise SettingsError(f"not canonical emotions: {', '.join(odd)}.")
        presets = PRESETS.get(self.frontend, {})
        if self.frontend_preset and self.frontend_preset not in presets:
            raise SettingsError(
                f"{self.frontend} has no preset “{self.frontend_preset}”; "
                f"known are {', '.join(presets) or 'none'}."
            )
        if self.start and self.first_weights:
            raise SettingsError(
                "start and first_weights contradict each other: a fine-tune starts from its "
                "checkpoint's weights."
            )
        if self.scheme == "leave-one-corpus-out" and not self.held_out:
            raise SettingsError("leave-one-corpus-out needs held_out, the corpus to leave out.")
        if self.scheme != "leave-one-corpus-out" and self.held_out:
            raise SettingsError(f"held_out means nothing with scheme “{self.scheme}”.")
        if not 0 <= self.fold < self.folds:
            raise SettingsError(f"fold is {self.fold}; with {self.folds} folds it is below that.")
        if self.balance in ("smote", "adasyn") and self.frontend != "descriptors":
            raise SettingsError(
                f"{self.balance} interpolates descriptor statistics and needs the front-end "
                f"“descriptors” with the backbone “pooling”, not “{self.frontend}”."
            )
        if self.balance in ("smote", "adasyn") and (
            self.augment or self.feature_augment or self.crop_seconds or self.mixup
        ):
            raise SettingsError(
                f"{self.balance} takes each clip's statistics once, before the training; augment, "
                "feature_augment, crop_seconds and mixup have no place beside it."
            )
        if self.crop_seconds:
            low, high = self.crop_seconds if len(self.crop_seconds) == 2 else (0.0, -1.0)
            if not 0.1 <= low <= high <= self.seconds:
                raise SettingsError(
                    "crop_seconds is a pair, shortest and longest, between 0.1 and the window's "
                    f"{self.seconds} s; found {list(self.crop_seconds)}."
                )
        try:
            Chain.from_json(list(self.augment))
            Chain.from_json(list(self.feature_augment))
        except SerError as error:
            raise SettingsError(f"augment: {error}") from error

    def frontend_arguments(self) -> dict[str, Any]:
        """Return the preset's parameters with the given ones over them."""
        preset = PRESETS.get(self.frontend, {}).get(self.frontend_preset, {})
        return {**preset, **self.frontend_parameters}

    def to_json(self) -> dict[str, Any]:
        """Return every setting as JSON values."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def identity(self) -> dict[str, Any]:
        """Return what a resumed run must have in common with the one that was stopped."""
        free = {"workers", "threads", "save_seconds", "corpora", "device"}
        return {name: value for name, value in self.to_json().items() if name not in free}

    def with_values(self, values: Mapping[str, Any], source: str = "settings") -> Settings:
        """Return a copy with ``values`` over it.

        Raises:
            SettingsError: a name is unknown (the nearest is offered) or a value has another type.
        """
        known = {f.name: f for f in dataclasses.fields(self)}
        out: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f" Did you mean “{near[0]}”?" if near else ""
                raise SettingsError(f"{source}: there is no setting “{name}”.{hint}")
            out[name] = _typed(name, value, getattr(Settings(), name), source)
        return dataclasses.replace(self, **out)


_RANGES: dict[str, tuple[float, float]] = {
    "folds": (2, 100),
    "seed": (0, 2**31),
    "input_channels": (1, 2),
    "seconds": (0.2, 60),
    "epochs": (0, 10_000),
    "batch_size": (1, 4096),
    "accumulate": (1, 1024),
    "epoch_clips": (0, 10**8),
    "learning_rate": (1e-8, 10),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 1),
    "warm_up": (0, 0.9),
    "gradient_clip": (0, 1e6),
    "label_smoothing": (0, 0.9),
    "votes": (0, 1),
    "mixup": (0, 10),
    "corpus_power": (0, 1),
    "average": (0, 0.99999),
    "early_stop": (0, 10_000),
    "correction_weight": (0, 1000),
    "replay": (0, 1e6),
    "max_clips": (0, 10**8),
    "workers": (0, 64),
    "threads": (0, 512),
    "save_seconds": (1, 1e6),
}

_SPEC_AUGMENT: tuple[dict[str, Any], ...] = (
    {"name": "frequency_mask", "width": [0, 0.15], "p": 0.8},
    {"name": "time_mask", "width": [0, 0.15], "p": 0.8},
)

SETTINGS_PRESETS: dict[str, dict[str, Any]] = {
    "seed": {
        "frontend_preset": "seed",
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
        "augment": "seed",
    },
    "default": {
        "augment": "train",
        "feature_augment": _SPEC_AUGMENT,
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
    "wav2vec2": {
        "frontend": "wav2vec2",
        "frontend_preset": "",
        "backbone": "pooling",
        "normalisation": "none",
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "epochs": 15,
        "batch_size": 16,
        "early_stop": 4,
    },
}
"""Named starting points; a TOML file and flags go over them."""


def preset(name: str) -> Settings:
    """Return the settings of a preset.

    Raises:
        SettingsError: there is no such preset.
    """
    if name not in SETTINGS_PRESETS:
        raise SettingsError(
            f"there is no preset “{name}”; known are {', '.join(SETTINGS_PRESETS)}."
        )
    return Settings().with_values(SETTINGS_PRESETS[name], f"preset {name}")


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the settings of a TOML file; ``preset = "name"`` in it is left to the caller.

    Raises:
        SettingsError: the file can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} can't be read as TOML: {error}.") from error


def _typed(name: str, value: Any, default: Any, source: str) -> Any:
    """Return ``value`` in the type of ``default``; a recipe may be given by name."""
    from ser_core.augment import RECIPES

    if name in ("augment", "feature_augment") and isinstance(value, str):
        if value and value not in RECIPES:
            raise SettingsError(f"{source}: {name} “{value}” is none of {', '.join(RECIPES)}.")
        return tuple(RECIPES[value]) if value else ()
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise SettingsError(
            f"{source}: {name} is {value!r:.60}, a {type(value).__name__}; "
            f"a {type(default).__name__} was expected."
        )
    return value
