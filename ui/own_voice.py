"""My voice: what a visitor's ordinary speech tells of it, in memory while the page is open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ser_core.errors import SerError
from ui.language import say

if TYPE_CHECKING:
    from ser_core.audio import Audio
    from ser_core.inference.recognizer import Recognizer

LONGEST = 30.0
"""Seconds of neutral speech that are used; more tells no more."""

ENOUGH = 8.0
"""Seconds of speech below which the voice changes little."""

MOST = 64
"""Voices held at once, a megabyte each; the oldest gives way."""


@dataclass
class _OwnVoice:
    clip: Audio
    model: Recognizer | None = None
    relative: Recognizer | None = None


class OwnVoices:
    """The voices of the pages that are open, forgotten when they close.

    Args:
        most: how many are held.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _OwnVoice] = OrderedDict()

    def learn(self, page: str, clip: Audio, recognizer: Recognizer) -> str:
        """Keep a visitor's neutral speech for a page, and say what comes of it.

        Args:
            page: the page.
            clip: 10 to 20 s of ordinary speech at the model's rate.
            recognizer: the model that the visitor chose.

        Raises:
            SerError: it tells nothing of a voice; the voice that was there stays.
        """
        from ser_core.inference.voice import check_neutral

        most = round(LONGEST * clip.sample_rate)
        clip = replace(clip, samples=np.ascontiguousarray(clip.samples[:, :most]))
        (activity,) = check_neutral([clip])
        voice = _OwnVoice(clip)
        _relate(voice, recognizer)
        with self._lock:
            self._held[page] = voice
            self._held.move_to_end(page)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        seconds = sum(end - start for start, end in activity.segments)
        spoken = {"model": recognizer.name, "seconds": f"{seconds:.0f}"}
        if voice.relative is None:
            return say("Kept: {seconds} s of your voice. {model} can't use it.", **spoken)
        text = say("{model} now hears you relative to {seconds} s of your voice.", **spoken)
        few = say("That is little, so it changes little; 10 to 20 s help.")
        return text if seconds >= ENOUGH else f"{text} {few}"

    def knows(self, page: str) -> bool:
        """Return whether a page has a voice."""
        return page in self._held

    def clip(self, page: str) -> Audio | None:
        """Return a page's neutral speech, or None."""
        with self._lock:
            voice = self._held.get(page)
        return None if voice is None else voice.clip

    def forget(self, page: str) -> None:
        """Drop a page's voice."""
        with self._lock:
            self._held.pop(page, None)

    def relative(self, page: str, recognizer: Recognizer) -> Recognizer:
        """Return a model as it hears the page's voice, or as it is where there is none.

        A model that takes no account of voices, or that finds nothing in this one, is returned as
        it is: its answers then do not say that they are relative to a voice.
        """
        with self._lock:
            voice = self._held.get(page)
        if voice is None:
            return recognizer
        if voice.model is not recognizer:
            try:
                _relate(voice, recognizer)
            except SerError:  # several voices, to this model's ear: said when it is recorded
                voice.model, voice.relative = recognizer, None
        return voice.relative or recognizer


def _relate(voice: _OwnVoice, recognizer: Recognizer) -> None:
    from ser_core.inference.voice import NoVoicesError

    try:
        relative = recognizer.relative_to(recognizer.voice([voice.clip]))
    except NoVoicesError:
        relative = None
    voice.model, voice.relative = recognizer, relative
