"""What the Corpus tab does, without the page: its table, corrections, the model's opinion."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from label_store import review
from label_store.corpus_table import CorpusRow, CorpusTable, Opinion, Page, Query
from label_store.event import LabelEvent, Saved
from label_store.exchange import ImportPlan, Table, plan
from label_store.fold_opinions import FoldOpinions
from ser_core.emotions import EMOTIONS, canonical
from ser_core.errors import UnknownEmotionError
from ui.analysis import PageError
from ui.corpus_catalogue import Source
from ui.identity import Annotator
from ui.label_clip import GoneError
from ui.label_folds import Folds, Stamp
from ui.label_opinions import Heard, Opinions, out_of_sample
from ui.label_pool import worthwhile
from ui.services import Services

ASK_MOST = 400
"""Most clips that the model is asked about in one go."""


class CorpusDesk:
    """The table of one home; it is made again when a corpus changes.

    Args:
        services: store, catalogue, model.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._lock = threading.RLock()
        self._table: CorpusTable | None = None
        self._listing: object = None
        self._sources: dict[tuple[str, str], Source] = {}
        self._heard = 0
        self.folds = Folds(services.home)
        self._folded: Stamp = None
        self._making = threading.Lock()

    def table(self) -> CorpusTable:
        """Return the table as the corpora and the store stand now."""
        with self._lock:
            listing = self.services.catalogue.listing()
            if self._table is None or self._listing is not listing:
                self._listing = listing
                self._sources = {source.place: source for source in listing.sources}
                threading.Thread(target=self._hash, daemon=True).start()
                return self._make(hashes=False)
            fresh = Opinions(self.services).count() - self._heard
            other = self.folds.stamp() != self._folded
            if other or fresh >= worthwhile(self._heard, len(self._sources)):
                threading.Thread(target=self._learn, daemon=True).start()
            return self._table

    def _learn(self) -> None:
        """Lay the models' latest opinions over the table; one at a time, the others let it be."""
        if self._making.acquire(blocking=False):
            try:
                self._make(hashes=False)
            finally:
                self._making.release()

    def _hash(self) -> None:
        self.services.catalogue.hashed(self._sources.values())
        with self._making:  # a table made earlier must not replace one made later
            self._make(hashes=True)

    def _make(self, *, hashes: bool) -> CorpusTable:
        catalogue = self.services.catalogue
        rows = []
        for one in list(self._sources.values()):
            sha = catalogue.hash_of(one) if hashes else catalogue.known_hash(one)
            path = str(one.path or "")
            rows.append(
                CorpusRow(one.name, one.emotion, one.corpus, sha, one.path is not None, path)
            )
        said = Opinions(self.services).all()
        folded, folds = self.folds.stamp(), self.folds.read()
        opinions = self._opinions(rows, said, folds)
        made = CorpusTable(self.services.store, rows, EMOTIONS, opinions=opinions, suspicious=0.8)
        made.refresh()
        with self._lock:
            self._table, self._heard, self._folded = made, len(said), folded
        return made

    def _opinions(
        self, rows: Sequence[CorpusRow], said: Mapping[str, Heard], folds: FoldOpinions
    ) -> dict[str, Opinion]:
        version = self.services.champion()["version"]
        state = self.services.store.state()
        # One answer a side and corpus: thousands of clips share a few.
        sides: dict[tuple[str, str], bool] = {}
        found: dict[str, Opinion] = {}
        for row in rows:
            heard, other = said.get(row.clip), folds.clips.get(row.clip)
            if heard is None and other is None:
                continue
            source = self._sources[row.corpus, row.file_name]
            group = (source.side, source.corpus)
            if group not in sides:
                sides[group] = out_of_sample(self.services, source)
            fair = sides[group]
            if heard is not None and heard.probabilities and (fair or other is None):
                shares, by = heard.probabilities, version
            elif other is not None:
                shares, by, fair = other.probabilities, folds.folds[other.fold].model, True
            else:
                continue
            votes = set(state.clip(row.clip).whole().values())
            given = votes.pop() if len(votes) == 1 else row.emotion
            best = max(shares, key=lambda name: shares[name])
            suspicion = 1.0 - shares.get(given, 0.0) if fair and given in shares else 0.0
            found[row.clip] = Opinion(best, suspicion, shares, by)
        return found

    # ------------------------------------------------------------------ reading

    def page(self, query: Query) -> Page:
        """Return one page of rows."""
        with self._lock:
            return self.table().page(query)

    def row(self, key: str) -> CorpusRow:
        """Return the row with a key.

        Raises:
            StoreError: there is none.
        """
        with self._lock:
            return self.table().row(key)

    def source(self, row: CorpusRow) -> Source:
        """Return where a row's sound is."""
        known = self._sources.get((row.corpus, row.source_name or row.file_name))
        if known is not None:
            return known
        path = self.services.store.clip_path(row.clip) if row.clip else None
        return Source(row.corpus, row.file_name, path, row.emotion, sha256=row.clip)

    def clip_of(self, row: CorpusRow) -> tuple[str, Source]:
        """Return the hash and place of a row's sound.

        Raises:
            GoneError: its file is not there.
        """
        source = self.source(row)
        sha = row.clip or self.services.catalogue.hash_of(source)
        if not sha:
            raise GoneError(
                f"{row.file_name}: the file is missing, so there is nothing to play. Put it back "
                "under its corpus, or rename the row to the file that is there."
            )
        return sha, source

    # ------------------------------------------------------------------ writing

    def correct(
        self, who: Annotator, session: str, key: str, head: str | None, *,
        emotion: str = "", file_name: str = "",
    ) -> list[Saved]:  # fmt: skip
        """Correct a row's emotion or its name, everywhere.

        Args:
            who, session: who, in which sitting.
            key: the row.
            head: the row's latest change as it was shown.
            emotion, file_name: what it is to be; "" = as it is.

        Raises:
            PageError: the person may not.
            StoreError: the row was changed meanwhile, the value makes no sense, or the disk did
                not take it; nothing was saved.
        """
        _may_write(who)
        emotion = canonical(emotion) if emotion else ""
        with self._lock:
            row = self.row(key)
            sha = self._keep(row)
            if row.clip or not sha:
                return self.table().correct(
                    key, who.name, emotion=emotion, file_name=file_name, session=session,
                    expect=head,
                )  # fmt: skip
            events = []
            if file_name and file_name != row.file_name:
                events.append(_event(row, sha, who, session, "rename", file_name=file_name))
            if emotion and emotion != row.emotion:
                events.append(_event(row, sha, who, session, "label", emotion=emotion))
            return self.services.store.append_many(events, label="table", expect={sha: head})

    def _keep(self, row: CorpusRow) -> str:
        """Keep the row's bytes in the store; return their hash, "" where the file is missing."""
        path = self.source(row).path
        if path is None:
            return ""
        try:
            data = path.read_bytes()
        except OSError:  # gone meanwhile: the row can still be corrected under its name
            return ""
        return self.services.store.keep_clip(data, path.suffix or ".wav")

    def accept(self, who: Annotator, session: str, keys: Sequence[str]) -> int:
        """Take the model's opinion over for rows that were looked at; return how many.

        Raises:
            PageError: the person may not, or no row is ticked.
            StoreError: a row was changed since or has no opinion; nothing was saved.
        """
        _may_write(who)
        if not keys:
            raise PageError("Tick the rows that you have looked at first.")
        with self._lock:
            for key in keys:
                self._keep(self.row(key))
            return len(self.table().accept_opinions(keys, who.name, session=session))

    def settle(self, who: Annotator, session: str, keys: Sequence[str], *, take: bool) -> int:
        """Take visitors' suggestions over, or turn them down; return how many.

        Raises:
            PageError: the person may not, or no ticked row has a suggestion.
            StoreError: one of them does not wait any more; nothing was saved.
        """
        _may_write(who)
        state = self.services.store.state()
        waiting = [
            entry.event_id
            for key in keys
            for entry in state.clip(self.row(key).clip or key).suggestions
        ]
        if not waiting:
            raise PageError("None of the ticked rows has a suggestion that waits for a review.")
        decide = review.accept if take else review.reject
        return len(decide(self.services.store, waiting, who.name, session=session))

    def ask_model(
        self, who: Annotator, query: Query, progress: Callable[[int, int], None]
    ) -> tuple[int, list[str]]:
        """Let the model judge the rows that a query finds, as many as go at once.

        Returns:
            How many were judged, and a sentence for each that could not be.

        Raises:
            PageError: the person may not.
            SerError: there is no model.
        """
        _may_write(who)
        known = Opinions(self.services).all()
        found: list[tuple[str, Source]] = []
        at = 0
        while len(found) < ASK_MOST:
            page = self.page(replace(query, page=at, size=1000))
            for row in page.rows:
                source = self.source(row)
                sha = row.clip or self.services.catalogue.hash_of(source)
                if sha and sha not in known:
                    found.append((sha, source))
            at += 1
            if at >= page.pages:
                break
        chosen = found[:ASK_MOST]
        result = Opinions(self.services).ask(chosen, lambda done: progress(done, len(chosen)))
        self._make(hashes=False)
        return result

    def plan(self, who: Annotator, table: Table) -> ImportPlan:
        """Work out what an import would change; nothing is saved.

        Raises:
            PageError: the person may not.
        """
        _may_write(who)
        self.table()
        by_name: dict[str, list[Source]] = {}
        for source in self._sources.values():
            for name in {source.name, source.name.rpartition("/")[2]}:
                by_name.setdefault(name, []).append(source)
        # A table names files without their folder; where one row alone fits, that is meant.
        named = []
        for row in table.rows:
            found = by_name.get(row.file_name, [])
            if len(found) == 1 and not row.clip:
                row = replace(row, file_name=found[0].name, corpus=row.corpus or found[0].corpus)
            named.append(row)

        def resolve(name: str) -> str | None:
            found = by_name.get(name, [])
            return self.services.catalogue.hash_of(found[0]) or None if len(found) == 1 else None

        return plan(
            self.services.store, replace(table, rows=tuple(named)), who.name, canonical,
            refusal=UnknownEmotionError, resolve=resolve,
        )  # fmt: skip


def _may_write(who: Annotator) -> None:
    if not who.may_write:
        raise PageError(who.reason or "Only those who may write can change the table.")


def _event(
    row: CorpusRow, sha: str, who: Annotator, session: str, action: str, *,
    emotion: str = "", file_name: str = "",
) -> LabelEvent:  # fmt: skip
    return LabelEvent(
        action=action,
        annotator=who.name,
        session=session,
        clip=sha,
        file_name=file_name or row.source_name,
        former_name=row.source_name if action == "rename" else "",
        corpus=row.corpus,
        emotion=emotion,
    )
