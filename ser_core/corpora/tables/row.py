"""What a table of speech emotions says, row by row, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row.

    Attributes:
        line: its number as a person counts, the heading being 1.
        file_name: the audio file as written, without what an address or a drive adds.
        emotion: as written; `ser_core.corpora.tables.words` reads it.
        start, end: seconds of the labelled segment; None = from the beginning, to the end.
        speaker, sex, sentence: as in `ser_core.corpora.clip.Clip`.
        corpus: which corpus the file is of, where the table says so.
        clip: SHA-256 of the file's bytes, where the table says so.
        annotator: who said so.
        extra: the table's other columns.
    """

    line: int
    file_name: str
    emotion: str
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    sex: str = ""
    sentence: str = ""
    corpus: str = ""
    clip: str = ""
    annotator: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableProblem:
    """A row that can't be read, or that is left out on purpose.

    Attributes:
        line: its number.
        name: its file name, shortened, or "".
        kind: ``unreadable-row``, ``no-emotion``, ``several-emotions``, ``bad-time``,
            ``cancelled`` ...
        reason: one sentence.
    """

    line: int
    name: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class SpeechTable:
    """A table as it was read; nothing of it is lost between rows and problems.

    Attributes:
        rows: what can be read.
        problems: what can't, with reasons.
        notes: what the reader had to guess, in sentences: the encoding, a column.
    """

    rows: tuple[TableRow, ...]
    problems: tuple[TableProblem, ...] = ()
    notes: tuple[str, ...] = ()
