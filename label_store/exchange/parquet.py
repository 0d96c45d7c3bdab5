"""Parquet tables, the audio inside them where wanted (the Hub's way to hold an audio data set)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from label_store.errors import TableError
from label_store.exchange.rows import LabelRow, Table, build, collect, heading

_COLUMNS: Final = ("file_name", "emotion", "corpus", "clip", "start", "end")


def to_parquet(rows: Sequence[LabelRow], audio: Mapping[str, Path] | None = None) -> bytes:
    """Return rows as Parquet.

    Args:
        rows: what it holds.
        audio: clip -> file, to put the bytes in a column ``audio`` of ``{bytes, path}``; None =
            without audio.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "file_name": pa.array([row.file_name for row in rows], pa.string()),
        "emotion": pa.array([row.emotion for row in rows], pa.string()),
        "corpus": pa.array([row.corpus for row in rows], pa.string()),
        "clip": pa.array([row.clip for row in rows], pa.string()),
        "start": pa.array([row.start for row in rows], pa.float64()),
        "end": pa.array([row.end for row in rows], pa.float64()),
    }
    for name in sorted({name for row in rows for name in row.extra}):
        columns[name] = pa.array([row.extra.get(name) for row in rows], pa.string())
    if audio is not None:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        held = [_audio(row, audio) for row in rows]
        columns["audio"] = pa.array(held, kind)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _audio(row: LabelRow, audio: Mapping[str, Path]) -> dict[str, object] | None:
    path = audio.get(row.clip)
    return None if path is None else {"bytes": path.read_bytes(), "path": row.file_name}


def read_parquet(data: bytes, name: str = "table.parquet") -> Table:
    """Read a Parquet table with columns for the file name and the emotion; audio is left aside.

    Args:
        data: the file's bytes.
        name: its name, for messages.

    Raises:
        TableError: it is no Parquet, or a needed column is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        kept = [
            field.name
            for field in file.schema_arrow
            if not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
        ]
        columns = file.read(columns=kept).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{name} can't be read as Parquet: {error}.") from error
    fields = {heading(column): column for column in kept}
    missing = [wanted for wanted in ("file_name", "emotion") if wanted not in fields]
    if missing:
        found = ", ".join(kept[:12])
        raise TableError(f"{name} has no column {' and '.join(missing)}; found were: {found}.")
    lines = len(columns[fields["file_name"]])
    return collect(
        build(place + 1, {field: _cell(columns[name][place]) for field, name in fields.items()})
        for place in range(lines)
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
