"""audformat: a folder with a header and a table of clips and of segments, a column an annotator.

Source: audEERING, "audformat" specification and Python package (MIT).
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from label_store.errors import LabelTableError
from label_store.exchange.rows import LabelRow, RowProblem
from label_store.exchange.timelines.timeline import Found, Timeline, interval

HEADER = "db.yaml"


def write(lines: Iterable[Timeline]) -> dict[str, bytes]:
    """Return file name -> bytes of a database of all time lines."""
    import audformat
    import pandas as pd

    rows = [(line.place, row) for line in lines for row in line.rows]
    if not rows:
        return {}
    database = audformat.Database(
        "emotions",
        source="exported from a label store",
        usage=audformat.define.Usage.UNRESTRICTED,
        description="Emotions that annotators heard in clips and in segments of clips.",
    )
    labels = sorted({row.emotion for _, row in rows})
    database.schemes["emotion"] = audformat.Scheme(labels=labels)
    raters = sorted({row.annotator or "consensus" for _, row in rows})
    for name in raters:
        database.raters[name] = audformat.Rater(audformat.define.RaterType.HUMAN)
    for table, whole in (("clips", True), ("segments", False)):
        cells: defaultdict[Any, dict[str, str]] = defaultdict(dict)
        for place, row in rows:
            if (row.start is None or row.end is None) == whole:
                key = place if whole else (place, row.start, row.end)
                cells[key][row.annotator or "consensus"] = row.emotion
        if not cells:
            continue
        index = (
            audformat.filewise_index(list(cells))
            if whole
            else audformat.segmented_index(
                [key[0] for key in cells],
                [pd.Timedelta(round(key[1] * 1e9), unit="ns") for key in cells],
                [pd.Timedelta(round(key[2] * 1e9), unit="ns") for key in cells],
            )
        )
        database[table] = audformat.Table(index)
        for name in raters:
            database[table][name] = audformat.Column(scheme_id="emotion", rater_id=name)
            database[table][name].set([by.get(name) for by in cells.values()])
    with tempfile.TemporaryDirectory() as folder:
        database.save(folder, storage_format="csv")
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


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
    for table, frame in frames.items():
        for column in frame.columns:
            given = frame[column].dropna()
            if not any(is_emotion(str(word)) for word in given.unique()):
                if len(given):
                    reason = f"No word of the column “{column}” of “{table}” is an emotion."
                    found.append(RowProblem(len(found) + 1, table, "other-tier", reason))
                continue
            who = "" if column == "consensus" else _rater(database, table, str(column))
            for key, word in given.items():
                found.append(_row(key, str(word), who, len(found) + 1))
    return found


def _rater(database: Any, table: str, column: str) -> str:
    return str(database[table][column].rater_id or "")


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
