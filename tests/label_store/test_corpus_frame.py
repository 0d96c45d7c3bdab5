"""What pandas finds in the corpus table is what a look at every row finds."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from label_store.corpus_frame import FEW, CorpusFrame
from label_store.corpus_rows import PROBLEMS, SORTS, CorpusRow, RowPrediction, TableQuery


def made(rng: random.Random, number: int) -> CorpusRow:
    start = rng.choice([None, None, rng.random()])
    return CorpusRow(
        rng.choice(["a", "B", "Ü", "ß", "(x"]) + f"{rng.randrange(9)}.wav",
        rng.choice(["joy", "anger", ""]),
        rng.choice(["one", "two"]),
        revision=number,
        problems=tuple(rng.sample(PROBLEMS, rng.randrange(3))),
        prediction=rng.choice([None, RowPrediction("joy", rng.random())]),
        start=start,
        end=None if start is None else start + 1,
    )


def order(row: CorpusRow, sort: str) -> tuple:
    last = (row.file_name, row.corpus, *(-1.0 if t is None else t for t in (row.start, row.end)))
    suspicion = row.prediction.suspicion if row.prediction else -1.0
    return (suspicion if sort == "suspicion" else getattr(row, sort), *last)


@pytest.mark.parametrize("changed", [1, FEW + 1])
def test_every_query_finds_what_a_look_at_each_row_finds(changed: int) -> None:
    rng = random.Random(changed)
    rows = [made(rng, number) for number in range(300)]
    frame = CorpusFrame()
    for place, row in enumerate(rows):
        frame.put(place, row)
    assert len(frame.find(TableQuery())) == 300
    for place in range(changed):
        rows[place] = replace(rows[place], emotion="fear", problems=("duplicate",))
        frame.put(place, rows[place])
    hidden = {3, 250}
    there = [row for place, row in enumerate(rows) if place not in hidden]
    for sort in SORTS:
        for query in (
            TableQuery(sort=sort),
            TableQuery(sort=sort, descending=True, corpus="two"),
            TableQuery(sort=sort, emotion="fear", problem="duplicate"),
            TableQuery(sort=sort, problem="any", search="SS"),
            TableQuery(sort=sort, search="(X"),
            TableQuery(sort=sort, problem="no such problem"),
        ):
            wanted = [
                row
                for row in there
                if query.corpus in ("", row.corpus)
                and query.emotion in ("", row.emotion)
                and query.search.casefold() in row.file_name.casefold()
                and (
                    bool(row.problems)
                    if query.problem == "any"
                    else not query.problem or query.problem in row.problems
                )
            ]
            wanted.sort(key=lambda row, by=sort: order(row, by), reverse=query.descending)
            found = [rows[place] for place in frame.find(query, hidden)]
            assert [order(row, sort) for row in found] == [order(row, sort) for row in wanted]
            assert {row.revision for row in found} == {row.revision for row in wanted}
    counts = frame.counts(hidden)
    assert counts["emotion"]["fear"] == sum(row.emotion == "fear" for row in there)
    assert sum(counts["corpus"].values()) == len(there)
    assert counts["problem"]["duplicate"] == sum("duplicate" in row.problems for row in there)


def test_a_table_without_rows_finds_nothing() -> None:
    assert CorpusFrame().find(TableQuery(problem="any", search="x")) == []
    assert CorpusFrame().counts() == {"emotion": {}, "corpus": {}, "problem": {}}
