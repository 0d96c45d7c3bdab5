"""The table of file names and emotions as it stands, with what is wrong in it, page by page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from label_store import names
from label_store.adjudication import find_dispute
from label_store.corpus_frame import CorpusFrame
from label_store.corpus_rows import (
    PROBLEMS,
    SORTS,
    CorpusRow,
    RowPrediction,
    TablePage,
    TableQuery,
    row_event,
    row_key,
)
from label_store.errors import StoreError
from label_store.event import Saved, clip_key
from label_store.event_rows import ROW_BYTES, unhindered
from label_store.fold import WHOLE, ClipView, Span, State
from label_store.store import ANY, LabelStore, _Any


@dataclass(slots=True, eq=False)
class _File:
    """One file of the table: its rows, and under which keys the store has events of it.

    Attributes:
        keys: its place in a table, or its hash, or both in this order.
        rows: part -> place of its row in the table.
        listed: parts that a corpus names; those of labels come and go.
        meant: the file that is there and whose name this one's was corrected to.
        shown_by: the file that has this one's row in its own, since it means this one.
    """

    keys: list[str]
    rows: dict[Span, int] = field(default_factory=dict)
    listed: set[Span] = field(default_factory=set)
    meant: _File | None = None
    shown_by: _File | None = None


class CorpusTable:
    """Rows of corpora with the store's corrections laid over them; follows the store.

    A segment that a corpus or an annotator labels is a row beside that of its clip.

    Args:
        store: corrections.
        rows: rows as the corpora have them; clips of the store that no row names are added.
        emotions: canonical emotions; others are a problem of their row.
        predictions: row key or clip -> the model's prediction of the whole clip.
        suspicious: suspicion from which a label counts as suspected, 0..1.
    """

    def __init__(
        self,
        store: LabelStore,
        rows: Sequence[CorpusRow],
        emotions: Collection[str],
        *,
        predictions: Mapping[str, RowPrediction] | None = None,
        suspicious: float = 0.8,
    ) -> None:
        self.store = store
        self._emotions = frozenset(emotions)
        self._predictions = predictions or {}
        self._suspicious = suspicious
        self._given = [replace(row, source_name=row.source_name or row.file_name) for row in rows]
        self._base: list[CorpusRow] = []
        self._rows: list[CorpusRow] = []
        self._frame = CorpusFrame()
        self._hidden: set[int] = set()
        self._at: dict[str, int] = {}
        self._by_key: dict[str, _File] = {}
        self._by_name: dict[tuple[str, str], _File] = {}
        self._by_tail: dict[tuple[str, str], _File | None] = {}
        self._seen = -1
        self._state = State()
        self._kept: Collection[str] | None = None

    def refresh(self) -> None:
        """Lay over what was saved since; cheap after one event."""
        state = self._state = self.store.state()
        if self._seen < 0 or len(state) < self._seen:
            with unhindered(len(state) * ROW_BYTES, stays=False):
                self._build()
            return
        for key in dict.fromkeys(map(state.key_of, state.entries[self._seen :])):
            self._lay(key)
        self._seen = len(state)

    def _build(self) -> None:
        counts = Counter((row.corpus, names.fold(row.file_name), row.span) for row in self._given)
        clips = Counter((row.clip, row.span) for row in self._given if row.clip)
        self._base, self._rows, self._hidden = [], [], set()
        self._frame = CorpusFrame()
        self._at, self._by_key, self._by_name, self._by_tail = {}, {}, {}, {}
        for row in self._given:
            twice = counts[row.corpus, names.fold(row.file_name), row.span] > 1
            twice = twice or clips[row.clip, row.span] > 1
            self._list(replace(row, problems=("duplicate",) if twice else ()))
        # Looked up once for all: asking the disk for each of 50,000 clips takes seconds.
        self._kept = self.store.clips.paths().keys()
        for key in list(self._state.keys()):
            self._lay(key)
        self._kept = None
        self._seen = len(self._state)

    def _list(self, row: CorpusRow) -> None:
        """Add a row of a corpus."""
        named = clip_key("", row.corpus, row.source_name)
        file = self._by_key.get(named)
        if file is None:
            file = self._by_key[named] = _File([named])
            if row.present:
                self._find_by_name(row, file)
        if row.clip and row.clip not in self._by_key:
            self._by_key[row.clip] = file
            file.keys.append(row.clip)
        place = self._append(row)
        file.rows.setdefault(row.span, place)
        file.listed.add(row.span)
        self._put(place, self._laid_over(row, file, ()))
        self._at.setdefault(row.key, place)
        self._at.setdefault(row_key(named, row.start, row.end), place)

    def _find_by_name(self, row: CorpusRow, file: _File) -> None:
        """Let a file be found by its name with as many of its folders as tell it from others."""
        whole, *tails = _tails(names.fold(row.source_name))
        self._by_name[row.corpus, whole] = file
        for tail in tails:
            at = (row.corpus, tail)
            self._by_tail[at] = None if at in self._by_tail else file

    def _append(self, row: CorpusRow) -> int:
        self._base.append(row)
        self._rows.append(row)
        self._frame.put(len(self._base) - 1, row)
        return len(self._base) - 1

    def _put(self, place: int, row: CorpusRow) -> None:
        self._rows[place] = row
        self._frame.put(place, row)

    def _lay(self, key: str) -> None:
        """Lay the events of a clip over the rows of its file."""
        state = self._state
        if key not in state:
            return
        view, file = state.clip(key), self._by_key.get(key)
        if file is None and view.clip:
            # The corpus knew only the file's name; the first event brings its hash.
            first = state.of(key)[0]
            name = clip_key("", first.corpus, first.former_name or first.file_name)
            file = self._by_key.get(name)
            if file is not None:
                file.keys.append(key)
        if file is None:
            file = _File([key])
            name = view.file_name if view.clip else key.removeprefix(f"name:{view.corpus}/")
            there = self._has(view.clip)
            row = CorpusRow(name, "", view.corpus, view.clip, there, source_name=name)
            file.rows[WHOLE] = self._append(row)
        self._by_key[key] = file
        self._show(file.shown_by or file)

    def _show(self, file: _File) -> None:
        """Bring the rows of a file to what stands."""
        self._mean(file)
        other = file.meant if file.meant and file.meant.shown_by is file else None
        keys = [*file.keys, *(other.keys if other else ())]
        state = self._state
        views = [state.clip(key) for key in keys if key in state]
        labelled = {span for view in views for span in (*view.annotations, *view.reviews)}
        labelled |= {(one.start, one.end) for view in views for one in view.suggestions}
        some = self._base[next(iter(file.rows.values()))]
        for start, end in sorted(labelled - file.rows.keys()):
            part = replace(
                some,
                emotion="",
                problems=(),
                start=float(start) if start else None,
                end=float(end) if end else None,
            )
            file.rows[start, end] = self._append(part)
        shown = labelled | file.listed or {WHOLE}
        for span, place in file.rows.items():
            row = self._laid_over(self._base[place], file, views)
            if span == WHOLE and not row.emotion and len(shown) > 1:  # labelled part by part
                left = tuple(one for one in row.problems if one != "unlabelled")
                row = replace(row, problems=left)
            self._put(place, row)
            for key in (row.clip_key, *keys):
                self._at[row_key(key, row.start, row.end)] = place
            (self._hidden.discard if span in shown else self._hidden.add)(place)

    def _mean(self, file: _File) -> None:
        """Find the file whose name a missing one was corrected to, and take its row over.

        What a corpus labels itself keeps its row.
        """
        row, state = self._base[next(iter(file.rows.values()))], self._state
        name = state.clip(file.keys[0]).file_name if file.keys[0] in state else ""
        other = None
        if not row.present and len(file.keys) == 1 and name and name != row.source_name:
            at = (row.corpus, names.fold(name))
            other = self._by_name.get(at) or self._by_tail.get(at)
        if other is file.meant:
            return
        former, file.meant = file.meant, other
        if former is not None and former.shown_by is file:
            former.shown_by = None
            self._show(former)
        if other is not None and other.shown_by is None:
            places = other.rows.values()
            if not any(self._base[place].emotion for place in places):
                other.shown_by = file
                self._hidden.update(places)

    def _has(self, clip: str) -> bool:
        """Return whether the store has a clip's bytes."""
        if self._kept is not None:
            return clip in self._kept
        return bool(clip) and self.store.clip_path(clip) is not None

    def _laid_over(self, base: CorpusRow, file: _File, views: Sequence[ClipView]) -> CorpusRow:
        """Return a row of a corpus with what the store says of it, and what is wrong with it."""
        problems = set(base.problems)
        clip, present, emotion, head = base.clip, base.present, base.emotion, base.head
        file_name, revision, meant, path = base.file_name, base.revision, base.file, base.path
        if file.meant is not None:
            there = self._base[next(iter(file.meant.rows.values()))]
            clip = next((key for key in file.meant.keys if not key.startswith("name:")), "")
            present, meant, path = True, there.source_name, there.path
            if file.meant.shown_by is not file:
                problems.add("duplicate")
        if views:
            clip = clip or next((one.clip for one in views if one.clip), "")
            changed = [
                one.file_name for one in views if one.file_name not in {"", base.source_name}
            ]
            file_name = changed[-1] if changed else file_name
            revision = max(one.revision for one in views)
            key = clip_key(clip, base.corpus, base.source_name or file_name)
            head = next((one.head for one in views if one.key == key), None)
        view = next((one for one in reversed(views) if _says(one, base.span)), None)
        if view is not None:
            standing, contested = _standing(view, base.span)
            emotion = standing or emotion
            if contested:
                problems.add("disagreement")
        if any((one.start, one.end) == base.span for view_ in views for one in view_.suggestions):
            problems.add("suggestion")
        prediction = self._predictions.get(clip) or self._predictions.get(base.key)
        if base.span != WHOLE:
            prediction = None
        if not present and not self._has(clip):
            problems.add("missing-file")
        if not emotion:
            problems.add("unlabelled")
        elif emotion not in self._emotions:
            problems.add("unknown-emotion")
        elif self._suspected(emotion, prediction) and not any(one.annotations for one in views):
            problems.add("suspected-error")
        return replace(
            base, file_name=file_name, emotion=emotion, clip=clip, present=present, path=path,
            problems=tuple(one for one in PROBLEMS if one in problems), prediction=prediction,
            head=head, revision=revision, file=meant,
        )  # fmt: skip

    def _suspected(self, emotion: str, found: RowPrediction | None) -> bool:
        return (
            found is not None and found.emotion != emotion and found.suspicion >= self._suspicious
        )

    def page(self, query: TableQuery) -> TablePage:
        """Return the rows that a query finds, one page of them.

        Raises:
            StoreError: a sort or a size that is not known.
        """
        if query.sort not in SORTS or not 1 <= query.size <= 1000:
            raise StoreError(f"Sort by one of {', '.join(SORTS)}, with 1 to 1000 rows a page.")
        self.refresh()
        found = self._frame.find(query, self._hidden)
        pages = max(1, math.ceil(len(found) / query.size))
        page = min(max(query.page, 0), pages - 1)
        places = found[page * query.size : (page + 1) * query.size]
        rows = tuple(self._rows[place] for place in places)
        return TablePage(rows, page, pages, len(found))

    def row(self, key: str) -> CorpusRow:
        """Return the row with a key.

        Raises:
            StoreError: there is none.
        """
        self.refresh()
        place = self._at.get(key)
        if place is None:
            raise StoreError(f"No row {key[:80]} in the table; load it again.")
        return self._rows[place]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many rows each ``emotion``, ``corpus`` and ``problem`` has."""
        self.refresh()
        return self._frame.counts(self._hidden)

    def correct(
        self,
        key: str,
        annotator: str,
        *,
        emotion: str = "",
        file_name: str = "",
        session: str = "",
        expect: str | _Any | None = ANY,
        adjudicates: bool = False,
    ) -> list[Saved]:
        """Correct a row's emotion, its file name or both.

        Args:
            key: the row.
            annotator, session: who, in which session.
            emotion, file_name: what it is to be; "" = as it is.
            expect: the ``head`` of the row as it was shown; see `LabelStore.append`.
            adjudicates: the annotator is a reviewer, whose emotion settles a row that others
                labelled differently.
        """
        row = self.row(key)
        events = []
        if file_name and file_name != row.file_name:
            events.append(row_event(row, "rename", annotator, session, file_name=file_name))
        dispute = find_dispute(self.store.state(), row.clip_key, row.start, row.end)
        if emotion and dispute is not None and adjudicates:
            events.append(row_event(row, "adjudicate", annotator, session, emotion=emotion))
        elif emotion and emotion != row.emotion:
            events.append(row_event(row, "label", annotator, session, emotion=emotion))
        if not isinstance(expect, _Any):
            seen = {row.clip_key: expect}
            return self.store.append_many(events, label="table", expect=seen)
        return self.store.append_many(events, label="table")

    def accept_predictions(
        self, keys: Sequence[str], annotator: str, *, session: str = ""
    ) -> list[Saved]:
        """Accept the model's prediction for rows that were looked at, all or none.

        Raises:
            StoreError: a row has no prediction, or was changed since; nothing was saved.
        """
        events = []
        heads: dict[str, str | None] = {}
        for key in dict.fromkeys(keys):
            row = self.row(key)
            if row.span != WHOLE:
                raise StoreError(
                    f"{row.file_name}: the model predicts whole clips, and this row is a segment. "
                    "Choose its emotion in its cell."
                )
            if row.prediction is None:
                raise StoreError(
                    f"{row.file_name}: there is no prediction to accept. Predict it first."
                )
            event = row_event(row, "label", annotator, session, emotion=row.prediction.emotion)
            events.append(
                replace(
                    event,
                    prediction=row.prediction.emotion,
                    probabilities=row.prediction.probabilities,
                    model_version=row.prediction.model_version,
                    prediction_visible=True,
                )
            )
            heads[event.key] = row.head
        return self.store.append_many(events, label="predictions", expect=heads)


def _tails(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]


def _says(view: ClipView, span: Span) -> bool:
    return span in view.annotations or span in view.reviews


def _standing(view: ClipView, span: Span) -> tuple[str, bool]:
    review = view.reviews.get(span)
    if review is not None:
        return review.emotion, False
    emotions = [entry.emotion for entry in view.annotations.get(span, {}).values()]
    if not emotions:
        return "", False
    if emotions.count(emotions[0]) == len(emotions):
        return emotions[0], False
    counts = Counter(emotions).most_common(2)
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return "", True
    return counts[0][0], True
