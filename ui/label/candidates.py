"""The clips that may be shown, in one queue; more come in as they are hashed and scored."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from label_store.candidate import Candidate, QueueSettings
from label_store.queue import LabelQueue
from ui.annotation_settings import AnnotationSettings, SettingsReader
from ui.catalogue import FIRST, Source
from ui.crowd import Crowd, CrowdReader
from ui.out_of_fold import OutOfFoldFile, Stamp
from ui.predictions import PredictionCache, known_to, out_of_sample, worthwhile
from ui.services import Services

NEEDS_MODEL = frozenset({"entropy", "margin", "bald", "label-error", "telling"})
"""Orders that depend on predictions."""


@dataclass(frozen=True, slots=True)
class QueueKnowledge:
    """How much the order of the queue knows.

    Attributes:
        strategy: the order.
        scored: clips that have a prediction, for the order by draws one with draws.
        total: all clips.
        in_training: scored clips whose speaker was, or may have been, in the training,
            and which have no out-of-fold prediction.
        suspected: clips whose label the model contradicts; only for that order.
        out_of_fold: clips with an out-of-fold prediction.
        trouble: why the out-of-fold predictions can't be used, or "".
        model: the studio's own, whose predictions order the queue, whatever a visitor chose.
    """

    strategy: str
    scored: int
    total: int
    in_training: int
    suspected: int = 0
    out_of_fold: int = 0
    trouble: str = ""
    model: str = ""


class CandidatePool:
    """All clips of one home and the queue over them.

    Args:
        services: store, catalogue, model.
        rng: mixes the clips and draws the queue's random share.
        settings: how the queue chooses.

    Attributes:
        annotation: reads what was set about annotators and gold clips.
    """

    def __init__(
        self, services: Services, rng: np.random.Generator, settings: QueueSettings
    ) -> None:
        self.services = services
        self.settings = settings
        self.sources: dict[str, Source] = {}
        self.annotation = SettingsReader(services)
        self._applied: AnnotationSettings | None = None
        self._rng = rng
        self.lock = threading.RLock()
        """Held by whoever draws from the queue, so that it is not replaced meanwhile."""
        self._queue: LabelQueue | None = None
        self._counted: object = None
        self._known = 0
        self._folds = OutOfFoldFile(services.home)
        self._folded: Stamp = None
        self._crowd = CrowdReader(services)

    def queue(self) -> LabelQueue:
        """Return the queue over all clips known now; more come in as they are hashed."""
        catalogue = self.services.catalogue
        with self.lock:
            listing = catalogue.listing()
            stamp = (id(listing), self.services.store.clips.folder.exists())
            if self._queue is None or stamp != self._counted:
                self._counted = stamp
                order = self._rng.permutation(len(listing.files))
                mixed = [listing.files[place] for place in order.tolist()]
                self._take(catalogue.hashed(mixed, FIRST))
                if len(mixed) > FIRST:
                    threading.Thread(
                        target=lambda: self._take(catalogue.hashed(mixed)), daemon=True
                    ).start()
            queue = self._queue or self._take({})
            self._apply_settings(queue)
            return queue

    def _take(self, found: dict[str, Source]) -> LabelQueue:
        kept = {one.sha256: one for one in self.services.catalogue.kept() if one.path is not None}
        predictions = PredictionCache(self.services).all()
        folded, held_out_of = self._folds.stamp(), self._folds.read().clips
        # One answer a side and corpus: thousands of clips share a few.
        unseen: dict[tuple[str, str], bool] = {}
        candidates = []
        for sha, one in (kept | found).items():
            group = (one.side, one.corpus)
            if group not in unseen:
                unseen[group] = out_of_sample(self.services, one)
            own, held_out = predictions.get(sha), held_out_of.get(sha)
            candidates.append(
                Candidate(
                    sha,
                    one.name,
                    one.corpus,
                    one.emotion,
                    own.probabilities if own else None,
                    information=own.information if own else None,
                    speaker_held_out=unseen[group],
                    out_of_fold=held_out.probabilities if held_out else None,
                    unlabelled=bool(one.corpus) and not (one.emotion or one.problem or one.segment),
                )
            )
        with self.lock:
            self._known = known_to(predictions.values(), draws=self.by_draws)
            self._folded = folded
            self.sources = kept | found
            if self._queue is None:
                store = self.services.store
                self._queue = LabelQueue(store, candidates, self._rng, self.settings)
            else:
                self._queue.replace(candidates)
            return self._queue

    def _apply_settings(self, queue: LabelQueue) -> None:
        """Follow the gold clips and the annotators' settings when they change."""
        found = self.annotation.read()
        if found is self._applied:
            return
        self._applied = found
        queue.gold = found.gold.markers()
        self.settings = replace(self.settings, gold_share=found.annotators.gold_share)
        queue.settings = self.settings
        if found.annotators.enough is None:
            queue.enough = frozenset()
        else:
            threading.Thread(target=lambda: self._rate(queue), daemon=True).start()

    # ------------------------------------------------------------------ the order

    @property
    def by_draws(self) -> bool:
        """Whether the order goes by what draws of the model differ in."""
        return self.settings.strategy == "bald"

    def choose_by(self, strategy: str) -> None:
        """Choose the coming clips in another way.

        Raises:
            StoreError: no such strategy.
        """
        queue = self.queue()
        chosen = replace(self.settings, strategy=strategy)
        if strategy == "telling":
            self._crowd.read()  # not under the lock: nobody's next clip waits for it
        with self.lock:
            self.settings = queue.settings = chosen
        self._again()
        self._rate(queue)

    def learn(self) -> None:
        """Let the order know what the models predicted since; cheap where that is little."""
        if self._queue is None:
            return
        self._rate(self._queue)
        if self.settings.strategy not in NEEDS_MODEL:
            return
        fresh = PredictionCache(self.services).count(draws=self.by_draws) - self._known
        other = self._folds.stamp() != self._folded
        if other or fresh >= worthwhile(self._known, len(self.sources)):
            self._again()

    def _rate(self, queue: LabelQueue) -> None:
        """Let the queue know what labels and model say by now, where it goes by that."""
        annotators = self.annotation.read().annotators
        if self.settings.strategy != "telling" and annotators.enough is None:
            found = Crowd()
        else:
            found = self._crowd.keep_up()
        with self.lock:
            queue.rate(found.ratings.telling, found.enough)

    def _again(self) -> None:
        with self.lock:
            found = {sha: one for sha, one in self.sources.items() if not one.sha256}
        self._take(found)

    def known(self) -> QueueKnowledge:
        """Return how much the order knows."""
        queue = self.queue()
        with self.lock:
            scored = [
                one
                for one in queue.candidates
                if one.probabilities and (one.information is not None or not self.by_draws)
            ]
            suspected = queue.known() if self.settings.strategy == "label-error" else 0
            return QueueKnowledge(
                self.settings.strategy,
                len(scored),
                len(queue.candidates),
                in_training=sum(not one.out_of_sample for one in scored),
                suspected=suspected,
                out_of_fold=sum(bool(one.out_of_fold) for one in queue.candidates),
                trouble=self._folds.trouble(),
                model=self.services.champion()["version"],
            )

    def drop(self, sha: str) -> None:
        """Show a clip to nobody any more."""
        queue = self.queue()
        with self.lock:
            self.sources.pop(sha, None)
            queue.replace([one for one in queue.candidates if one.clip != sha])
