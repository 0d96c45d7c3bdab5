"""audformat: a folder with a header and a table of clips and of segments, a column an annotator.

Second emotions and intensities have tables of their own beside each, with the same columns.

Source: audEERING, "audformat" specification and Python package (MIT).
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from label_store.errors import LabelTableError
from label_store.event import INTENSITIES
from label_store.exchange.rows import INTENSITY, SECOND_EMOTION, LabelRow, RowProblem, cell_of
from label_store.exchange.timelines.timeline import Found, Timeline, interval

HEADER = "db.yaml"
BESIDE = {"second_emotion": SECOND_EMOTION, "intensity": INTENSITY}
"""Scheme -> column of a row: what is said beside the emotion."""

CONSENSUS = "consensus"
"""Column of labels that have no annotator."""


def write(lines: Iterable[Timeline]) -> dict[str, bytes]:
    """Return file name -> bytes of a database of all time lines."""
    import audformat

    rows = [(line.place, row) for line in lines for row in line.rows]
    if not rows:
        return {}
    database = audformat.Database(
        "emotions",
        source="exported from a label store",
        usage=audformat.define.Usage.UNRESTRICTED,
        description="Emotions that annotators heard in clips and in segments of clips.",
    )
    seconds = {cell_of(row, SECOND_EMOTION)[1] for _, row in rows} - {""}
    labels = sorted({row.emotion for _, row in rows} | seconds)
    database.schemes["emotion"] = audformat.Scheme(labels=labels)
    raters = sorted({row.annotator or CONSENSUS for _, row in rows})
    for name in raters:
        database.raters[name] = audformat.Rater(audformat.define.RaterType.HUMAN)
    for table, whole in (("clips", True), ("segments", False)):
        some = [
            (place, row) for place, row in rows if (row.start is None or row.end is None) == whole
        ]
        _fill(database, table, "emotion", raters, [(*one, one[1].emotion) for one in some])
        for scheme, column in BESIDE.items():
            cells_beside = [(*one, cell) for one in some if (cell := cell_of(one[1], column)[1])]
            if cells_beside and scheme not in database.schemes:
                database.schemes[scheme] = (
                    audformat.Scheme("int", minimum=min(INTENSITIES), maximum=max(INTENSITIES))
                    if column == INTENSITY
                    else audformat.Scheme(labels=labels)
                )
            _fill(database, f"{table}.{scheme}", scheme, raters, cells_beside)
    with tempfile.TemporaryDirectory() as folder:
        database.save(folder, storage_format="csv")
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _fill(
    database: Any,
    table: str,
    scheme: str,
    raters: Iterable[str],
    cells_beside: Iterable[tuple[str, LabelRow, str]],
) -> None:
    """Add a table of one scheme, with a column a rater, where there is something to say.

    Args:
        database: it knows the scheme and the raters.
        table: the table's name.
        scheme: what its cells hold.
        raters: the columns.
        cells_beside: place of the clip, row and cell.
    """
    import audformat
    import pandas as pd

    cells: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
    for place, row, cell in cells_beside:
        whole = row.start is None or row.end is None
        key = place if whole else (place, row.start, row.end)
        number = database.schemes[scheme].dtype == "int"
        cells[key][row.annotator or CONSENSUS] = int(cell) if number else cell
    if not cells:
        return
    index = (
        audformat.filewise_index(list(cells))
        if isinstance(next(iter(cells)), str)
        else audformat.segmented_index(
            [key[0] for key in cells],
            [pd.Timedelta(round(key[1] * 1e9), unit="ns") for key in cells],
            [pd.Timedelta(round(key[2] * 1e9), unit="ns") for key in cells],
        )
    )
    database[table] = audformat.Table(index)
    for name in raters:
        database[table][name] = audformat.Column(scheme_id=scheme, rater_id=name)
        database[table][name].set([by.get(name) for by in cells.values()])


def read(files: Mapping[str, bytes], file: str, is_emotion: Callable[[str], bool]) -> list[Found]:
    """Return the labels of every column that holds emotions.

    Args:
        files: name -> bytes of the database's header and tables (CSV or Parquet; a pickled table
            is never opened).
        file: the database's name, for messages.
        is_emotion: whether a word names an emotion.

    Raises:
        LabelTableError: it can't be read.
    """
    import audformat
    import yaml

    damage = (ValueError, LookupError, TypeError, AttributeError, OSError, yaml.YAMLError)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            if Path(name).suffix in {".yaml", ".csv", ".parquet"}:
                (Path(folder) / Path(name).name).write_bytes(data)
        try:
            database = audformat.Database.load(folder, load_data=True)
            frames = {name: table.df for name, table in database.tables.items()}
        except damage as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            raise LabelTableError(f"{file}: not an audformat database ({reason}).") from error
    found: list[Found] = []
    beside = _beside(database, frames)
    for table, frame in frames.items():
        for column in frame.columns:
            given = frame[column].dropna()
            if _scheme(database, table, column) in BESIDE:
                continue
            if not any(is_emotion(str(word)) for word in given.unique()):
                if len(given):
                    reason = f"No word of the column “{column}” of “{table}” is an emotion."
                    found.append(RowProblem(len(found) + 1, table, "other-tier", reason))
                continue
            who = _rater(database, table, str(column))
            for key, word in given.items():
                one = _row(key, str(word), who, len(found) + 1)
                extra = beside.get((key, who))
                found.append(
                    replace(one, extra=extra) if extra and isinstance(one, LabelRow) else one
                )
    return found


def _beside(database: Any, frames: Mapping[str, Any]) -> dict[tuple[Any, str], dict[str, str]]:
    """Return (clip or segment, annotator) -> what is said beside the emotion."""
    found: defaultdict[tuple[Any, str], dict[str, str]] = defaultdict(dict)
    for table, frame in frames.items():
        for column in frame.columns:
            name = BESIDE.get(_scheme(database, table, column))
            if name is None:
                continue
            who = _rater(database, table, str(column))
            for key, cell in frame[column].dropna().items():
                found[key, who][name] = str(cell)
    return dict(found)


def _scheme(database: Any, table: str, column: object) -> str:
    return str(database[table][column].scheme_id or "")


def _rater(database: Any, table: str, column: str) -> str:
    return "" if column == CONSENSUS else str(database[table][column].rater_id or "")


def _row(key: Any, word: str, who: str, line: int) -> Found:
    if isinstance(key, str):
        one = interval(key, 0.0, 1.0, word, annotator=who, line=line)  # checks name and word
        return LabelRow(key, word, annotator=who, line=line) if isinstance(one, LabelRow) else one
    name, start, end = key
    if end is None or end != end:  # audformat's NaT: up to the file's end
        if start.total_seconds() == 0:
            return _row(name, word, who, line)
        reason = "The segment has no end; give it one, or label the whole clip."
        return RowProblem(line, name[:80], "bad-number", reason)
    return interval(name, start.value / 1e9, end.value / 1e9, word, annotator=who, line=line)
