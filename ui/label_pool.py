"""The clips that may be shown, in one queue; more come in as they are hashed and judged."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from label_store.errors import StoreError
from label_store.gold import FILE as GOLD_FILE
from label_store.gold import Gold, read_gold
from label_store.people import FILE as PEOPLE_FILE
from label_store.people import People, read_people
from label_store.queue import Candidate, LabelQueue, QueueSettings
from ser_core.emotions import canonical
from ser_core.errors import UnknownEmotionError
from ui.corpus_catalogue import FIRST, Source
from ui.label_folds import Folds, Stamp
from ui.label_opinions import Opinions, out_of_sample
from ui.services import Services

NEEDS_MODEL = frozenset({"entropy", "margin", "bald", "label-error"})
"""Orders that depend on what the model said."""


@dataclass(frozen=True, slots=True)
class Known:
    """How much the order of the queue knows.

    Attributes:
        strategy: the order.
        judged: clips that the model has judged.
        total: all clips.
        in_training: judged clips whose speaker the model heard, or may have heard, in training,
            and of which no other model has an opinion.
        suspected: clips whose label the model contradicts; only for that order.
        unheard: clips that a model of speaker folds judges, which never heard their speaker.
        trouble: why the opinions of speaker folds can't be used, or "".
    """

    strategy: str
    judged: int
    total: int
    in_training: int
    suspected: int = 0
    unheard: int = 0
    trouble: str = ""


class Pool:
    """All clips of one home and the queue over them.

    Args:
        services: store, catalogue, model.
        rng: mixes the clips and draws the queue's random share.
        settings: how the queue chooses.
    """

    def __init__(
        self, services: Services, rng: np.random.Generator, settings: QueueSettings
    ) -> None:
        self.services = services
        self.settings = settings
        self.sources: dict[str, Source] = {}
        self.gold = Gold({})
        self.people = People()
        self.problems: tuple[str, ...] = ()
        """What can't be used of the gold clips or the list of people, in sentences."""
        self._rng = rng
        self.lock = threading.RLock()
        """Held by whoever draws from the queue, so that it is not replaced meanwhile."""
        self._queue: LabelQueue | None = None
        self._counted: object = None
        self._marked: object = None
        self._heard = 0
        self._folds = Folds(services.home)
        self._folded: Stamp = None

    def queue(self) -> LabelQueue:
        """Return the queue over all clips known now; more come in as they are hashed."""
        catalogue = self.services.catalogue
        with self.lock:
            listing = catalogue.listing()
            stamp = (id(listing), self.services.store.clips.folder.exists())
            if self._queue is None or stamp != self._counted:
                self._counted = stamp
                order = self._rng.permutation(len(listing.sources))
                mixed = [listing.sources[place] for place in order.tolist()]
                self._take(catalogue.hashed(mixed, FIRST))
                if len(mixed) > FIRST:
                    threading.Thread(
                        target=lambda: self._take(catalogue.hashed(mixed)), daemon=True
                    ).start()
            queue = self._queue or self._take({})
            self._mark(queue)
            return queue

    def _take(self, found: dict[str, Source]) -> LabelQueue:
        kept = {one.sha256: one for one in self.services.catalogue.kept() if one.path is not None}
        said = Opinions(self.services).all()
        folded, unheard = self._folds.stamp(), self._folds.read().clips
        # One answer a side and corpus: thousands of clips share a few.
        fair: dict[tuple[str, str], bool] = {}
        candidates = []
        for sha, one in (kept | found).items():
            group = (one.side, one.corpus)
            if group not in fair:
                fair[group] = out_of_sample(self.services, one)
            heard, other = said.get(sha), unheard.get(sha)
            candidates.append(
                Candidate(
                    sha,
                    one.name,
                    one.corpus,
                    one.emotion,
                    heard.probabilities if heard else None,
                    information=heard.information if heard else None,
                    fair=fair[group],
                    unheard=other.probabilities if other else None,
                )
            )
        with self.lock:
            self._heard, self._folded = len(said), folded
            self.sources = kept | found
            if self._queue is None:
                store = self.services.store
                self._queue = LabelQueue(store, candidates, self._rng, self.settings)
            else:
                self._queue.replace(candidates)
            return self._queue

    def _mark(self, queue: LabelQueue) -> None:
        """Follow the gold clips and the people's settings when their files or the clips change."""
        folder = self.services.store.folder
        stamp = (*(_changed(folder / name) for name in (GOLD_FILE, PEOPLE_FILE)), self._counted)
        if stamp == self._marked:
            return
        self._marked = stamp
        problems: list[str] = []
        try:
            self.people = read_people(folder)
        except StoreError as error:
            self.people = People()
            problems.append(str(error))
        try:
            self.gold = read_gold(
                self.services.store,
                canonical,
                refusal=UnknownEmotionError,
                resolve=Names(self.services).hash_of,
            )
        except StoreError as error:
            self.gold = Gold({}, (str(error),))
        self.problems = (*problems, *self.gold.problems)
        queue.gold = self.gold.markers()
        self.settings = replace(self.settings, gold_share=self.people.gold_share)
        queue.settings = self.settings

    # ------------------------------------------------------------------ the order

    def choose_by(self, strategy: str) -> None:
        """Choose the coming clips in another way.

        Raises:
            StoreError: no such strategy.
        """
        queue = self.queue()
        with self.lock:
            self.settings = replace(self.settings, strategy=strategy)
            queue.settings = self.settings
        self._again()

    def learn(self) -> None:
        """Let the order know what the models said since; cheap where that is little."""
        if self._queue is None or self.settings.strategy not in NEEDS_MODEL:
            return
        fresh = Opinions(self.services).count() - self._heard
        other = self._folds.stamp() != self._folded
        if other or fresh >= worthwhile(self._heard, len(self.sources)):
            self._again()

    def _again(self) -> None:
        with self.lock:
            found = {sha: one for sha, one in self.sources.items() if not one.sha256}
        self._take(found)

    def known(self) -> Known:
        """Return how much the order knows."""
        queue = self.queue()
        with self.lock:
            judged = [one for one in queue.candidates if one.probabilities]
            suspected = queue.known() if self.settings.strategy == "label-error" else 0
            return Known(
                self.settings.strategy,
                len(judged),
                len(queue.candidates),
                in_training=sum(not one.out_of_sample for one in judged),
                suspected=suspected,
                unheard=sum(bool(one.unheard) for one in queue.candidates),
                trouble=self._folds.trouble(),
            )

    def drop(self, sha: str) -> None:
        """Show a clip to nobody any more."""
        queue = self.queue()
        with self.lock:
            self.sources.pop(sha, None)
            queue.replace([one for one in queue.candidates if one.clip != sha])


def worthwhile(known: int, total: int) -> int:
    """Return how many new opinions are worth to order everything anew.

    >>> worthwhile(0, 40), worthwhile(0, 50_000), worthwhile(20_000, 50_000)
    (1, 250, 1000)
    """
    return max(1, total // 200, known // 20)


class Names:
    """Finds the one clip that a table's file name means."""

    def __init__(self, services: Services) -> None:
        self._catalogue = services.catalogue
        self._found: defaultdict[str, list[Source]] = defaultdict(list)
        for source in (*services.catalogue.listing().sources, *services.catalogue.kept()):
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
