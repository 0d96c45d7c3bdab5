"""The table of file names and emotions as it stands, with what is wrong in it, page by page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from label_store import names
from label_store.adjudication import find_dispute
from label_store.errors import StoreError
from label_store.event import LabelEvent, Saved, clip_key
from label_store.fold import ClipView
from label_store.store import ANY, LabelStore, _Any

PROBLEMS: Final = (
    "missing-file",
    "unlabelled",
    "unknown-emotion",
    "duplicate",
    "suspected-error",
    "disagreement",
    "suggestion",
)
"""What may be wrong with a row, or wait there."""

SORTS: Final = ("file_name", "emotion", "corpus", "suspicion", "revision")


@dataclass(frozen=True, slots=True)
class RowPrediction:
    """What a model that never saw the clip's speaker says of it.

    Attributes:
        emotion: its emotion.
        suspicion: how suspicious the given label is, 0..1; see `label_store.scores.label_error`.
        probabilities: emotion -> probability.
        model_version: which model.
    """

    emotion: str
    suspicion: float
    probabilities: Mapping[str, float] | None = None
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """One row.

    Attributes:
        file_name, emotion, corpus: as they stand.
        clip: SHA-256 of the bytes, "" where not known.
        present: whether the file is there.
        path: where, as text for the player; "" where not known.
        problems: of PROBLEMS.
        prediction: the model's, or None.
        head: id of the clip's latest change, for ``expect``.
        revision: number of its latest event, 0 = none.
        source_name: its name in the corpus, whatever it was renamed to.
    """

    file_name: str
    emotion: str
    corpus: str = ""
    clip: str = ""
    present: bool = True
    path: str = ""
    problems: tuple[str, ...] = ()
    prediction: RowPrediction | None = None
    head: str | None = None
    revision: int = 0
    source_name: str = ""

    @property
    def key(self) -> str:
        """The clip's hash, or ``name:corpus/file`` without one."""
        return clip_key(self.clip, self.corpus, self.source_name or self.file_name)


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which rows to show.

    Attributes:
        search: part of a file name, whatever its case; "" = all.
        corpus, emotion, problem: only rows with these; "" = all; problem ``any`` = with any.
        sort: one of SORTS.
        descending: the highest first.
        page: from 0; one beyond the end shows the last.
        size: rows a page, 1..1000.
    """

    search: str = ""
    corpus: str = ""
    emotion: str = ""
    problem: str = ""
    sort: str = "file_name"
    descending: bool = False
    page: int = 0
    size: int = 50


@dataclass(frozen=True, slots=True)
class TablePage:
    """One page of rows.

    Attributes:
        rows: the rows.
        page, pages: which page this is, from 0, and how many there are (1 or more).
        total: rows that the query finds.
    """

    rows: tuple[CorpusRow, ...]
    page: int
    pages: int
    total: int


class CorpusTable:
    """Rows of corpora with the store's corrections laid over them; follows the store.

    Args:
        store: corrections.
        rows: rows as the corpora have them; clips of the store that no row names are added.
        emotions: canonical emotions; others are a problem of their row.
        predictions: row key or clip -> the model's prediction.
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
        self._base = [replace(row, source_name=row.source_name or row.file_name) for row in rows]
        self._rows: list[CorpusRow] = []
        self._at: dict[str, int] = {}
        self._seen = -1
        self._files: Collection[str] = ()
        self._names: Collection[tuple[str, str]] = ()

    def refresh(self) -> None:
        """Lay over what was saved since; cheap after one event."""
        state = self.store.state()
        if self._seen < 0 or len(state) < self._seen:
            self._build()
            return
        for entry in state.entries[self._seen :]:
            self._lay(state.key_of(entry), state.clip(state.key_of(entry)))
        self._seen = len(state)

    def _build(self) -> None:
        state = self.store.state()
        self._files = self.store.clips.paths().keys()
        self._names = {(row.corpus, names.fold(row.file_name)) for row in self._base if row.present}
        self._at = {}
        counts = Counter((row.corpus, names.fold(row.file_name)) for row in self._base)
        clips = Counter(row.clip for row in self._base if row.clip)
        self._base = [
            replace(row, problems=("duplicate",))
            if counts[row.corpus, names.fold(row.file_name)] > 1 or clips[row.clip] > 1
            else replace(row, problems=())
            for row in self._base
        ]
        self._rows = []
        for place, row in enumerate(self._base):
            self._at.setdefault(row.key, place)
            self._at.setdefault(f"name:{row.corpus}/{row.source_name}", place)
            self._rows.append(self._with_problems(row, None))
        for view in state.clips():
            self._lay(view.key, view)
        self._seen = len(state)

    def _lay(self, key: str, view: ClipView) -> None:
        place = self._at.get(key)
        if place is None and view.clip:
            # The corpus knew only the file's name; the first event brings its hash.
            first = self.store.state().of(key)[0]
            name = first.former_name or first.file_name
            place = self._at.get(f"name:{first.corpus}/{name}")
        if place is None:
            place = len(self._base)
            self._base.append(
                CorpusRow(
                    view.file_name,
                    "",
                    view.corpus,
                    view.clip,
                    present=self.store.clip_path(view.clip) is not None if view.clip else False,
                    source_name=view.file_name,
                )
            )
            self._rows.append(self._base[place])
        self._at[key] = place
        self._rows[place] = self._with_problems(self._base[place], view)

    def _with_problems(self, base: CorpusRow, view: ClipView | None) -> CorpusRow:
        row = base
        problems = list(base.problems)
        if view is not None:
            emotion, contested = _standing(view)
            if contested:
                problems.append("disagreement")
            if view.suggestions:
                problems.append("suggestion")
            row = replace(
                base,
                clip=base.clip or view.clip,
                file_name=view.file_name or base.file_name,
                emotion=emotion or base.emotion,
                head=view.head,
                revision=view.revision,
            )
        prediction = self._predictions.get(row.clip) or self._predictions.get(base.key)
        renamed = (row.corpus, names.fold(row.file_name)) in self._names
        if not row.present and row.clip not in self._files and not renamed:
            problems.append("missing-file")
        if not row.emotion:
            problems.append("unlabelled")
        elif row.emotion not in self._emotions:
            problems.append("unknown-emotion")
        elif (
            prediction is not None
            and prediction.emotion != row.emotion
            and prediction.suspicion >= self._suspicious
            and (view is None or not view.annotations)
        ):
            problems.append("suspected-error")
        ordered = tuple(problem for problem in PROBLEMS if problem in problems)
        return replace(row, problems=ordered, prediction=prediction)

    def page(self, query: TableQuery) -> TablePage:
        """Return the rows that a query finds, one page of them.

        Raises:
            StoreError: a sort or a size that is not known.
        """
        if query.sort not in SORTS or not 1 <= query.size <= 1000:
            raise StoreError(f"Sort by one of {', '.join(SORTS)}, with 1 to 1000 rows a page.")
        self.refresh()
        found = [row for row in self._rows if _matches(row, query, query.search.casefold())]
        found.sort(key=_sorting(query.sort), reverse=query.descending)
        pages = max(1, math.ceil(len(found) / query.size))
        page = min(max(query.page, 0), pages - 1)
        rows = tuple(found[page * query.size : (page + 1) * query.size])
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
        return {
            "emotion": dict(sorted(Counter(row.emotion for row in self._rows).items())),
            "corpus": dict(sorted(Counter(row.corpus for row in self._rows).items())),
            "problem": dict(Counter(name for row in self._rows for name in row.problems)),
        }

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
            events.append(_event(row, "rename", annotator, session, file_name=file_name))
        disputed = find_dispute(self.store.state(), row.key) is not None
        if emotion and disputed and adjudicates:
            events.append(_event(row, "adjudicate", annotator, session, emotion=emotion))
        elif emotion and emotion != row.emotion:
            events.append(_event(row, "label", annotator, session, emotion=emotion))
        if not isinstance(expect, _Any):
            key = clip_key(row.clip, row.corpus, row.source_name)
            return self.store.append_many(events, label="table", expect={key: expect})
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
            if row.prediction is None:
                raise StoreError(
                    f"{row.file_name}: there is no prediction to accept. Predict it first."
                )
            event = _event(row, "label", annotator, session, emotion=row.prediction.emotion)
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


def _event(
    row: CorpusRow,
    action: str,
    annotator: str,
    session: str,
    *,
    emotion: str = "",
    file_name: str = "",
) -> LabelEvent:
    former = row.file_name if action == "rename" else ""
    return LabelEvent(
        action=action,
        annotator=annotator,
        session=session,
        clip=row.clip,
        file_name=file_name or (row.file_name if row.clip else row.source_name),
        former_name=former if row.clip or not former else row.source_name,
        corpus=row.corpus,
        emotion=emotion,
    )


def _standing(view: ClipView) -> tuple[str, bool]:
    review = view.reviews.get(("", ""))
    if review is not None:
        return review.emotion, False
    counts = Counter(view.whole().values()).most_common(2)
    if not counts:
        return "", False
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return "", True
    return counts[0][0], len(counts) > 1


def _matches(row: CorpusRow, query: TableQuery, search: str) -> bool:
    return (
        (not query.corpus or row.corpus == query.corpus)
        and (not query.emotion or row.emotion == query.emotion)
        and (
            not query.problem
            or (bool(row.problems) if query.problem == "any" else query.problem in row.problems)
        )
        and (not search or search in row.file_name.casefold())
    )


def _sorting(sort: str) -> Callable[[CorpusRow], tuple[float | str, ...]]:
    if sort == "suspicion":
        return lambda row: (row.prediction.suspicion if row.prediction else -1.0, row.file_name)
    if sort == "revision":
        return lambda row: (row.revision, row.file_name)
    if sort == "emotion":
        return lambda row: (row.emotion, row.file_name)
    if sort == "corpus":
        return lambda row: (row.corpus, row.file_name)
    return lambda row: (row.file_name, row.corpus)
