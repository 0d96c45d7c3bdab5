"""A specification from elsewhere: its types and sizes are checked before anything is allocated."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.specification import Specification
from ser_core.errors import CheckpointError, SpecificationError


def with_value(name: str, value: Any) -> str:
    values = json.loads(Specification().to_json())
    place, _, inner = name.partition(".")
    if inner:
        values[place][inner] = value
    else:
        values[place] = value
    return json.dumps(values)


def test_it_comes_back_as_it_was_written() -> None:
    made = Specification(frontend_parameters={"n_mels": 64}, emotions=("joy", "anger"), seconds=2)
    assert Specification.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "3"),
        ("seconds", [3]),
        ("seconds", 1e9),
        ("sample_rate", 10**9),
        ("sample_rate", True),
        ("emotions", "joy"),
        ("emotions", [1, 2]),
        ("emotions", None),
        ("frontend", 7),
        ("frontend_parameters", [1]),
        ("frontend_parameters.n_mels", 10**7),
        ("frontend_parameters.deep", {"a": [{"b": 10**12}]}),
        ("backbone_parameters.sizes", [10**9]),
        ("trim_silence", "no"),
        ("input_channels", 10**6),
    ],
)
def test_wrong_types_and_sizes_are_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(SpecificationError) as caught:
        Specification.from_json(with_value(name, value))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("specification.json", "frontend_parameters.n_mels", 150_000),
        ("specification.json", "frontend_parameters.hop_length", 1),
        ("specification.json", "frontend_parameters.n_fft", "many"),
        ("specification.json", "backbone_parameters.nonsense", 1),
        ("metrics.json", "", [1]),
        ("metrics.json", "", None),
    ],
)
def test_a_checkpoint_that_lies_is_refused_at_once(
    small_model: Path, tmp_path: Path, file: str, name: str, value: Any
) -> None:
    for source in small_model.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    held: Any = json.loads((tmp_path / file).read_text(encoding="utf-8"))
    if name:
        place, _, inner = name.partition(".")
        held[place][inner] = value
    else:
        held = value
    (tmp_path / file).write_text(json.dumps(held), encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path)
    assert time.process_time() - begun < 2
    assert "\n" not in str(caught.value)
