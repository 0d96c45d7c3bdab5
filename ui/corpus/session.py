"""What the Corpus tab does, without the page: its table, corrections, the model's predictions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from label_store import review
from label_store.corpus_rows import CorpusRow, RowPrediction, TablePage, TableQuery, row_event
from label_store.corpus_table import CorpusTable
from label_store.event import Saved
from label_store.exchange import ImportPlan, LabelRow, LabelTable, Located, RowProblem, plan
from label_store.fold import WHOLE
from label_store.out_of_fold import OutOfFoldPredictions
from ser_core.audio.length import ended_by
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.corpora.tables.names import NoMatch
from ser_core.corpora.tables.words import read_mapping, read_word
from ser_core.emotions import EMOTIONS, canonical
from ser_core.errors import UnknownEmotionError
from ser_core.home import Home
from ui.catalogue import Source
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.out_of_fold import OutOfFoldFile, Stamp
from ui.predictions import ClipPrediction, PredictionCache, out_of_sample, worthwhile
from ui.services import Services

OF_THE_LABEL = frozenset(
    {"unknown-emotion", "other-emotion", "conflicting-duplicate", "unlisted", "no-emotion"}
)
"""Kinds of problems of a row that a label by a person ends."""

ASK_MOST = 400
"""Most clips that the model is asked about in one go."""


class CorpusTableService:
    """The table of one home; it is made again when a corpus changes.

    Args:
        services: store, catalogue, model.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._lock = threading.RLock()
        self._table: CorpusTable | None = None
        self._listing: object = None
        self._sources: tuple[Source, ...] = ()
        self._files: dict[tuple[str, str], Source] = {}
        self._parts: dict[tuple[str, str, float | None, float | None], Source] = {}
        self._known = 0
        self.folds = OutOfFoldFile(services.home)
        self._folded: Stamp = None
        self._making = threading.Lock()

    def table(self) -> CorpusTable:
        """Return the table as the corpora and the store stand now."""
        with self._lock:
            listing = self.services.catalogue.listing()
            if self._table is None or self._listing is not listing:
                self._listing = listing
                self._sources = listing.sources
                self._files = {one.place: one for one in listing.files}
                self._parts = {(*one.place, one.start, one.end): one for one in listing.sources}
                threading.Thread(target=self._hash, daemon=True).start()
                return self._make(hashes=False)
            fresh = PredictionCache(self.services).count() - self._known
            held_out = self.folds.stamp() != self._folded
            if held_out or fresh >= worthwhile(self._known, len(self._files)):
                threading.Thread(target=self._learn, daemon=True).start()
            return self._table

    def _learn(self) -> None:
        """Bring the latest predictions into the table; one thread at a time does."""
        if self._making.acquire(blocking=False):
            try:
                self._make(hashes=False)
            finally:
                self._making.release()

    def _hash(self) -> None:
        self.services.catalogue.hashed(self._files.values())
        with self._making:  # a table made earlier must not replace one made later
            self._make(hashes=True)

    def _make(self, *, hashes: bool) -> CorpusTable:
        catalogue = self.services.catalogue
        rows = []
        for one in self._sources:
            sha = catalogue.hash_of(one) if hashes else catalogue.known_hash(one)
            path = str(one.path or "")
            rows.append(
                CorpusRow(
                    one.name, one.emotion, one.corpus, sha, one.path is not None, path,
                    start=one.start, end=one.end,
                )
            )  # fmt: skip
        predictions = PredictionCache(self.services).all()
        folded, folds = self.folds.stamp(), self.folds.read()
        row_predictions = self._row_predictions(rows, predictions, folds)
        made = CorpusTable(
            self.services.store, rows, EMOTIONS, predictions=row_predictions, suspicious=0.8
        )
        made.refresh()
        with self._lock:
            self._table, self._known, self._folded = made, len(predictions), folded
        return made

    def _row_predictions(
        self,
        rows: Sequence[CorpusRow],
        predictions: Mapping[str, ClipPrediction],
        folds: OutOfFoldPredictions,
    ) -> dict[str, RowPrediction]:
        version = self.services.champion()["version"]
        state = self.services.store.state()
        # One answer a side and corpus: thousands of clips share a few.
        sides: dict[tuple[str, str], bool] = {}
        found: dict[str, RowPrediction] = {}
        for row in rows:
            own, held_out = predictions.get(row.clip), folds.clips.get(row.clip)
            if row.span != WHOLE or (own is None and held_out is None):
                continue
            source = self._files[row.corpus, row.file_name]
            group = (source.side, source.corpus)
            if group not in sides:
                sides[group] = out_of_sample(self.services, source)
            unseen = sides[group]
            if own is not None and own.probabilities and (unseen or held_out is None):
                shares, by = own.probabilities, version
            elif held_out is not None:
                shares, by, unseen = held_out.probabilities, folds.folds[held_out.fold].model, True
            else:
                continue
            emotions = set(state.clip(row.clip).whole().values())
            given = emotions.pop() if len(emotions) == 1 else row.emotion
            best = max(shares, key=lambda name: shares[name])
            suspicion = 1.0 - shares.get(given, 0.0) if unseen and given in shares else 0.0
            found[row.clip] = RowPrediction(best, suspicion, shares, by)
        return found

    # ------------------------------------------------------------------ reading

    def page(self, query: TableQuery) -> TablePage:
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
        name = row.source_name or row.file_name
        known = self._parts.get((row.corpus, name, row.start, row.end))
        if known is None and (there := self._files.get((row.corpus, name))) is not None:
            known = replace(there, emotion="", problem="", kind="", start=row.start, end=row.end)
        if row.file and (there := self._files.get((row.corpus, row.file))) is not None:
            # Its name was corrected to that of a file that is there.
            emotion = known.emotion if known is not None else ""
            return replace(there, emotion=emotion, problem="", kind="")
        if known is not None:
            return known
        path = self.services.store.clip_path(row.clip) if row.clip else None
        return Source(
            row.corpus, row.file_name, path, row.emotion, sha256=row.clip,
            start=row.start, end=row.end,
        )  # fmt: skip

    def reason(self, row: CorpusRow) -> str:
        """Return what the corpus's reader found wrong with a row; "" once a person mended it."""
        source = self.source(row)
        mended = row.revision and row.emotion in EMOTIONS and row.emotion != source.emotion
        return "" if mended and source.kind in OF_THE_LABEL else source.problem

    def clip_of(self, row: CorpusRow) -> tuple[str, Source]:
        """Return the hash and place of a row's sound.

        Raises:
            GoneError: its file is not there.
        """
        source = self.source(row)
        sha = row.clip or self.services.catalogue.hash_of(source)
        if not sha:
            raise GoneError(
                f"{row.file_name}: the file is missing. Put it back "
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
            who, session: who, in which session.
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
                    expect=head, adjudicates=who.may_train,
                )  # fmt: skip
            # The store has no hash of it yet: the corpus's own name of the file tells which it is.
            events, held = [], replace(row, clip=sha, file_name=row.file or row.source_name)
            if file_name and file_name != row.file_name:
                events.append(row_event(held, "rename", who.name, session, file_name=file_name))
            if emotion and emotion != row.emotion:
                events.append(row_event(held, "label", who.name, session, emotion=emotion))
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
        """Accept the model's prediction for rows that were looked at; return how many.

        Raises:
            PageError: the person may not, or no row is ticked.
            StoreError: a row was changed since or has no prediction; nothing was saved.
        """
        _may_write(who)
        if not keys:
            raise PageError("First tick the rows to change.")
        with self._lock:
            for key in keys:
                self._keep(self.row(key))
            return len(self.table().accept_predictions(keys, who.name, session=session))

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
            for row in map(self.row, keys)
            for entry in state.clip(row.clip_key).suggestions
            if (entry.start, entry.end) == row.span
        ]
        if not waiting:
            raise PageError("None of the ticked rows has a suggestion to review.")
        decide = review.accept if take else review.reject
        return len(decide(self.services.store, waiting, who.name, session=session))

    def ask_model(
        self, who: Annotator, query: TableQuery, progress: Callable[[int, int], None]
    ) -> tuple[int, list[str]]:
        """Let the model judge the clips that a query finds, as many as go at once.

        Returns:
            How many were predicted, and a sentence for each that could not be.

        Raises:
            PageError: the person may not.
            SerError: there is no model.
        """
        _may_write(who)
        known = PredictionCache(self.services).all()
        found: dict[str, Source] = {}
        at = 0
        while len(found) < ASK_MOST:
            page = self.page(replace(query, page=at, size=1000))
            for row in page.rows:
                source = self.source(row)
                sha = row.clip or self.services.catalogue.hash_of(source)
                if sha and sha not in known and row.span == WHOLE:
                    found[sha] = source
            at += 1
            if at >= page.pages:
                break
        chosen = list(found.items())[:ASK_MOST]
        result = PredictionCache(self.services).ask(
            chosen, lambda done: progress(done, len(chosen))
        )
        self._make(hashes=False)
        return result

    def plan(
        self,
        who: Annotator,
        table: LabelTable,
        words: Mapping[str, str] | None = None,
        *,
        keep_annotators: bool = False,
    ) -> ImportPlan:
        """Work out what an import would change; nothing is saved.

        Args:
            who: who imports.
            table: what comes in.
            words: what its words mean, beyond what is known: see `parse_mapping`.
            keep_annotators: rows that name an annotator stay theirs.

        Raises:
            PageError: the person may not.
        """
        _may_write(who)
        self.table()
        files = {place: one for place, one in self._files.items() if one.path is not None}
        lookup = FileLookup(FoundFile(*place, one.path) for place, one in files.items() if one.path)
        known = dict(words or {})
        root = Home(self.services.home).corpora
        corpora = (root / corpus for corpus in {corpus for corpus, _ in files})
        for folder in (*corpora, self.services.store.folder):
            known = read_mapping(folder) | known

        def locate(row: LabelRow) -> Located | RowProblem | None:
            found = lookup.find(row.corpus, row.file_name)
            if isinstance(found, NoMatch):
                if found.kind == "missing-file":
                    return None
                return RowProblem(row.line, row.file_name, found.kind, found.reason)
            sha = self.services.catalogue.hash_of(files[found.corpus, found.name])
            if not sha:
                return None
            segment = row.start is not None or row.end is not None
            ended = ended_by(found.path, row.start) if segment else None
            return Located(sha, found.name, found.corpus, found.remark, ended)

        return plan(
            self.services.store, table, who.name, lambda word: read_word(word, known).emotion,
            refusal=UnknownEmotionError, locate=locate, keep_annotators=keep_annotators,
        )  # fmt: skip


def _may_write(who: Annotator) -> None:
    if not who.may_write:
        raise PageError(who.reason or "Only annotators who may write can change the table.")
