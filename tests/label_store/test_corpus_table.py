"""The corpus table: what is wrong is seen, found and mended, also with 50,000 rows."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from label_store import ConflictError, LabelEvent, LabelStore, StoreError, SyncError
from label_store.corpus_table import CorpusRow, CorpusTable, Opinion, Query
from label_store.hub_sync import Remote, pull, push

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
    opinions = {"name:mine/a.wav": Opinion("fear", 0.95, {"fear": 0.9, "joy": 0.1}, "v1")}
    return CorpusTable(LabelStore(tmp_path), rows(), EMOTIONS, opinions=opinions)


def test_every_row_says_what_is_wrong_with_it(table: CorpusTable) -> None:
    found = {row.file_name: row.problems for row in table.page(Query()).rows}
    assert found == {
        "a.wav": ("suspected-error",),
        "b.wav": ("unknown-emotion",),
        "c.wav": ("missing-file",),
        "D.wav": ("duplicate",),
        "d.wav": ("duplicate",),
        "e.wav": (),
    }
    assert table.counts()["problem"]["duplicate"] == 2
    assert table.page(Query(problem="any")).total == 5
    assert table.page(Query(corpus="other")).rows[0].file_name == "e.wav"
    assert table.page(Query(search="D.WAV")).total == 2
    assert table.page(Query(sort="suspicion", descending=True)).rows[0].file_name == "a.wav"
    page = table.page(Query(size=4, page=9))
    assert (page.page, page.pages, len(page.rows)) == (1, 2, 2)
    with pytest.raises(StoreError):
        table.page(Query(sort="mood"))


def test_corrections_of_either_cell_stay_with_the_row(table: CorpusTable) -> None:
    table.correct("name:mine/b.wav", "ada", emotion="joy", file_name="better.wav")
    row = table.row("name:mine/b.wav")
    assert (row.file_name, row.emotion, row.problems) == ("better.wav", "joy", ())
    table.correct("name:mine/b.wav", "ada", emotion="fear")
    assert table.row("name:mine/b.wav").emotion == "fear"
    again = CorpusTable(LabelStore(table.store.home), rows(), EMOTIONS)
    assert again.row("name:mine/b.wav") == table.row("name:mine/b.wav")
    assert again.page(Query()).total == 6


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
    assert table.page(Query()).total == 6
    assert (table.row(clip).file_name, table.row(clip).emotion) == ("c.wav", "fear")


def test_a_batch_of_opinions_is_accepted_with_what_the_model_said(table: CorpusTable) -> None:
    with pytest.raises(StoreError, match="no model's opinion"):
        table.accept_opinions(["name:mine/a.wav", CLIP], "ada")
    assert table.store.revision == 0
    table.accept_opinions(["name:mine/a.wav"], "ada")
    (event,) = table.store.events()
    assert (event.emotion, event.prediction, event.model_version) == ("fear", "fear", "v1")
    assert table.row("name:mine/a.wav").problems == ()


def test_fifty_thousand_rows_stay_usable(tmp_path: Path) -> None:
    many = [CorpusRow(f"{n:06d}.wav", EMOTIONS[n % 3], f"c{n % 5}") for n in range(50_000)]
    table = CorpusTable(LabelStore(tmp_path), many, EMOTIONS)
    table.page(Query())
    spent = time.process_time()
    table.correct("name:c0/000000.wav", "ada", emotion="fear")
    assert table.page(Query(search="000000")).rows[0].emotion == "fear"
    assert table.page(Query(emotion="joy", sort="corpus", page=3)).rows[0].corpus == "c0"
    assert time.process_time() - spent < 2.0


class Folder:
    """A data set on the Hub, as far as it concerns us."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.down = False

    def remote(self) -> Remote:
        return Remote(self.upload, lambda: list(self.files), self.files.__getitem__)

    def upload(self, data: bytes, name: str) -> None:
        if self.down:
            raise ConnectionError("no route to host")
        assert self.files.get(name, data) == data, "a shard never changes"
        self.files[name] = data


def label(store: LabelStore, data: bytes, emotion: str) -> None:
    clip = store.keep_clip(data, ".wav")
    store.append(LabelEvent(action="label", annotator="ada", clip=clip, emotion=emotion))


def test_shards_bring_a_store_back_after_the_disk_is_gone(tmp_path: Path) -> None:
    hub = Folder()
    first = LabelStore(tmp_path / "first")
    label(first, b"one", "joy")
    assert push(first, hub.remote(), clips=True) == 1
    assert push(first, hub.remote()) == 0
    label(first, b"one", "fear")
    assert push(first, hub.remote()) == 1
    second = LabelStore(tmp_path / "second")
    assert pull(second, hub.remote(), clips=True) == 2
    assert pull(second, hub.remote()) == 0
    assert second.events() == first.events()
    assert second.clip_path(CLIP).read_bytes() == b"one"
    label(second, b"two", "anger")
    assert push(second, hub.remote()) == 1
    assert pull(first, hub.remote()) == 1
    assert first.events() == second.events()


def test_two_machines_apart_merge_to_the_same_order(tmp_path: Path) -> None:
    hub = Folder()
    stores = [LabelStore(tmp_path / name) for name in ("a", "b")]
    for n in range(6):
        label(stores[n % 2], b"one", EMOTIONS[n % 3])
    for store in stores * 2:
        push(store, hub.remote())
        pull(store, hub.remote())
    assert stores[0].events() == stores[1].events()
    assert len(stores[0].events()) == 6


def test_a_failed_push_is_told_and_made_up_for(tmp_path: Path) -> None:
    hub = Folder()
    store = LabelStore(tmp_path)
    label(store, b"one", "joy")
    hub.down = True
    with pytest.raises(SyncError, match="safe on this machine"):
        push(store, hub.remote())
    hub.down = False
    assert push(store, hub.remote()) == 1
    (name,) = hub.files
    hub.files[name] += b"forged"
    with pytest.raises(SyncError, match="other bytes"):
        pull(LabelStore(tmp_path / "other"), hub.remote())
