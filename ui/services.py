"""What every tab is handed: the model that serves, the store, who is acting, the settings."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from label_store.sync.settings import SyncSettings
from ui.handover import Handover
from ui.identity import Identity

if TYPE_CHECKING:
    from label_store.store import LabelStore
    from label_store.sync import Syncer
    from label_store.voices import KeptVoices
    from ser_core.checkpoints.champion import Serving
    from ser_core.inference.long_clips import LongClips
    from ser_core.inference.recognizer import Recognizer
    from ui.catalogue import Catalogue
    from ui.own_voice import OwnVoices
    from ui.served_models import ServedModels
    from ui.standing_reader import StandingReader
    from ui.suggestion_limits import SuggestionLimits

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class AppSettings:
    """How the page was started.

    Attributes:
        home: folder of clips, labels, corpora and trained models.
        model: checkpoint that serves until a champion is promoted.
        pinned: ``model`` serves whatever is promoted (it was asked for by name).
        shipped: folder of the models that came with the studio; visitors may choose any of them.
        host, port: where the page listens.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        examples: folder of clips that the page offers to try.
        max_seconds: longest recording taken.
        max_bytes: largest upload taken.
        files_at_once: most files taken in one go.
        sync: where labels are kept beside this home.
        keep_days: days after which a recording of no corpus that nobody works on is deleted;
            None = never.
        mcp: whether the API's endpoints are tools of a Model Context Protocol server too.
    """

    home: Path = Path("data")
    model: Path = ROOT / "models" / "default"
    pinned: bool = False
    shipped: Path = ROOT / "models"
    host: str = "127.0.0.1"
    port: int = 7860
    device: str = "auto"
    examples: Path = ROOT / "examples"
    max_seconds: float = 3600.0
    max_bytes: int = 120 * 2**20
    files_at_once: int = 200
    sync: SyncSettings = field(default_factory=SyncSettings)
    mcp: bool = False
    keep_days: float | None = None


CLIPS_AT_ONCE = 16
"""Requests that one kind of listener works on at once. They take turns at the network, and long
ones are prepared one by one, so that this many do not fight for the cores."""


@dataclass
class Services:
    """The parts behind the page; torch is first imported when ``serving`` is first asked for.

    Attributes:
        settings: how the page was started.
        identity: who is acting and what they may do.
        ahead: what tabs want made before somebody opens them, once the page answers.
    """

    settings: AppSettings
    identity: Identity = field(default_factory=Identity)
    ahead: list[Callable[[], object]] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asked: float = field(default=-1e9, repr=False)

    @property
    def home(self) -> Path:
        """Folder of everything that is kept."""
        return self.settings.home

    @functools.cached_property
    def long_clips(self) -> LongClips:
        """Whose turn it is among those who sent long clips."""
        from ser_core.inference.long_clips import LongClips

        return LongClips()

    @functools.cached_property
    def suggestion_limits(self) -> SuggestionLimits:
        """How much visitors may leave behind."""
        from ui.suggestion_limits import SuggestionLimits

        return SuggestionLimits(self.home)

    @functools.cached_property
    def store(self) -> LabelStore:
        """The label events of this home."""
        from label_store.store import LabelStore

        return LabelStore(self.home)

    @functools.cached_property
    def syncer(self) -> Syncer | None:
        """What keeps the store in step with the place that the settings name; None without one.

        Raises:
            SyncError: the address names no place, or what it needs is not installed.
        """
        from label_store.sync.settings import make_syncer

        return make_syncer(self.store, self.settings.sync) if self.settings.sync.address else None

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The clips of this home: those of its corpora and those of the store."""
        from ui.catalogue import Catalogue

        return Catalogue(self.home, self.store)

    @functools.cached_property
    def standing(self) -> StandingReader:
        """Which labels will train, and why the others will not."""
        from ui.standing_reader import StandingReader

        return StandingReader(self.home, self.settings.model, self.store, self.catalogue)

    @functools.cached_property
    def handover(self) -> Handover:
        """Clips on their way from another tab to the Label tab."""
        return Handover()

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
        from ser_core.checkpoints.champion import Serving

        settings = self.settings
        return Serving(self.home, settings.model, settings.device, pinned=settings.pinned)

    @property
    def models(self) -> ServedModels:
        """The models that visitors may choose from."""
        with self._lock:
            return self._models

    @functools.cached_property
    def _models(self) -> ServedModels:
        from ui.served_models import ServedModels

        return ServedModels(self._serving, self.settings.shipped)

    @functools.cached_property
    def kept_voices(self) -> KeptVoices:
        """The voices of named speakers that somebody asked to keep."""
        from label_store.voices import KeptVoices

        return KeptVoices(self.home)

    @property
    def own_voices(self) -> OwnVoices:
        """The voices of visitors whose page is open."""
        with self._lock:
            return self._own_voices

    @functools.cached_property
    def _own_voices(self) -> OwnVoices:
        from ui.own_voice import OwnVoices

        return OwnVoices()

    def recognizer(self, model: str = "", page: str | None = None) -> Recognizer:
        """Return the model that a visitor chose; asking counts as somebody's question.

        Args:
            model: see `ServedModels.get`; "" is the one that serves.
            page: the visitor's page, to hear relative to its own voice where it has one.

        Raises:
            CheckpointError: there is no such model here, or it can't be read.
        """
        self._asked = time.monotonic()
        found = self.models.get(model)
        return self.own_voices.relative(page, found) if page else found

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
        waveform, lengths = recognizer.pipeline().batch([noise.astype(np.float32)])
        recognizer.runtime(waveform, lengths)
