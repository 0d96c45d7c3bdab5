"""Everything that must be known to build a model again and to say where it came from."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ser_core.emotions import EMOTIONS
from ser_core.errors import SpecificationError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 1

LARGEST = 200_000
"""Largest number that a parameter may be; a vocabulary of an encoder has some 50,000 words."""


@dataclass(frozen=True)
class Specification:
    """A model in words.

    Attributes:
        frontend: key of ``FRONTENDS``; ``frontend_parameters`` its arguments.
        backbone: key of ``BACKBONES``; ``backbone_parameters`` its arguments.
        emotions: classes in the order of the logits.
        sample_rate: Hz.
        seconds: length of the window the model looks at.
        input_channels: 1 (mono) or 2 (mono duplicated, or stereo).
        normalisation: arguments of ``Normaliser``, statistics included.
        trim_silence: whether what lies before and behind the speech is left out.
        name, version: what people call it; the version is the checkpoint folder's name.
        created: UTC, ISO 8601.
        seed, data_hash, label_revision, parent: what the run was made from.
        versions: package versions of the machine that trained it.
    """

    frontend: str = "mel"
    frontend_parameters: dict[str, Any] = field(default_factory=dict)
    backbone: str = "resnet50"
    backbone_parameters: dict[str, Any] = field(default_factory=dict)
    emotions: tuple[str, ...] = EMOTIONS
    sample_rate: int = 16_000
    seconds: float = 3.0
    input_channels: int = 1
    normalisation: dict[str, Any] = field(default_factory=lambda: {"kind": "zscore"})
    trim_silence: bool = False
    name: str = "model"
    version: str = ""
    created: str = ""
    seed: int = 0
    data_hash: str = ""
    label_revision: str = ""
    parent: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.emotions) < 2 or len(set(self.emotions)) != len(self.emotions):
            raise SpecificationError("A model needs two or more different emotions.")
        unknown = [e for e in self.emotions if e not in EMOTIONS]
        if unknown:
            raise SpecificationError(f"Not canonical emotions: {', '.join(unknown)}.")
        if not 0.1 <= self.seconds <= 60:
            raise SpecificationError(f"A window of {self.seconds} s is outside 0.1 to 60 s.")
        if self.input_channels not in (1, 2):
            raise SpecificationError(f"{self.input_channels} input channels; 1 or 2 are known.")
        if not 1000 <= self.sample_rate <= 192_000:
            raise SpecificationError(
                f"A sample rate of {self.sample_rate} Hz is outside 1000 to 192000 Hz."
            )
        for name in ("frontend_parameters", "backbone_parameters", "normalisation"):
            _check_sizes(name, getattr(self, name))

    @property
    def samples(self) -> int:
        """Samples of one window."""
        return round(self.seconds * self.sample_rate)

    def to_json(self) -> str:
        """Return it as indented JSON."""
        values = dataclasses.asdict(self) | {"format": FORMAT}
        return json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Specification:
        """Read ``to_json``'s result.

        Raises:
            SpecificationError: not JSON, another format, unknown or missing fields, a value of the
                wrong type, or a size that no model has.
        """
        from pydantic import ValidationError

        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise SpecificationError(f"The specification is not JSON: {error}.") from error
        if not isinstance(values, Mapping):
            raise SpecificationError("The specification is not a JSON object.")
        values = dict(values)
        found = values.pop("format", None)
        if found != FORMAT:
            raise SpecificationError(
                f"The specification has format {found!r}; this program reads {FORMAT}."
            )
        values.setdefault("trim_silence", False)  # models older than the field heard whole clips
        names = {f.name for f in dataclasses.fields(cls)}
        if set(values) != names:
            odd = sorted(set(values) ^ names)
            raise SpecificationError(f"The specification's fields do not fit: {', '.join(odd)}.")
        try:
            return _reader().validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise SpecificationError(
                f"The specification's {'.'.join(map(str, first['loc']))} is "
                f"{str(first['input'])[:60]!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."
            ) from error


@functools.cache
def _reader() -> TypeAdapter[Specification]:
    """Return what checks the fields; to make it takes longer than to read a hundred of them."""
    from pydantic import TypeAdapter

    return TypeAdapter(Specification)


def _check_sizes(place: str, value: Any) -> None:
    """Refuse numbers so large that building the model would fill the memory."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_sizes(f"{place}.{name}", inner)
    elif isinstance(value, list | tuple):
        if len(value) > LARGEST:
            raise SpecificationError(f"{place} has {len(value)} entries; at most {LARGEST} fit.")
        for inner in value:
            _check_sizes(place, inner)
    elif isinstance(value, int | float) and abs(value) > LARGEST:
        raise SpecificationError(f"{place} is {value:g}; at most {LARGEST} makes sense.")
