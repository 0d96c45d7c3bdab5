"""Front-ends by name: waveform to feature map. Naming them imports no torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ser_core.errors import SpecificationError
from ser_core.lazy import LazyTable

if TYPE_CHECKING:
    from ser_core.frontends.base import FeatureMap, FrontEnd
    from ser_core.frontends.descriptor_table import DESCRIPTORS, Descriptor
    from ser_core.frontends.descriptors import ClipDescriptors, describe_clip

FRONTENDS: Mapping[str, type[FrontEnd]] = LazyTable(
    {
        "mel": "ser_core.frontends.mel:Mel",
        "descriptors": "ser_core.frontends.descriptors:Descriptors",
        "encoder": "ser_core.frontends.encoder:Encoder",
        "wav2vec2": "ser_core.frontends.encoder:Encoder",
    }
)
"""Every front-end. A new one is one file and one line here.

``wav2vec2`` is what older checkpoints and settings call ``encoder``.
"""

_ENCODERS: dict[str, dict[str, Any]] = {
    "whisper": {"source": "openai/whisper-base"},
    "base": {"source": "facebook/wav2vec2-base"},
    "hubert": {"source": "facebook/hubert-base-ls960"},
    "wavlm": {"source": "microsoft/wavlm-base-plus"},
}

_BASELINE_MEL = {"n_mels": 128, "n_fft": 2048, "hop_length": 512}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "mel": {
        "baseline": _BASELINE_MEL,
        "seed": _BASELINE_MEL,
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
    "encoder": _ENCODERS,
    "wav2vec2": _ENCODERS,
}
"""Named parameter sets; older settings call ``baseline`` of ``mel`` ``seed``."""


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


_FROM = {
    "FeatureMap": "base",
    "FrontEnd": "base",
    "DESCRIPTORS": "descriptor_table",
    "ClipDescriptors": "descriptors",
    "Descriptor": "descriptor_table",
    "describe_clip": "descriptors",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for (PEP 562)."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)


__all__ = [
    "DESCRIPTORS",
    "FRONTENDS",
    "PRESETS",
    "ClipDescriptors",
    "Descriptor",
    "FeatureMap",
    "FrontEnd",
    "build_frontend",
    "describe_clip",
]
