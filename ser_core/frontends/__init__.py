"""Front-ends by name: waveform to feature map."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ser_core.errors import SpecificationError
from ser_core.frontends.base import FeatureMap, FrontEnd
from ser_core.frontends.descriptors import (
    DESCRIPTORS,
    Description,
    Descriptor,
    Descriptors,
    describe_clip,
)
from ser_core.frontends.mel import Mel
from ser_core.frontends.wav2vec2 import Wav2Vec2

FRONTENDS: dict[str, type[FrontEnd]] = {
    "mel": Mel,
    "descriptors": Descriptors,
    "wav2vec2": Wav2Vec2,
}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "mel": {
        "seed": {"n_mels": 128, "n_fft": 2048, "hop_length": 512},
        "speech16k": {
            "n_mels": 80,
            "n_fft": 1024,
            "win_length": 640,
            "hop_length": 320,
            "f_min": 50.0,
            "f_max": 7600.0,
        },
    },
    "descriptors": {
        "frames": {"mode": "frames"},
        "statistics": {"mode": "statistics"},
        "mfcc": {"mode": "statistics", "names": ["mfcc"], "n_mfcc": 40},
    },
    "wav2vec2": {
        "base": {"source": "facebook/wav2vec2-base"},
        "hubert": {"source": "facebook/hubert-base-ls960"},
        "wavlm": {"source": "microsoft/wavlm-base-plus"},
    },
}
"""Named parameter sets; ``seed`` of ``mel`` is what the seed systems used, at 16 kHz."""


def build_frontend(
    name: str, parameters: Mapping[str, Any], *, sample_rate: int, input_channels: int
) -> FrontEnd:
    """Build a front-end.

    Args:
        name: a key of ``FRONTENDS``.
        parameters: its keyword arguments.
        sample_rate: Hz of the waveforms it will get.
        input_channels: their channels, 1 or 2.

    Raises:
        SpecificationError: no such front-end, an unknown parameter or a value out of its range.
    """
    if name not in FRONTENDS:
        raise SpecificationError(f"No front-end “{name}”. Known are: {', '.join(FRONTENDS)}.")
    kind = FRONTENDS[name]
    known = set(inspect.signature(kind).parameters) - {"sample_rate", "input_channels"}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise SpecificationError(
            f"{name} has no parameter {', '.join(unknown)}. It takes: {', '.join(sorted(known))}."
        )
    return kind(sample_rate=sample_rate, input_channels=input_channels, **parameters)  # type: ignore[call-arg]


__all__ = [
    "DESCRIPTORS",
    "FRONTENDS",
    "PRESETS",
    "Description",
    "Descriptor",
    "FeatureMap",
    "FrontEnd",
    "build_frontend",
    "describe_clip",
]
