"""Where the model looked, for any emotion, without judging the clip again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ui.analysis import Analysis, Held, PageError, analyse, bytes_of, read
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ser_core.explain import View
    from ui.figures import Heat


@dataclass
class _Look:
    """One clip's picture, what the model is shown of it, and what was asked already."""

    figure: go.Figure
    view: View | None = None
    heats: dict[str, Heat] = field(default_factory=dict)


class Looks:
    """Pictures of the clips that were judged lately, by content and model.

    What is held of a clip is small, however long it is: the figure that the page got anyhow, and
    at most three minutes of spectrogram.

    Args:
        services: the model.
        room: how many clips are held.
    """

    def __init__(self, services: Services, room: int = 12) -> None:
        self._services = services
        self._room = room
        self._held: OrderedDict[tuple[str, str], _Look] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, found: Analysis) -> None:
        """Hold a clip's picture until it is asked for or others need the room."""
        self._keep(found)

    def _keep(self, found: Analysis) -> _Look:
        key = (found.held.sha256, found.prediction.model["version"])
        with self._lock:
            made = self._held[key] = _Look(found.figure)
            self._held.move_to_end(key)
            while len(self._held) > self._room:
                self._held.popitem(last=False)
        return made

    def look(self, held: Held | None, emotion: str | None) -> go.Figure:
        """Draw the clip again, with where the model looked for an emotion laid over it.

        Args:
            held: the clip on the page.
            emotion: which class to ask for; None draws no overlay.

        Raises:
            PageError: there is no clip, or it has gone.
            SerError: the model has no such emotion or no layer to look at.
        """
        from ui.figures import with_heat

        if held is None:
            raise PageError("There is no clip to look at yet. Upload or record one first.")
        found = self._found(held)
        if emotion is None:
            return found.figure
        if emotion not in found.heats:
            found.heats[emotion] = self._heat(held, found, emotion)
        return with_heat(found.figure, found.heats[emotion])

    def _found(self, held: Held) -> _Look:
        key = (held.sha256, self._services.serving.recognizer.version)
        with self._lock:
            known = self._held.get(key)
        if known is not None:
            return known
        # Others needed the room, or another model serves by now.
        bytes_of(held)
        return self._keep(analyse(self._services, held.path))

    def _heat(self, held: Held, found: _Look, emotion: str) -> Heat:
        from ser_core.explain import gradcam, view
        from ui.figures import Heat

        recognizer = self._services.serving.recognizer
        if found.view is None:
            bytes_of(held)
            found.view = view(recognizer, read(self._services, held.path))
        seen = gradcam(recognizer, found.view, emotion)
        return Heat(np.asarray(seen.heat, np.float32), 0.0, found.view.seconds)
