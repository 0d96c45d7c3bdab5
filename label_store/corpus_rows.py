"""The rows of the corpus table, and what may be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from label_store.event import LabelEvent, clip_key
from label_store.fold import Span, span_of

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


def row_key(clip: str, start: float | None = None, end: float | None = None) -> str:
    """Return a row's key.

    Args:
        clip: the clip's key.
        start, end: seconds of the segment; None = the whole clip.

    >>> row_key("name:mine/a.wav"), row_key("name:mine/a.wav", 0.5, 1.0)
    ('name:mine/a.wav', 'name:mine/a.wav[0.5-1.0]')
    """
    first, last = span_of(start, end)
    return f"{clip}[{first}-{last}]" if first or last else clip


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
    """One row: a clip, or a segment of one that has a label of its own.

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
        start, end: seconds of the segment; None = the whole clip.
        file: the file whose sound it has, by its name in the corpus, where the row's name was
            corrected to that one's; else "".
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
    start: float | None = None
    end: float | None = None
    file: str = ""

    @property
    def key(self) -> str:
        """Which row it is: its clip's key, with the times of a segment."""
        return row_key(self.clip_key, self.start, self.end)

    @property
    def clip_key(self) -> str:
        """The clip's hash, or ``name:corpus/file`` without one."""
        return clip_key(self.clip, self.corpus, self.source_name or self.file_name)

    @property
    def span(self) -> Span:
        """The segment's times as events hold them."""
        return span_of(self.start, self.end)


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


def row_event(
    row: CorpusRow,
    action: str,
    annotator: str,
    session: str,
    *,
    emotion: str = "",
    file_name: str = "",
) -> LabelEvent:
    """Return an event about a row; a name is its clip's, an emotion its segment's.

    Args:
        row: the row as it was shown.
        action: ``rename``, ``label`` or ``adjudicate``.
        annotator, session: who, in which session.
        emotion, file_name: what it is to be.
    """
    renames = action == "rename"
    former = row.file_name if row.clip else row.source_name
    return LabelEvent(
        action=action,
        annotator=annotator,
        session=session,
        clip=row.clip,
        file_name=file_name or former,
        former_name=former if renames else "",
        corpus=row.corpus,
        emotion=emotion,
        start=None if renames else row.start,
        end=None if renames else row.end,
    )
