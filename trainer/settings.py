"""Every setting of a training run: its type, range, default and help, in one place.

The command line's flags, their help and the checks of TOML files are made from this class.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from ser_core.backbones import BACKBONES
from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError
from ser_core.frontends import FRONTENDS, PRESETS
from ser_core.frontends.normalisations import NORMALISATIONS
from trainer.errors import SettingsError

OVERSAMPLERS = ("smote", "adasyn")
"""Ways to balance that make up rows of the rarer emotions."""

ALIASES: dict[str, str] = {"blend": "weight_interpolation", "votes": "soft_labels"}
"""Settings' former names, read wherever the new ones are."""

_GROUPS: dict[str, str] = {
    "corpora": "clips and speakers",
    "name": "model",
    "epochs": "training",
    "augment": "augmentation",
    "balance": "balance",
    "average": "weights and stopping",
    "depth": "depth and teachers",
    "correction_share": "corrections",
    "workers": "machine",
}
"""First setting of each group -> the group's title."""


@dataclasses.dataclass(frozen=True)
class OneOf:
    """The names that a setting may have."""

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "names", tuple(names))

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Let pydantic refuse any other name."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.names:
            raise ValueError(value)
        return value


def _help(text: str, low: float | None = None, high: float | None = None) -> Any:
    return Field(description=text, ge=low, le=high)


def _recipe(value: Any) -> Any:
    """Return a recipe's steps; it may be given by its name."""
    if not isinstance(value, str):
        return value
    from ser_core.augment.recipes import RECIPES, find_recipe

    steps = find_recipe(value) if value else []
    if steps is None:
        raise SettingsError(f"there is no recipe “{value}”; known are {', '.join(RECIPES)}.")
    return tuple(steps)


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_pair)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_pair)]
Steps = Annotated[tuple[dict[str, Any], ...], BeforeValidator(_pair), BeforeValidator(_recipe)]


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Settings:
    """A training run in words; saved whole with every run.

    Raises:
        SettingsError: a value has another type, is out of its range or contradicts another; the
            message names the setting, what was found and what is expected.
    """

    corpora: Annotated[str, _help("folder or s3:// place of the corpora")] = "data/corpora"
    names: Annotated[Names, _help("corpora to use; all that are found without it")] = ()
    emotions: Annotated[Names, _help("classes; those of the training clips without it")] = ()
    scheme: Annotated[
        str,
        OneOf(("fixed", "kfold", "leave-one-corpus-out", "random")),
        _help("how clips are divided; all but random (leaky, for comparison) keep speakers apart"),
    ] = "fixed"
    fold: Annotated[int, _help("which fold is tested with scheme kfold, from 0", 0, 99)] = 0
    folds: Annotated[int, _help("folds of scheme kfold", 2, 100)] = 5
    held_out: Annotated[str, _help("corpus that scheme leave-one-corpus-out tests on")] = ""
    seed: Annotated[int, _help("seed of everything random", 0, 2**31)] = 0
    max_clips: Annotated[int, _help("most training clips, for a quick try; 0: all", 0, 10**8)] = 0
    name: Annotated[str, _help("the model's name")] = "studio"
    frontend: Annotated[str, OneOf(FRONTENDS), _help("from waveform to feature map")] = "mel"
    frontend_preset: Annotated[str, _help("named parameters of the front-end")] = "speech16k"
    frontend_parameters: Annotated[
        dict[str, Any], _help("parameters of the front-end, over its preset's")
    ] = field(default_factory=dict)
    backbone: Annotated[str, OneOf(BACKBONES), _help("from feature map to logits")] = "resnet50"
    backbone_parameters: Annotated[dict[str, Any], _help("parameters of the backbone")] = field(
        default_factory=dict
    )
    first_weights: Annotated[
        str, _help("what the backbone starts from: imagenet or the path of a state dict")
    ] = ""
    start: Annotated[str, _help("folder of the checkpoint to fine-tune")] = ""
    normalisation: Annotated[str, OneOf(NORMALISATIONS), _help("how feature maps are scaled")] = (
        "zscore"
    )
    input_channels: Annotated[int, _help("channels of the waveform", 1, 2)] = 1
    seconds: Annotated[float, _help("window that the model looks at, in seconds", 0.2, 60)] = 3.0
    trim_silence: Annotated[
        bool, _help("leave out the silence before and after the speech, here and in use")
    ] = False
    epochs: Annotated[int, _help("rounds over the training clips", 0, 10_000)] = 20
    batch_size: Annotated[int, _help("clips in a batch", 1, 4096)] = 32
    accumulate: Annotated[int, _help("batches in an optimizer step", 1, 1024)] = 1
    epoch_clips: Annotated[int, _help("clips drawn in an epoch; 0: all", 0, 10**8)] = 0
    optimizer: Annotated[str, OneOf(("sgd", "adam", "adamw")), _help("the optimizer")] = "sgd"
    learning_rate: Annotated[float, _help("learning rate at its highest", 1e-8, 10)] = 0.05
    momentum: Annotated[float, _help("momentum of sgd", 0, 0.9999)] = 0.9
    weight_decay: Annotated[float, _help("weight decay; biases and norms are spared", 0, 1)] = 5e-4
    schedule: Annotated[
        str, OneOf(("cosine", "constant")), _help("learning rate after the warm-up")
    ] = "cosine"
    warm_up: Annotated[float, _help("share of all steps in which the rate rises", 0, 0.9)] = 0.1
    gradient_clip: Annotated[float, _help("largest gradient norm; 0: no limit", 0, 1e6)] = 5.0
    precision: Annotated[
        str,
        OneOf(("auto", "fp32", "bf16", "fp16")),
        _help("arithmetic; auto: half precision where the hardware has it"),
    ] = "auto"
    label_smoothing: Annotated[
        float, _help("share of a label spread over all emotions", 0, 0.9)
    ] = 0.1
    soft_labels: Annotated[
        float, _help("share of a label taken from all of a clip's annotations", 0, 1)
    ] = 0.0
    mixup: Annotated[float, _help("parameter of mixup's Beta distribution; 0: none", 0, 10)] = 0.0
    augment: Annotated[Steps, _help("recipe on waveforms: its name, or a list of steps")] = ()
    feature_augment: Annotated[
        Steps, _help("recipe on feature maps, or on the spectrogram Whisper hears: a list of steps")
    ] = ()
    noises: Annotated[str, _help("folder of recordings that background_noise mixes in")] = ""
    crop_seconds: Annotated[
        Numbers,
        _help(
            "shortest and longest stretch of a clip that a batch shows; the whole window without"
        ),
    ] = ()
    short_clips: Annotated[
        str,
        OneOf(("silence", "repeat")),
        _help("what fills up a clip that is too short"),
    ] = "silence"
    balance: Annotated[
        str,
        OneOf(("none", "class-weights", "sampling", "duplicate", *OVERSAMPLERS)),
        _help("how rare emotions are helped"),
    ] = "sampling"
    corpus_power: Annotated[
        float, _help("with sampling: 0 leaves corpora as large as they are, 1 evens them", 0, 1)
    ] = 0.5
    average: Annotated[
        float, _help("decay per step of the averaged weights; 0: no average", 0, 0.99999)
    ] = 0.0
    keep_statistics: Annotated[
        bool, _help("keep the batch norms' statistics of the start, for a short fine-tune")
    ] = False
    weight_interpolation: Annotated[
        bool,
        _help(
            "keep weights between start and fine-tune, as the validation speakers prefer (WiSE-FT)"
        ),
    ] = False
    early_stop: Annotated[
        int, _help("epochs without a better validation figure before stopping; 0: never", 0, 10_000)
    ] = 0
    early_stop_on: Annotated[
        str, OneOf(("loss", "uar")), _help("figure of the validation clips")
    ] = "uar"
    half_weights: Annotated[bool, _help("store the checkpoint in half precision")] = False
    depth: Annotated[
        str,
        OneOf(("head", "last", "all")),
        _help("what learns: the head, on pooled states that are kept; the last layers too; or all"),
    ] = "all"
    copies: Annotated[
        int,
        _help(
            "augmented copies of each clip, for depth head or for a teacher to be asked of", 0, 20
        ),
    ] = 0
    heads: Annotated[
        int, _help("with depth head: heads trained from other seeds, whose mean is kept", 1, 20)
    ] = 1
    teacher: Annotated[Names, _help("checkpoints whose mean is learned beside the labels")] = ()
    unlabelled: Annotated[
        Names, _help("corpora whose clips without a label are learned from the teachers")
    ] = ()
    temperature: Annotated[
        float, _help("how soft the teachers' probabilities are made", 0.1, 100)
    ] = 2.0
    teacher_weight: Annotated[
        float, _help("how much the teachers count beside the labels", 0, 1000)
    ] = 2.0
    hint_weight: Annotated[
        float, _help("how much their pooled state counts beside their probabilities", 0, 1000)
    ] = 1.0
    correction_share: Annotated[
        float, _help("share of each batch that is corrected clips; 0: by weight and replay", 0, 0.9)
    ] = 0.0
    correction_weight: Annotated[
        float, _help("weight of a corrected clip beside a corpus clip", 0, 1000)
    ] = 3.0
    replay: Annotated[
        float, _help("corpus clips shown for each corrected one in a fine-tune; 0: all", 0, 1e6)
    ] = 8.0
    workers: Annotated[int, _help("processes that load clips", 0, 64)] = 1
    threads: Annotated[int, _help("threads of the arithmetic; 0: torch's choice", 0, 512)] = 0
    device: Annotated[str, _help("auto, cpu, cuda, cuda:1 or mps")] = "auto"
    save_seconds: Annotated[
        float, _help("seconds between two saves of the resumable state", 1, 1e6)
    ] = 300.0

    @model_validator(mode="wrap")
    @classmethod
    def _in_sentences(cls, values: Any, handler: Any) -> Settings:
        """Turn pydantic's errors into sentences."""
        try:
            made: Settings = handler(values)
        except ValidationError as error:
            found = {str(e["loc"][0]): e["input"] for e in reversed(error.errors()) if e["loc"]}
            whole = values.kwargs or {} if hasattr(values, "kwargs") else {}
            raise SettingsError(
                " ".join(_refusal(name, whole.get(name, value)) for name, value in found.items())
            ) from error
        return made

    def __post_init__(self) -> None:
        self._check_model()
        self._check_split()
        self._check_balance()
        self._check_depth()
        if self.crop_seconds:
            low, high = self.crop_seconds if len(self.crop_seconds) == 2 else (0.0, -1.0)
            if not 0.1 <= low <= high <= self.seconds:
                raise SettingsError(
                    "crop_seconds is a pair, shortest and longest, between 0.1 and the window's "
                    f"{self.seconds} s; found {list(self.crop_seconds)}."
                )
        for name in ("augment", "feature_augment"):
            _check_recipe(name, getattr(self, name), self.noises)

    def _check_model(self) -> None:
        if odd := [emotion for emotion in self.emotions if emotion not in EMOTIONS]:
            raise SettingsError(f"emotions: {', '.join(odd)} is not among {', '.join(EMOTIONS)}.")
        presets = PRESETS.get(self.frontend, {})
        if self.frontend_preset and self.frontend_preset not in presets:
            raise SettingsError(
                f"frontend_preset is “{self.frontend_preset}”; {self.frontend} knows "
                f"{', '.join(presets) or 'none'}."
            )
        if self.start and self.first_weights:
            raise SettingsError(
                "start and first_weights contradict each other: a fine-tune starts from its "
                "checkpoint's weights."
            )

    def _check_split(self) -> None:
        if self.scheme == "leave-one-corpus-out" and not self.held_out:
            raise SettingsError("leave-one-corpus-out needs held_out, the corpus to leave out.")
        if self.scheme != "leave-one-corpus-out" and self.held_out:
            raise SettingsError(f"held_out means nothing with scheme “{self.scheme}”.")
        if not 0 <= self.fold < self.folds:
            raise SettingsError(
                f"fold is {self.fold}; with {self.folds} folds it must be 0 to {self.folds - 1}."
            )

    def _check_balance(self) -> None:
        if self.balance not in OVERSAMPLERS:
            return
        if self.frontend not in ("descriptors", "mel"):
            raise SettingsError(
                f"{self.balance} interpolates descriptor statistics (frontend descriptors) or "
                f"spectrograms (frontend mel), not “{self.frontend}”."
            )
        if self.augment or self.feature_augment or self.crop_seconds or self.mixup:
            raise SettingsError(
                f"{self.balance} takes each clip's features once, before the training, so nothing "
                "may change them in an epoch: set augment, feature_augment, crop_seconds and mixup "
                "to nothing (--augment [] --feature-augment [] --crop-seconds [] --mixup 0)."
            )

    def _check_depth(self) -> None:
        if self.unlabelled and not self.teacher:
            raise SettingsError("unlabelled clips can be learned from a teacher alone: name one.")
        if self.heads > 1 and (self.depth != "head" or self.start):
            raise SettingsError("heads are averaged in a new model with depth “head” alone.")
        if self.teacher and (self.depth == "head" or self.balance in OVERSAMPLERS):
            raise SettingsError("a teacher needs depth “last” or “all”, and no made-up rows.")

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
        """Return a copy with ``values`` over it; former names are read too.

        Args:
            values: setting -> value.
            source: where they come from, for the message.

        Raises:
            SettingsError: a name is unknown (the nearest is offered) or a value can't be.
        """
        known = [spec.name for spec in specs()]
        out: dict[str, Any] = {}
        for given, value in values.items():
            name = ALIASES.get(given, given)
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f" Did you mean “{near[0]}”?" if near else ""
                raise SettingsError(f"{source}: there is no setting “{given}”.{hint}")
            out[name] = value
        try:
            return dataclasses.replace(self, **out)
        except SettingsError as error:
            raise SettingsError(f"{source}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known of one setting.

    Attributes:
        name: of the setting.
        group: title of its group.
        kind: its type: str, int, float, bool, dict or tuple.
        default: its default.
        help: one line.
        low, high: its range, or None.
        choices: its only values, or none.
        items: what a tuple holds, in words.
    """

    name: str
    group: str
    kind: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    items: str = ""

    def expected(self) -> str:
        """Say which values are allowed.

        >>> spec("epochs").expected(), spec("schedule").expected()
        ('a whole number from 0 to 10000', 'one of cosine, constant')
        """
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {
            str: "text",
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            dict: "a table of parameters",
            tuple: self.items,
        }
        span = "" if self.low is None else f" from {self.low:.12g} to {self.high:.12g}"
        return words[self.kind] + span


_LISTS: dict[Any, str] = {
    str: "a list of names",
    float: "a list of numbers",
    dict[str, Any]: "the name of a recipe or a list of its steps",
}


@functools.cache
def specs() -> tuple[Spec, ...]:
    """Return every setting in the order of the command line's help."""
    fields: dict[str, FieldInfo] = Settings.__pydantic_fields__  # type: ignore[attr-defined]
    found = []
    group = ""
    for name, info in fields.items():
        group = _GROUPS.get(name, group)
        limits = {type(one).__name__: one for one in info.metadata}
        kind = get_origin(info.annotation) or info.annotation
        default = info.get_default(call_default_factory=True)
        found.append(
            Spec(
                name,
                group,
                kind if isinstance(kind, type) else type(default),
                default,
                info.description or "",
                getattr(limits.get("Ge"), "ge", None),
                getattr(limits.get("Le"), "le", None),
                getattr(limits.get("OneOf"), "names", ()),
                _LISTS.get(next(iter(get_args(info.annotation)), None), ""),
            )
        )
    return tuple(found)


def spec(name: str) -> Spec:
    """Return what is known of one setting."""
    return next(one for one in specs() if one.name == name)


def _refusal(name: str, value: Any) -> str:
    held = spec(name)
    near = difflib.get_close_matches(str(value), held.choices, 1)
    hint = f" Did you mean “{near[0]}”?" if near else ""
    shown = f"“{value:.60}”" if isinstance(value, str) else f"{value!r:.60}"
    return f"{name} is {shown}; it must be {held.expected()}.{hint}"


def _check_recipe(name: str, steps: tuple[dict[str, Any], ...], noises: str) -> None:
    if not steps:
        return
    from ser_core.augment import Chain

    try:
        chain = Chain.from_json(list(steps))
    except SerError as error:
        raise SettingsError(f"{name}: {error}") from error
    needing = [step.effect.name for step in chain.steps if step.effect.needs_noises]
    if needing and not noises:
        raise SettingsError(
            f"{name}: {needing[0]} mixes in recordings; give the folder that holds them with "
            "noises (--noises FOLDER)."
        )
