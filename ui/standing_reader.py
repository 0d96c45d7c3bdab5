"""Which labels will train, by the trainer's own rules; asked by the page after every label."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from label_store.annotators import FILE as ANNOTATORS_FILE
from label_store.errors import StoreError
from label_store.store import LabelStore
from ser_core.errors import SerError
from ui.catalogue import Catalogue
from ui.language import say, translated

if TYPE_CHECKING:
    from trainer.data.standing import CorpusSides, LabelStanding


class StandingReader:
    """What becomes of the labels of one home in the next run; computed when something changed.

    Args:
        home: SER_HOME.
        model: the checkpoint that serves until a champion is promoted.
        store: the labels.
        catalogue: the corpora.
    """

    def __init__(self, home: Path, model: Path, store: LabelStore, catalogue: Catalogue) -> None:
        self._home, self._model = home, model
        self._store, self._catalogue = store, catalogue
        self._lock = threading.Lock()
        self._listing: object = None
        self._corpora: CorpusSides | None = None
        self._stamp: object = None
        self._standing: LabelStanding | None = None

    def read(self) -> LabelStanding:
        """Return what becomes of all labels.

        Raises:
            StoreError: the list of trusted annotators is damaged.
            SerError: the model that serves can't be read.
        """
        corpora = self.corpora()
        people = self._store.folder / ANNOTATORS_FILE
        changed = people.stat().st_mtime_ns if people.exists() else 0
        stamp = (id(corpora), len(self._store.state()), changed, self._champion())
        with self._lock:
            if self._standing is None or stamp != self._stamp:
                self._standing, self._stamp = self._of(corpora, None), stamp
            return self._standing

    def sentence(self, key: str) -> str:
        """Return why the label of one clip will not train, as a sentence; "" where it will.

        Args:
            key: the clip's key.
        """
        try:
            found = self._of(self.corpora(), [key])
        except (StoreError, SerError):  # said where the count stands; the label itself is saved
            return ""
        return "".join(
            f" {say('It will not train: {reason}.', reason=translated(reason))}"
            for reason in found.left_out
        )

    def corpora(self) -> CorpusSides:
        """Return where the corpora's files are and on which side each trains."""
        from trainer.data.standing import CorpusSides

        listing = self._catalogue.listing()
        with self._lock:
            if self._corpora is None or self._listing is not listing:
                self._corpora, self._listing = CorpusSides.of(listing.readings), listing
            return self._corpora

    def _of(self, corpora: CorpusSides, keys: Collection[str] | None) -> LabelStanding:
        from trainer.data.standing import standing

        return standing(self._store, corpora, self._emotions(), keys=keys)

    def _emotions(self) -> Collection[str]:
        from ser_core.checkpoints.specification import Specification

        text = (self._champion() / "specification.json").read_text(encoding="utf-8")
        return Specification.from_json(text).emotions

    def _champion(self) -> Path:
        from ser_core.checkpoints.champion import champion_folder

        return champion_folder(self._home, self._model)
