"""What labels and model together say of the clips, kept up to date off the labelling path."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from label_store.annotators import FILE as ANNOTATORS_FILE
from label_store.crowd import CrowdRatings, rate_clips, whole_annotations
from label_store.errors import StoreError
from label_store.trust import Trust, who_counts
from ui.annotation_settings import read_annotators
from ui.catalogue import Source
from ui.out_of_fold import OutOfFoldFile
from ui.predictions import PredictionCache, out_of_sample
from ui.services import Services

REST: Final = 9.0
"""How many times as long as it worked it rests, while somebody labels: a tenth of one core."""


@dataclass(frozen=True)
class Crowd:
    """What is known of all clips of a home.

    Attributes:
        ratings: how much a label of each would tell, and how certain its consensus is.
        enough: clips that have enough labels; none where nobody asked for a level.
        level: from which certainty on that is so, 0..1; None = not asked.
        total: clips that could be labelled.
    """

    ratings: CrowdRatings = field(default_factory=CrowdRatings)
    enough: frozenset[str] = frozenset()
    level: float | None = None
    total: int = 0


@dataclass
class _Held:
    """What was computed last for one home, and how long that took."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    crowd: Crowd = field(default_factory=Crowd)
    stamp: object = None
    finished: float = -1e9
    spent: float = 0.0


_HELD: dict[Path, _Held] = {}
_LOCK = threading.Lock()


class CrowdReader:
    """The ratings of one home, shared by all who read them.

    Args:
        services: store, clips, predictions.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._folds = OutOfFoldFile(services.home)
        with _LOCK:
            self._held = _HELD.setdefault(services.home, _Held())

    def read(self) -> Crowd:
        """Return what is known now; where something changed it is computed first."""
        with self._held.lock:
            self._compute()
            return self._held.crowd

    def asked(self) -> bool:
        """Say whether somebody set from when on a clip has enough labels."""
        return read_annotators(self._services).enough is not None

    def keep_up(self) -> Crowd:
        """Return what is known, computed anew where that is due and nobody else does it.

        Between two computations it rests, so that labelling stays quick however many clips
        there are: a few clips are rated after every label, 20,000 of them every half minute.
        """
        held = self._held
        if held.lock.acquire(blocking=False):
            try:
                if time.monotonic() - held.finished >= REST * held.spent:
                    self._compute()
            finally:
                held.lock.release()
        return held.crowd

    def _compute(self) -> None:
        held, stamp = self._held, self._stamp()
        if stamp == held.stamp:
            return
        begun = time.monotonic()
        held.crowd, held.stamp = self._rated(), stamp
        held.finished = time.monotonic()
        held.spent = held.finished - begun

    def _stamp(self) -> object:
        services = self._services
        people = services.store.folder / ANNOTATORS_FILE
        predictions = PredictionCache(services)
        return (
            len(services.store.state()),
            people.stat().st_mtime_ns if people.exists() else 0,
            id(services.catalogue.listing()),
            (predictions.path, predictions.count()),
            self._folds.stamp(),
        )

    def _rated(self) -> Crowd:
        services = self._services
        level = read_annotators(services).enough
        try:
            trusted = who_counts(services.store)
        except StoreError:  # said where annotators are set; nobody's labels are thrown out for it
            trusted = Trust()
        annotations = whole_annotations(services.store.state(), trusted.counts)
        clips, unread = self._clips()
        ratings = rate_clips(
            {clip: given for clip, given in annotations.items() if clip in clips},
            self._predictions(clips, annotations),
        )
        return Crowd(ratings, ratings.certain(level), level, len(clips) + unread)

    def _clips(self) -> tuple[dict[str, Source], int]:
        """Return the clips by hash, and how many were never read, so that none is known of them."""
        catalogue = self._services.catalogue
        clips: dict[str, Source] = {}
        unread = 0
        for one in (*catalogue.kept(), *catalogue.listing().sources):
            sha = catalogue.known_hash(one) if one.path is not None else ""
            if sha:
                clips.setdefault(sha, one)
            unread += one.path is not None and not sha
        return clips, unread

    def _predictions(
        self, clips: Mapping[str, Source], annotations: Mapping[str, Any]
    ) -> dict[str, Mapping[str, float]]:
        """Return the predictions by models that did not learn the clips' labels.

        Of a clip without any label no model can have learned one.
        """
        own, held_out = PredictionCache(self._services).all(), self._folds.read().clips
        unseen: dict[tuple[str, str], bool] = {}
        found: dict[str, Mapping[str, float]] = {}
        for sha, one in clips.items():
            if sha in held_out:
                found[sha] = held_out[sha].probabilities
                continue
            group = (one.side, one.corpus)
            if group not in unseen:
                unseen[group] = out_of_sample(self._services, one)
            labelled = bool(one.emotion) or sha in annotations
            if sha in own and own[sha].probabilities and (unseen[group] or not labelled):
                found[sha] = own[sha].probabilities
        return found
