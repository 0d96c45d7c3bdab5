"""What every tab is handed: the model that serves, the store, who is acting, the settings."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ui.identity import Identity

if TYPE_CHECKING:
    from label_store.store import LabelStore
    from ser_core.champion import Serving
    from ui.corpus_catalogue import Catalogue
    from ui.label_desk import Desk

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class AppSettings:
    """How the page was started.

    Attributes:
        home: folder of clips, labels, corpora and trained models.
        model: checkpoint that serves until a champion is promoted.
        pinned: ``model`` serves whatever is promoted (it was asked for by name).
        host, port: where the page listens.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        examples: folder of clips that the page offers to try.
        max_seconds: longest recording taken.
        max_bytes: largest upload taken.
        files_at_once: most files taken in one go.
    """

    home: Path = Path("data")
    model: Path = ROOT / "models" / "default"
    pinned: bool = False
    host: str = "127.0.0.1"
    port: int = 7860
    device: str = "auto"
    examples: Path = ROOT / "examples"
    max_seconds: float = 3600.0
    max_bytes: int = 120 * 2**20
    files_at_once: int = 200


@dataclass
class Services:
    """The parts behind the page; torch is first imported when ``serving`` is first asked for.

    Attributes:
        settings: how the page was started.
        identity: who is acting and what they may do.
    """

    settings: AppSettings
    identity: Identity = field(default_factory=Identity)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asked: float = field(default=-1e9, repr=False)

    @property
    def home(self) -> Path:
        """Folder of everything that is kept."""
        return self.settings.home

    @functools.cached_property
    def store(self) -> LabelStore:
        """The label events of this home."""
        from label_store.store import LabelStore

        return LabelStore(self.home)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The clips of this home: those of its corpora and those of the store."""
        from ui.corpus_catalogue import Catalogue

        return Catalogue(self.home, self.store)

    @functools.cached_property
    def desk(self) -> Desk:
        """Where clips are labelled; the Live tab brings its recordings to it."""
        import numpy as np

        from ui.label_desk import Desk

        return Desk(self, np.random.default_rng())

    @property
    def serving(self) -> Serving:
        """The model that serves, read again when another is promoted."""
        self._asked = time.monotonic()
        return self.resting

    @property
    def resting(self) -> Serving:
        """`serving` for work that can wait: to ask for it is not counted as somebody's question."""
        with self._lock:
            return self._serving

    def quiet_seconds(self) -> float:
        """Return how long nobody has asked for the model."""
        return time.monotonic() - self._asked

    @functools.cached_property
    def _serving(self) -> Serving:
        from ser_core.champion import Serving

        settings = self.settings
        return Serving(self.home, settings.model, settings.device, pinned=settings.pinned)

    def emotions(self) -> Sequence[str]:
        """Emotions a person may choose from, in the order used everywhere."""
        from ser_core.emotions import EMOTIONS

        return EMOTIONS

    def champion(self) -> dict[str, str]:
        """Return name, version and problem of the model that serves, without loading it."""
        from ui.champion_line import champion

        return champion(self.home, self.settings.model, self.settings.pinned)

    def warm(self) -> None:
        """Load the model and let it work once, so that the first person need not wait."""
        import numpy as np

        recognizer = self.serving.recognizer
        seconds = recognizer.specification.seconds
        noise = np.random.default_rng(0).normal(0, 0.01, (1, round(16_000 * seconds)))
        recognizer.probabilities([noise.astype(np.float32)])
