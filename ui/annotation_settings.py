"""Whose labels train and which clips are gold, read again when their files change."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from label_store.annotators import FILE as ANNOTATORS_FILE
from label_store.annotators import AnnotatorSettings, read_annotator_settings
from label_store.errors import StoreError
from label_store.gold import FILE as GOLD_FILE
from label_store.gold import Gold, read_gold
from ser_core.emotions import canonical
from ser_core.errors import UnknownEmotionError
from ui.catalogue import Source
from ui.services import Services


@dataclass(frozen=True)
class AnnotationSettings:
    """What was set about annotators and gold clips.

    Attributes:
        annotators: whose labels train, and the share of gold clips.
        gold: the gold clips.
        problems: what can't be used of either file, in sentences.
    """

    annotators: AnnotatorSettings = field(default_factory=AnnotatorSettings)
    gold: Gold = field(default_factory=lambda: Gold({}))
    problems: tuple[str, ...] = ()


class SettingsReader:
    """Reads the settings of one home again when a file or the clips change.

    Args:
        services: store and catalogue.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._stamp: object = None
        self._settings = AnnotationSettings()

    def read(self) -> AnnotationSettings:
        """Return the settings as the files stand now."""
        store = self._services.store
        # Gold clips are found by name, so that the clips themselves count too.
        stamp = (
            *(_changed(store.folder / name) for name in (GOLD_FILE, ANNOTATORS_FILE)),
            id(self._services.catalogue.listing()),
            store.clips.folder.exists(),
        )
        with self._lock:
            if stamp == self._stamp:
                return self._settings
        # Without the lock: this asks the store, and whoever holds the store may ask here.
        found = read_settings(self._services)
        with self._lock:
            self._settings, self._stamp = found, stamp
        return found


def read_settings(services: Services) -> AnnotationSettings:
    """Return the settings of a home; a file that can't be used becomes a sentence."""
    folder = services.store.folder
    problems: list[str] = []
    try:
        annotators = read_annotator_settings(folder)
    except StoreError as error:
        annotators = AnnotatorSettings()
        problems.append(str(error))
    try:
        gold = read_gold(
            services.store,
            canonical,
            refusal=UnknownEmotionError,
            resolve=ClipLookup(services).hash_of,
        )
    except StoreError as error:
        gold = Gold({}, (str(error),))
    return AnnotationSettings(annotators, gold, (*problems, *gold.problems))


def read_annotators(services: Services) -> AnnotatorSettings:
    """Return what was set about annotators; the defaults where the file can't be used."""
    try:
        return read_annotator_settings(services.store.folder)
    except StoreError:  # `read_settings` says so where it is set
        return AnnotatorSettings()


class ClipLookup:
    """Finds the one clip that a table's file name means."""

    def __init__(self, services: Services) -> None:
        self._catalogue = services.catalogue
        self._found: defaultdict[str, list[Source]] = defaultdict(list)
        for source in (*services.catalogue.listing().files, *services.catalogue.kept()):
            for name in {source.name, source.name.rpartition("/")[2]}:
                self._found[name].append(source)

    def hash_of(self, file_name: str, corpus: str = "") -> str:
        """Return the hash of the clip that is meant, "" where none or several could be."""
        found = [one for one in self._found.get(file_name, []) if corpus in {"", one.corpus}]
        return self._catalogue.hash_of(found[0]) if len(found) == 1 else ""


def _changed(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # not there: nothing was set
        return None
    return found.st_mtime_ns, found.st_size
