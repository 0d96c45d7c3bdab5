"""The stretch of a live recording that a person asks for, and its way to the Label tab."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ui.catalogue import Source
from ui.errors import PageError
from ui.identity import Annotator
from ui.live.session import KEPT, SHOWN, LiveSession
from ui.services import Services

STRETCHES: dict[str, float] = {"5 s": 5.0, "10 s": SHOWN, "30 s": 30.0, "all": KEPT}
"""How much of the sound, counted back from its end, a person may take."""

USUAL = "10 s"


@dataclass(frozen=True)
class Recording:
    """A stretch of sound.

    Attributes:
        samples: int16 ``[time]``, which Gradio leaves as loud as it is.
        rate: hertz.
        start, end: seconds since listening began.
    """

    samples: npt.NDArray[np.int16] = field(repr=False)
    rate: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    @property
    def name(self) -> str:
        """What it is called in the table of labels."""
        return f"live recording, {self.start:.0f} to {self.end:.0f} s.wav"


def recorded(session: LiveSession | None, stretch: str) -> Recording:
    """Return the stretch that a person asks for.

    Args:
        session: theirs, or None where nothing was heard.
        stretch: a key of ``STRETCHES``.

    Raises:
        PageError: nothing was heard, or no such stretch.
    """
    if session is None:
        raise PageError("Nothing was heard yet. Press Start and speak first.")
    if stretch not in STRETCHES:
        raise PageError(f"Choose one of {', '.join(STRETCHES)}.")
    sound, end = session.recording(STRETCHES[stretch])
    samples = np.rint(sound[0] * 32767).astype(np.int16)
    return Recording(samples, session.rate, end - len(samples) / session.rate, end)


class RecordingHandover:
    """Recordings that wait on the Label tab: one a page, gone with the page.

    They lie in a temporary folder that belongs to this process; a label copies the sound into
    the store, and nothing else does.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="live-")
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()

    def bring(self, services: Services, page: str, recording: Recording, who: Annotator) -> Source:
        """Let a recording wait on the Label tab of this page.

        Args:
            services: the handover to the Label tab.
            page: its session.
            recording: what the person chose.
            who: from ``Identity.annotator``, asked for this very request.

        Raises:
            PageError: the person may not label.
        """
        from ser_core.audio import to_wav_bytes

        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        sound: Any = recording.samples[None].astype(np.float32) / 32767
        data = to_wav_bytes(sound, recording.rate)
        sha = hashlib.sha256(data).hexdigest()
        self.drop(services, page)
        path = self._path(page)
        path.write_bytes(data)
        with self._lock:
            self._held[page] = sha
        source = Source("", recording.name, path, sha256=sha)
        services.handover.put(page, source)
        return source

    def drop(self, services: Services, page: str) -> None:
        """Delete what waits for a page, and take it off its Label tab."""
        with self._lock:
            sha = self._held.pop(page, None)
        if sha is not None:
            self._path(page).unlink(missing_ok=True)
            services.handover.drop(page, sha)

    def _path(self, page: str) -> Path:
        return Path(self._folder.name) / f"{hashlib.sha256(page.encode()).hexdigest()}.wav"
