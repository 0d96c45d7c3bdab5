"""Tables and time lines in and out: a plan before an import; the formats are one file each.

Tables from elsewhere are read outside this package, which knows no file of the corpora; the import
takes their rows (`label_table`), and asks its caller which file a row means.
"""

from label_store.exchange.audiofolder import to_audiofolder
from label_store.exchange.csv_table import read_csv, to_csv
from label_store.exchange.label_studio import to_label_studio
from label_store.exchange.parquet import to_parquet
from label_store.exchange.plan import ImportPlan, Located, PlannedChange, apply, plan
from label_store.exchange.rows import LabelRow, LabelTable, RowProblem, label_table, rows_of

__all__ = [
    "ImportPlan",
    "LabelRow",
    "LabelTable",
    "Located",
    "PlannedChange",
    "RowProblem",
    "apply",
    "label_table",
    "plan",
    "read_csv",
    "rows_of",
    "to_audiofolder",
    "to_csv",
    "to_label_studio",
    "to_parquet",
]
