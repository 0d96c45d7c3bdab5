"""Tables of speech emotions: the one reader, for training and for the import of labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ser_core.corpora.tables.delimited import read_delimited
from ser_core.corpora.tables.label_studio import read_label_studio
from ser_core.corpora.tables.other import read_json_lines, read_parquet
from ser_core.corpora.tables.row import SpeechTable, TableProblem, TableRow
from ser_core.errors import TableError

TEXT_ENDINGS = (".csv", ".tsv", ".txt")
ENDINGS = (*TEXT_ENDINGS, ".json", ".jsonl", ".parquet")
"""Endings, lower case, of the files that `read_table` reads."""


def read_table(path: Path, chosen: Mapping[str, str] | None = None) -> SpeechTable:
    """Read a table of any known format, told by the file's ending.

    Args:
        path: the table.
        chosen: field -> heading, where a person chose the column.

    Raises:
        TableError: no known ending, or the table can't be read as a whole.
        ColumnError: a needed column can't be told.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path.name}: can't be read ({error.strerror or error}).") from error
    return read_bytes(data, path.name, chosen)


def read_bytes(data: bytes, name: str, chosen: Mapping[str, str] | None = None) -> SpeechTable:
    """Read a table from its bytes; see `read_table`."""
    ending = Path(name).suffix.casefold()
    if ending in TEXT_ENDINGS:
        return read_delimited(data, name, chosen)
    if ending == ".json":
        return read_label_studio(data, name)
    if ending == ".jsonl":
        return read_json_lines(data, name, chosen)
    if ending == ".parquet":
        return read_parquet(data, name, chosen)
    hint = " Save it as CSV in UTF-8." if ending in {".xlsx", ".xls", ".ods", ".numbers"} else ""
    raise TableError(f"{name}: not a table known here. Known are: {', '.join(ENDINGS)}.{hint}")


__all__ = [
    "ENDINGS",
    "TEXT_ENDINGS",
    "SpeechTable",
    "TableProblem",
    "TableRow",
    "read_bytes",
    "read_table",
]
