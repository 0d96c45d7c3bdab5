"""The corpus table: what is wrong is seen, found and mended, also with 50,000 rows."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from label_store import ConflictError, LabelEvent, LabelStore, StoreError
from label_store.corpus_rows import CorpusRow, RowPrediction, TableQuery
from label_store.corpus_table import CorpusTable

EMOTIONS = ("anger", "joy", "fear")
CLIP = hashlib.sha256(b"one").hexdigest()


def rows() -> list[CorpusRow]:
    return [
        CorpusRow("a.wav", "joy", "mine"),
        CorpusRow("b.wav", "hungry", "mine"),
        CorpusRow("c.wav", "joy", "mine", present=False),
        CorpusRow("D.wav", "fear", "mine"),
        CorpusRow("d.wav", "joy", "mine"),
        CorpusRow("e.wav", "anger", "other", clip=CLIP),
    ]


@pytest.fixture
def table(tmp_path: Path) -> CorpusTable:
    opinions = {"name:mine/a.wav": RowPrediction("fear", 0.95, {"fear": 0.9, "joy": 0.1}, "v1")}
    return CorpusTable(LabelStore(tmp_path), rows(), EMOTIONS, predictions=opinions)


def test_every_row_says_what_is_wrong_with_it(table: CorpusTable) -> None:
    found = {row.file_name: row.problems for row in table.page(TableQuery()).rows}
    assert found == {
        "a.wav": ("suspected-error",),
        "b.wav": ("unknown-emotion",),
        "c.wav": ("missing-file",),
        "D.wav": ("duplicate",),
        "d.wav": ("duplicate",),
        "e.wav": (),
    }
    assert table.counts()["problem"]["duplicate"] == 2
    assert table.page(TableQuery(problem="any")).total == 5
    assert table.page(TableQuery(corpus="other")).rows[0].file_name == "e.wav"
    assert table.page(TableQuery(search="D.WAV")).total == 2
    assert table.page(TableQuery(sort="suspicion", descending=True)).rows[0].file_name == "a.wav"
    page = table.page(TableQuery(size=4, page=9))
    assert (page.page, page.pages, len(page.rows)) == (1, 2, 2)
    with pytest.raises(StoreError):
        table.page(TableQuery(sort="mood"))


def test_corrections_of_either_cell_stay_with_the_row(table: CorpusTable) -> None:
    table.correct("name:mine/b.wav", "ada", emotion="joy", file_name="better.wav")
    row = table.row("name:mine/b.wav")
    assert (row.file_name, row.emotion, row.problems) == ("better.wav", "joy", ())
    table.correct("name:mine/b.wav", "ada", emotion="fear")
    assert table.row("name:mine/b.wav").emotion == "fear"
    again = CorpusTable(LabelStore(table.store.home), rows(), EMOTIONS)
    assert again.row("name:mine/b.wav") == table.row("name:mine/b.wav")
    assert again.page(TableQuery()).total == 6


def test_a_stale_row_is_not_corrected(table: CorpusTable) -> None:
    head = table.row(CLIP).head
    table.store.append(LabelEvent(action="label", annotator="ben", clip=CLIP, emotion="joy"))
    with pytest.raises(ConflictError):
        table.correct(CLIP, "ada", emotion="fear", expect=head)
    table.correct(CLIP, "ada", emotion="fear", expect=table.row(CLIP).head)
    assert table.row(CLIP).problems == ("disagreement",)


def test_a_label_by_hash_finds_the_row_that_had_only_a_name(table: CorpusTable) -> None:
    clip = table.store.keep_clip(b"bytes of c", ".wav")
    table.store.append(
        LabelEvent(
            action="label",
            annotator="ada",
            clip=clip,
            file_name="c.wav",
            corpus="mine",
            emotion="fear",
        )
    )
    assert table.page(TableQuery()).total == 6
    assert (table.row(clip).file_name, table.row(clip).emotion) == ("c.wav", "fear")


def test_a_batch_of_opinions_is_accepted_with_what_the_model_said(table: CorpusTable) -> None:
    with pytest.raises(StoreError, match="no prediction to accept"):
        table.accept_predictions(["name:mine/a.wav", CLIP], "ada")
    assert table.store.revision == 0
    table.accept_predictions(["name:mine/a.wav"], "ada")
    (event,) = table.store.events()
    assert (event.emotion, event.prediction, event.model_version) == ("fear", "fear", "v1")
    assert table.row("name:mine/a.wav").problems == ()


def test_fifty_thousand_rows_stay_usable(tmp_path: Path) -> None:
    many = [CorpusRow(f"{n:06d}.wav", EMOTIONS[n % 3], f"c{n % 5}") for n in range(50_000)]
    table = CorpusTable(LabelStore(tmp_path), many, EMOTIONS)
    table.page(TableQuery())
    spent = time.process_time()
    table.correct("name:c0/000000.wav", "ada", emotion="fear")
    assert table.page(TableQuery(search="000000")).rows[0].emotion == "fear"
    assert table.page(TableQuery(emotion="joy", sort="corpus", page=3)).rows[0].corpus == "c0"
    assert time.process_time() - spent < 2.0
