"""Parquet tables, the audio inside them where wanted (the Hub's way to hold an audio data set)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from label_store.exchange.rows import LabelRow

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
