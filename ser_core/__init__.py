"""A clip's way to a prediction: audio, augmentation, features, models, checkpoints, corpora."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

__all__ = ["Recognizer"]


def __getattr__(name: str) -> Any:
    """Import ``Recognizer`` when it is asked for; the command line's help need not wait for it."""
    if name == "Recognizer":
        from ser_core.inference.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
