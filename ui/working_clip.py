"""The clip that Augment, Robustness and Features work on: decoded, cut short, predicted once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_core.audio import Audio, duration, shown
from ser_core.errors import AugmentError
from ui.analysis import read
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

Samples = npt.NDArray[np.float32]

LONGEST = 30.0
"""Seconds of a clip that are worked on: enough for a sentence, little enough to answer at once."""


@dataclass(frozen=True, eq=False)
class WorkingClip:
    """A clip that is worked on.

    Attributes:
        clip: its first ``LONGEST`` seconds at the model's rate.
        cut: a sentence where there was more, else "".
        prediction: the prediction of the clip as it is, as JSON.
    """

    clip: Audio
    cut: str
    prediction: dict[str, Any] = field(repr=False)


class _WorkingClipCache:
    """The clips opened last, so that a slider's move need not decode and judge them again."""

    def __init__(self, places: int = 8) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Any, ...], WorkingClip] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> WorkingClip | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: tuple[Any, ...], working: WorkingClip) -> WorkingClip:
        with self._lock:
            self._held[key] = working
            while len(self._held) > self.places:
                self._held.popitem(last=False)
        return working


_CACHE = _WorkingClipCache()


def open_clip(
    services: Services, path: str | Path, recognizer: Recognizer | None = None
) -> WorkingClip:
    """Decode a clip, cut it to what is worked on, and judge it; the last few are remembered.

    Args:
        services: the model and the limits.
        path: the clip's file.
        recognizer: the model; the one that serves by default.

    Raises:
        SerError: the clip can't be used; the message is fit for the page.
    """
    recognizer = recognizer or services.serving.recognizer
    file = Path(path)
    try:
        found = file.stat()
    except OSError as error:
        raise AugmentError(
            f"{shown(file.name)} is no longer on the server. Upload or record it again."
        ) from error
    version = (str(recognizer.folder), recognizer.version, recognizer.speaker)
    key = (str(file), found.st_mtime_ns, found.st_size, *version)
    held = _CACHE.get(key)
    if held is not None:
        return held
    clip = read(services, file, recognizer)
    most = round(LONGEST * clip.sample_rate)
    cut = ""
    if clip.samples.shape[1] > most:
        cut = (
            f"The recording is {duration(clip.seconds)} long; "
            f"its first {LONGEST:.0f} s are used here."
        )
        part = np.ascontiguousarray(clip.samples[:, :most])
        clip = Audio(part, clip.sample_rate, clip.source_rate, clip.name, clip.sha256, clip.notes)
    return _CACHE.put(key, WorkingClip(clip, cut, recognizer.predict(clip).to_json()))
