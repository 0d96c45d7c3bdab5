"""Tables in and out: CSV, audiofolder, Label Studio, Parquet; a plan before anything changes."""

from pathlib import Path

from label_store.errors import TableError
from label_store.exchange.audiofolder import read_audiofolder, to_audiofolder
from label_store.exchange.csv_table import read_csv, to_csv
from label_store.exchange.label_studio import read_label_studio, to_label_studio
from label_store.exchange.parquet import read_parquet, to_parquet
from label_store.exchange.plan import Change, ImportPlan, apply, plan
from label_store.exchange.rows import LabelRow, RowProblem, Table, rows_of


def read_table(path: Path) -> Table:
    """Read a table of any known format, told by the path: a folder or a file's ending.

    Raises:
        TableError: the format is unknown, or the table can't be read as a whole.
    """
    if path.is_dir():
        return read_audiofolder(path)
    readers = {
        ".csv": read_csv,
        ".tsv": read_csv,
        ".txt": read_csv,
        ".json": read_label_studio,
        ".parquet": read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path.name} has no known ending. Known are: {', '.join(readers)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path.name} can't be read: {error.strerror or error}.") from error
    return reader(data, path.name)


__all__ = [
    "Change",
    "ImportPlan",
    "LabelRow",
    "RowProblem",
    "Table",
    "apply",
    "plan",
    "read_audiofolder",
    "read_csv",
    "read_label_studio",
    "read_parquet",
    "read_table",
    "rows_of",
    "to_audiofolder",
    "to_csv",
    "to_label_studio",
    "to_parquet",
]
