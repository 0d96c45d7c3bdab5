"""Where the model looked, for any emotion, without judging the clip again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ui.analysis import Analysis, CurrentClip, analyse, bytes_of, read
from ui.errors import PageError
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ser_core.inference.explain import View
    from ser_core.inference.recognizer import Recognizer
    from ui.figures import HeatMap


_Key = tuple[str, str, object]


def _key(held: CurrentClip, recognizer: Recognizer) -> _Key:
    return held.sha256, recognizer.version, recognizer.speaker


@dataclass
class _GradCamEntry:
    """One clip's picture, what the model is shown of it, and what was asked already."""

    figure: go.Figure
    view: View | None = None
    heats: dict[str, HeatMap] = field(default_factory=dict)


class GradCamCache:
    """Pictures of the clips that were analysed lately, by content and model.

    What is held of a clip is small, however long it is: the figure that the page got anyhow, and
    at most three minutes of spectrogram.

    Args:
        services: the model.
        room: how many clips are held.
    """

    def __init__(self, services: Services, room: int = 12) -> None:
        self._services = services
        self._room = room
        self._held: OrderedDict[_Key, _GradCamEntry] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, found: Analysis, recognizer: Recognizer | None = None) -> None:
        """Hold a clip's picture until it is asked for or others need the room.

        Args:
            found: the clip, analysed.
            recognizer: by this model; the one that serves by default.
        """
        self._keep(found, recognizer or self._services.serving.recognizer)

    def _keep(self, found: Analysis, recognizer: Recognizer) -> _GradCamEntry:
        key = _key(found.held, recognizer)
        with self._lock:
            made = self._held[key] = _GradCamEntry(found.figure)
            self._held.move_to_end(key)
            while len(self._held) > self._room:
                self._held.popitem(last=False)
        return made

    def look(
        self,
        held: CurrentClip | None,
        emotion: str | None,
        recognizer: Recognizer | None = None,
    ) -> go.Figure:
        """Draw the clip again, with where the model looked for an emotion laid over it.

        Args:
            held: the clip on the page.
            emotion: which class to ask for; None draws no overlay.
            recognizer: the model; the one that serves by default.

        Raises:
            PageError: there is no clip, or it has gone.
            SerError: the model has no such emotion or no layer to look at.
        """
        from ui.figures import with_heat

        if held is None:
            raise PageError("There is no clip yet. Upload or record one first.")
        recognizer = recognizer or self._services.serving.recognizer
        found = self._found(held, recognizer)
        if emotion is None:
            return found.figure
        if emotion not in found.heats:
            found.heats[emotion] = self._heat(recognizer, held, found, emotion)
        return with_heat(found.figure, found.heats[emotion])

    def _found(self, held: CurrentClip, recognizer: Recognizer) -> _GradCamEntry:
        key = _key(held, recognizer)
        with self._lock:
            known = self._held.get(key)
        if known is not None:
            return known
        # Others needed the room, or another model serves by now.
        bytes_of(held)
        found = analyse(self._services, held.path, recognizer=recognizer)
        return self._keep(found, recognizer)

    def _heat(
        self, recognizer: Recognizer, held: CurrentClip, found: _GradCamEntry, emotion: str
    ) -> HeatMap:
        from ser_core.inference.explain import gradcam, view
        from ui.figures import HeatMap

        if found.view is None:
            bytes_of(held)
            found.view = view(recognizer, read(self._services, held.path, recognizer))
        return HeatMap(*gradcam(recognizer, found.view, emotion))
