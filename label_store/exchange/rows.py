"""A row of a table that comes in or goes out, whatever the table's format."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from label_store import names
from label_store.consensus import ConsensusLabel, consensus
from label_store.event import MAX_CELL
from label_store.store import LabelStore

MAX_TABLE_CELL: Final = 10_000
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "file_name": ("filename", "file", "path", "name", "audio", "wav", "datei", "dateiname"),
    "emotion": ("label", "class", "category", "gefühl"),
    "corpus": ("dataset", "source"),
    "clip": ("sha256", "hash"),
    "start": ("begin",),
    "end": ("stop",),
    "annotator": ("rater", "completed_by"),
}
"""Column names that mean the same, upper and lower case and spaces aside."""

SECOND_EMOTION: Final = "Second emotion"
INTENSITY: Final = "Intensity"
"""Columns that come and go beside the others, in tables where some label has them."""

DERIVED: Final = frozenset({"annotators", "distribution", "reviewed", "revision"})
"""Columns of our own exports that an import computes anew."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label in a table.

    Attributes:
        file_name, emotion: as written; the emotion is not canonical yet.
        corpus, clip: where it comes from, and the SHA-256 of its bytes; "" where not said.
        start, end: seconds of the labelled part; None = the whole clip.
        annotator: who said so, where the table says it.
        extra: the table's other columns.
        line: the row's number as a person counts, the heading being row 1; 0 on the way out.
    """

    file_name: str
    emotion: str
    corpus: str = ""
    clip: str = ""
    start: float | None = None
    end: float | None = None
    annotator: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is not taken as it is.

    Attributes:
        line: the row's number, the heading being row 1.
        name: its file name, shortened, or "".
        kind: ``unsafe-path``, ``unknown-emotion``, ``duplicate``, ``conflicting-duplicate``,
            ``missing-file``, ``too-long``, ``control-character``, ``short-row``, ``bad-number``.
        reason: one sentence.
    """

    line: int
    name: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class LabelTable:
    """What a table holds: rows that can be read, and those that can't with their reasons."""

    rows: tuple[LabelRow, ...]
    problems: tuple[RowProblem, ...] = ()


def heading(name: str) -> str:
    """Return which field a column's heading means, or the heading itself.

    >>> heading("File Name"), heading("LABEL"), heading("Room")
    ('file_name', 'emotion', 'Room')
    """
    folded = re.sub(r"[\s_-]+", "_", name.strip().casefold())
    bare = folded.replace("_", "")
    for field_name, aliases in ALIASES.items():
        if folded == field_name or bare == field_name.replace("_", "") or bare in aliases:
            return field_name
    return name.strip()


def build(line: int, cells: Mapping[str, str]) -> LabelRow | RowProblem:
    """Return the row that cells make, or why they make none.

    Args:
        line: the row's number.
        cells: field (see `heading`) -> cell.
    """
    name = cells.get("file_name", "").strip()
    for column, cell in cells.items():
        if len(cell) > MAX_TABLE_CELL:
            reason = f"The cell “{column[:40]}” has {len(cell)} characters; "
            return RowProblem(line, name[:80], "too-long", f"{reason}{MAX_TABLE_CELL} is the most.")
        if "\0" in cell:
            reason = f"The cell “{column[:40]}” holds a NUL byte."
            return RowProblem(line, name[:80].replace("\0", "�"), "control-character", reason)
    wrong = names.problem(name)
    if wrong:
        kind = "control-character" if names.has_control(name) else "unsafe-path"
        kind = "short-row" if not name else kind
        return RowProblem(line, name[:80], kind, f"The file name “{name[:80]}” {wrong}.")
    emotion = cells.get("emotion", "").strip()
    if not emotion or len(emotion) > MAX_CELL or names.has_control(emotion):
        reason = f"“{emotion[:40]}” is not an emotion; expected a word like joy."
        return RowProblem(line, name[:80], "unknown-emotion", reason)
    try:
        start, end = _seconds(cells.get("start", "")), _seconds(cells.get("end", ""))
    except ValueError as error:
        return RowProblem(line, name[:80], "bad-number", f"A time can't be read: {error}.")
    known = {*ALIASES, *DERIVED}
    return LabelRow(
        file_name=name,
        emotion=emotion,
        corpus=cells.get("corpus", "").strip(),
        clip=cells.get("clip", "").strip().lower(),
        start=start,
        end=end,
        annotator=cells.get("annotator", "").strip(),
        extra={n: c for n, c in cells.items() if c and n.casefold() not in known},
        line=line,
    )


def _seconds(cell: str) -> float | None:
    text = cell.strip().replace(",", ".")
    if not text:
        return None
    value = float(text)
    if not 0 <= value < 1e7:
        raise ValueError(f"{text[:20]} is not between 0 and 10,000,000 seconds")
    return value


def collect(found: Iterable[LabelRow | RowProblem]) -> LabelTable:
    """Return a table of what `build` gave."""
    rows: list[LabelRow] = []
    problems: list[RowProblem] = []
    for one in found:
        if isinstance(one, LabelRow):
            rows.append(one)
        else:
            problems.append(one)
    return LabelTable(tuple(rows), tuple(problems))


class SpeechRow(Protocol):
    """A row as the reader of tables from elsewhere gives it."""

    @property
    def line(self) -> int: ...
    @property
    def file_name(self) -> str: ...
    @property
    def emotion(self) -> str: ...
    @property
    def start(self) -> float | None: ...
    @property
    def end(self) -> float | None: ...
    @property
    def corpus(self) -> str: ...
    @property
    def clip(self) -> str: ...
    @property
    def annotator(self) -> str: ...
    @property
    def extra(self) -> Mapping[str, str]: ...


class SpeechProblem(Protocol):
    """A row that the reader of tables from elsewhere could not take."""

    @property
    def line(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def reason(self) -> str: ...


def label_table(rows: Iterable[SpeechRow], problems: Iterable[SpeechProblem] = ()) -> LabelTable:
    """Return rows that were read elsewhere as rows to import; what can't be stored is a problem.

    Args:
        rows, problems: as the reader gave them.
    """
    found: list[LabelRow | RowProblem] = [
        RowProblem(one.line, one.name, one.kind, one.reason) for one in problems
    ]
    for row in rows:
        cells = {
            "file_name": row.extra.get("original_name", "") or row.file_name,
            "emotion": row.emotion or "-",
            "corpus": row.corpus,
            "clip": row.clip,
            "annotator": row.annotator,
        }
        cells |= {
            name: cell
            for name, cell in row.extra.items()
            if name != "original_name" and name.casefold() not in cells
        }
        one = build(row.line, cells)
        if isinstance(one, LabelRow):
            one = replace(one, start=row.start, end=row.end)
        found.append(one)
    return collect(found)


def rows_of(store: LabelStore, trusted: Collection[str] | None = None) -> list[LabelRow]:
    """Return the store's decided labels as rows to export, in order of corpus and file name.

    Args:
        store: what to export.
        trusted: annotators that count; None = all.
    """
    found = consensus(store, trusted)
    labels = [*found.labels, *found.without_file]
    state = store.state()
    extras = _extras(store, labels)
    order = sorted(
        labels, key=lambda one: (one.corpus, one.file_name, one.clip_hash, one.start or 0)
    )
    return [
        LabelRow(
            one.file_name,
            one.emotion,
            one.corpus,
            one.clip_hash,
            one.start,
            one.end,
            extra=dict(extras.get(one.revision, {})) | beside(one.second_emotion, one.intensity),
        )
        for one in order
        if one.revision in state.by_id
    ]


def beside(second_emotion: str, intensity: int | str | None) -> dict[str, str]:
    """Return the columns of what is said beside an emotion; those of nothing are left out.

    >>> beside("fear", 2), beside("", None)
    ({'Second emotion': 'fear', 'Intensity': '2'}, {})
    """
    found = {SECOND_EMOTION: second_emotion, INTENSITY: str(intensity or "")}
    return {name: cell for name, cell in found.items() if cell}


def cell_of(row: LabelRow, column: str) -> tuple[str, str]:
    """Return a column beside the others as the row calls it, and its cell; ("", "") without one.

    >>> cell_of(LabelRow("a.wav", "joy", extra={"second_emotion": " fear "}), SECOND_EMOTION)
    ('second_emotion', 'fear')
    """
    for name, cell in row.extra.items():
        if re.sub(r"[\s_-]+", " ", name.strip()).casefold() == column.casefold() and cell.strip():
            return name, cell.strip()
    return "", ""


def _extras(store: LabelStore, labels: Iterable[ConsensusLabel]) -> dict[str, Mapping[str, str]]:
    # Other columns came with some event of the clip; the latest one that has a column wins.
    state = store.state()
    found: dict[str, Mapping[str, str]] = {}
    for label in labels:
        entry = state.by_id[label.revision]
        key = state.key_of(entry)
        merged: dict[str, str] = {}
        for event in store.whole([one for one in state.of(key) if one.action != "undo"]):
            if event.event_id not in state.undone:
                merged |= event.extra
        found[label.revision] = merged
    return found
