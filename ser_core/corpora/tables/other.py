"""Tables of records: JSON lines (an audiofolder's metadata) and Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ser_core.corpora.tables.columns import find_columns
from ser_core.corpora.tables.delimited import expand
from ser_core.corpora.tables.row import SpeechTable, TableProblem, TableRow
from ser_core.corpora.tables.text import decode
from ser_core.errors import TableError


def read_json_lines(data: bytes, name: str, chosen: Mapping[str, str] | None = None) -> SpeechTable:
    """Read one JSON object a line, as in an audiofolder's ``metadata.jsonl``.

    Args:
        data: the file's bytes.
        name: its name, for messages.
        chosen: field -> key that a person chose.

    Raises:
        TableError: it is not such a file.
        ColumnError: a needed key can't be told.
    """
    decoded = decode(data, name)
    records: list[tuple[int, Mapping[str, Any]]] = []
    problems: list[TableProblem] = []
    for number, line in enumerate(decoded.text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            problems.append(TableProblem(number, "", "unreadable-row", f"Not JSON: {error}."))
            continue
        records.append((number, record))
    if not records:
        raise TableError(f"{name}: holds no JSON object, one a line.")
    table = _records(records, name, chosen)
    notes = (decoded.note,) if decoded.note else ()
    return SpeechTable(table.rows, (*problems, *table.problems), (*notes, *table.notes))


def read_parquet(data: bytes, name: str, chosen: Mapping[str, str] | None = None) -> SpeechTable:
    """Read a Parquet table; audio inside it is left aside.

    Raises:
        TableError: it is not Parquet.
        ColumnError: a needed column can't be told.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(io.BytesIO(data))
        held = [one.name for one in source.schema_arrow if not pa.types.is_nested(one.type)]
        records = list(enumerate(source.read(columns=held).to_pylist(), 1))
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{name}: not Parquet ({error}).") from error
    return _records(records, name, chosen)


def _records(
    records: Sequence[tuple[int, Mapping[str, Any]]], name: str, chosen: Mapping[str, str] | None
) -> SpeechTable:
    headings = list(dict.fromkeys(key for _, record in records for key in record))
    sample = [[_text(record.get(key)) for key in headings] for _, record in records[:200]]
    places, notes = find_columns(headings, sample, chosen or {}, name)
    fields = {headings[place]: field for field, place in places.items()}
    rows: list[TableRow] = []
    problems: list[TableProblem] = []
    for number, record in records:
        cells = {fields[key]: _text(value) for key, value in record.items() if key in fields}
        extra = {
            key: _text(value)
            for key, value in record.items()
            if key not in fields and value not in (None, "")
        }
        found: Iterable[TableRow | TableProblem] = expand(number, cells, extra)
        for one in found:
            (rows if isinstance(one, TableRow) else problems).append(one)  # type: ignore[arg-type]
    return SpeechTable(tuple(rows), tuple(problems), tuple(notes))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int | float) else json.dumps(value, default=str)
