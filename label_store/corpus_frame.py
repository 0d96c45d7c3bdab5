"""The columns of the corpus table, to search, filter, sort and count its rows with pandas."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from label_store.corpus_rows import PROBLEMS, CorpusRow, TableQuery

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = (
    *("file_name", "folded", "emotion", "corpus", "suspicion", "revision", "start", "end"),
    *PROBLEMS,
)
ORDER: Final = ("file_name", "corpus", "start", "end")
"""What decides between rows that are alike; segments stay in their order in time."""

FEW: Final = 100
"""Rows that are changed in the frame one by one; it is made anew for more."""

_Record = tuple[str | float | bool, ...]


class CorpusFrame:
    """What can be asked of the rows of a table, by their places in it."""

    def __init__(self) -> None:
        self._records: list[_Record] = []
        self._made: pd.DataFrame | None = None
        self._changed: set[int] = set()

    def put(self, place: int, row: CorpusRow) -> None:
        """Take a row in, or what became of it.

        Args:
            place: of a row that is there, or the next one.
            row: as it stands.
        """
        record: _Record = (
            row.file_name,
            row.file_name.casefold(),
            row.emotion,
            row.corpus,
            row.prediction.suspicion if row.prediction else -1.0,
            row.revision,
            -1.0 if row.start is None else row.start,
            -1.0 if row.end is None else row.end,
            *(problem in row.problems for problem in PROBLEMS),
        )
        if place == len(self._records):
            self._records.append(record)
        else:
            self._records[place] = record
        self._changed.add(place)

    def _frame(self, hidden: Collection[int]) -> pd.DataFrame:
        import pandas as pd

        if self._made is None or len(self._made) < len(self._records) or len(self._changed) > FEW:
            self._made = pd.DataFrame.from_records(self._records, columns=list(COLUMNS))
        else:
            for place in self._changed:
                for name, value in zip(COLUMNS, self._records[place], strict=True):
                    self._made.at[place, name] = value
        self._changed.clear()
        return self._made.drop(index=list(hidden))

    def find(self, query: TableQuery, hidden: Collection[int] = ()) -> list[int]:
        """Return the places of the rows that a query finds, in its order.

        Args:
            query: what was asked for; its page is left to the caller.
            hidden: places that count as not there.
        """
        if not self._records:
            return []
        frame = self._frame(hidden)
        if query.corpus:
            frame = frame[frame["corpus"] == query.corpus]
        if query.emotion:
            frame = frame[frame["emotion"] == query.emotion]
        if query.problem == "any":
            frame = frame[frame[list(PROBLEMS)].any(axis=1)]
        elif query.problem:
            frame = frame[frame[query.problem]] if query.problem in PROBLEMS else frame[:0]
        if query.search:
            search = query.search.casefold()
            frame = frame[frame["folded"].str.contains(search, regex=False)]
        columns = list(dict.fromkeys((query.sort, *ORDER)))
        places: list[int] = frame.sort_values(
            columns, ascending=not query.descending
        ).index.tolist()
        return places

    def counts(self, hidden: Collection[int] = ()) -> dict[str, dict[str, int]]:
        """Return how many rows each ``emotion``, ``corpus`` and ``problem`` has.

        Args:
            hidden: places that count as not there.
        """
        frame = self._frame(hidden)
        found: dict[str, dict[str, int]] = {
            name: {str(key): int(count) for key, count in frame.groupby(name).size().items()}
            for name in ("emotion", "corpus")
        }
        totals = frame[list(PROBLEMS)].sum()
        found["problem"] = {name: int(totals[name]) for name in PROBLEMS if totals[name]}
        return found
