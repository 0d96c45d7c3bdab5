"""The corpus table without the page: what is wrong, corrections, batches, imports, bad input."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from label_store.corpus_table import Query
from label_store.errors import ConflictError, StoreError
from label_store.event import LabelEvent
from ser_core.errors import UnknownEmotionError
from ui import corpus_parts
from ui.analysis import PageError
from ui.corpus import acted, batched, choices, drawn, filtered, view
from ui.corpus_catalogue import Catalogue, Source
from ui.corpus_desk import CorpusDesk
from ui.corpus_exchange import applied, exported, previewed
from ui.identity import Annotator
from ui.label_clip import Shelf
from ui.label_opinions import Heard, Opinions, out_of_sample
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")
NAMES = ("03a01Fa.wav", "03a02Wa.wav", "03a04Ta.wav", "08a01Na.wav")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(b"RIFF" + bytes([number]) * 30)
    return tmp_path / "home"


@pytest.fixture
def desk(home: Path) -> CorpusDesk:
    return CorpusDesk(Services(AppSettings(home=home)))


def rows(desk: CorpusDesk, **query: Any) -> dict[str, Any]:
    return {row.file_name: row for row in desk.page(Query(**query)).rows}


def test_the_table_follows_the_corpora(desk: CorpusDesk, home: Path) -> None:
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "joy"
    (home / "corpora" / "emodb" / "wav" / "09a01La.wav").write_bytes(b"RIFF new")
    assert rows(desk)["wav/09a01La.wav"].emotion == "boredom"


def test_a_correction_keeps_the_clip_and_reaches_the_store(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    saved = desk.correct(ADA, "s", row.key, row.head, emotion="Wut")
    assert saved[0].event.emotion == "anger"
    clip = saved[0].event.clip
    assert desk.services.store.clip_path(clip) is not None
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "anger"
    assert len(rows(desk)) == len(NAMES)


def test_a_rename_is_seen_everywhere(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a02Wa.wav"]
    desk.correct(ADA, "s", row.key, row.head, file_name="angry/first.wav")
    assert "angry/first.wav" in rows(desk)
    assert len(rows(desk)) == len(NAMES)
    row = rows(desk)["angry/first.wav"]
    desk.correct(ADA, "s", row.key, row.head, emotion="fear")
    view_ = desk.services.store.clip(row.clip)
    assert (view_.file_name, view_.whole()) == ("angry/first.wav", {"ada": "fear"})
    assert desk.clip_of(rows(desk)["angry/first.wav"])[0] == row.clip


def test_an_outdated_row_is_refused(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    desk.correct(ADA, "s", row.key, row.head, emotion="anger")
    now = rows(desk)["wav/03a01Fa.wav"]
    with pytest.raises(ConflictError):
        desk.correct(ADA, "t", now.key, None, emotion="fear")
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "anger"


@pytest.mark.parametrize(
    "name", ["../../x.wav", "/etc/passwd", "a\0b.wav", "x" * 2000, "C:\\x.wav"]
)
def test_names_that_no_file_should_have_are_refused(desk: CorpusDesk, name: str) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    with pytest.raises(StoreError):
        desk.correct(ADA, "s", row.key, row.head, file_name=name)
    assert desk.services.store.revision == 0


def test_unknown_emotions_and_strangers_change_nothing(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    with pytest.raises(UnknownEmotionError):
        desk.correct(ADA, "s", row.key, row.head, emotion="hapyy!")
    for act in ("word", "take", "turn"):
        assert "refused" in batched(desk, VISITOR, "s", act, [row.key])
    with pytest.raises(PageError):
        desk.correct(VISITOR, "s", row.key, row.head, emotion="joy")
    with pytest.raises(PageError):
        exported(desk, VISITOR, "csv")
    assert desk.services.store.revision == 0


def test_raw_messages_get_a_sentence(desk: CorpusDesk) -> None:
    shelf = Shelf(desk.services)
    for message in ("", "[]", "7", "{", '{"do": "play", "key": "nope"}', '{"do": ["x"]}', "null"):
        out = acted(desk, shelf, ADA, "s", Query(), message)
        assert len(out) == 4
    assert corpus_parts.parsed_keys('{"a": 1}') == []
    assert desk.services.store.revision == 0


def test_sorting_paging_and_filters(desk: CorpusDesk) -> None:
    shelf = Shelf(desk.services)
    query = acted(desk, shelf, ADA, "s", Query(), json.dumps({"do": "sort", "to": "emotion"}))[0]
    assert (query.sort, query.descending) == ("emotion", False)
    query = acted(desk, shelf, ADA, "s", query, json.dumps({"do": "sort", "to": "emotion"}))[0]
    assert query.descending
    query = acted(desk, shelf, ADA, "s", Query(size=2), json.dumps({"do": "page", "to": "1"}))[0]
    assert query.page == 1
    found = rows(desk, search="08A01")
    assert list(found) == ["wav/08a01Na.wav"]
    assert filtered(Query(page=3), "x", "", "joy", "").page == 0
    assert any("emodb · 4" in str(one) for one in choices(desk))


def test_the_models_word_is_taken_for_ticked_rows_only(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    sha = desk.clip_of(row)[0]
    Opinions(desk.services).add({sha: Heard({"anger": 0.9, "joy": 0.1})})
    desk._hash()
    row = rows(desk)["wav/03a01Fa.wav"]
    assert row.opinion is not None
    assert row.opinion.emotion == "anger"
    assert "refused" in batched(desk, ADA, "s", "word", [])
    assert "done" in batched(desk, ADA, "s", "word", [row.key])
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "anger"
    event = desk.services.store.history(sha)[-1]
    assert (event.prediction, event.prediction_visible) == ("anger", True)
    assert desk.services.store.clip_path(sha) is not None


def test_suspicion_needs_a_speaker_that_the_model_never_heard(desk: CorpusDesk) -> None:
    heard = Source("emodb", "a", None, side="train")
    unheard = Source("emodb", "b", None, side="test")
    assert not out_of_sample(desk.services, heard)
    assert out_of_sample(desk.services, unheard)


def test_a_visitors_suggestion_waits_until_it_is_accepted(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    sha, _ = desk.clip_of(row)
    store = desk.services.store
    event = LabelEvent(action="suggest", annotator="v", clip=sha, corpus="emodb",
                       file_name="wav/03a01Fa.wav", emotion="fear")  # fmt: skip
    store.append(event)
    row = rows(desk)["wav/03a01Fa.wav"]
    assert row.problems == ("suggestion",)
    assert row.emotion == "joy"
    assert "1 suggestions accepted" in batched(desk, ADA, "s", "take", [row.key])
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "fear"


def test_an_import_shows_what_it_would_change_before_it_does(
    desk: CorpusDesk, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "\ufeffFilename;Emotion\r\n03a01Fa.wav;Wut\r\n08a01Na.wav;hapyyyy\r\n"
        "../climb.wav;joy\r\n'=cmd.wav;joy\r\n",
        encoding="utf-8",
    )
    made, text, _ = previewed(desk, ADA, str(table))
    assert made is not None
    assert "unknown-emotion" in text
    assert "unsafe-path" in text
    assert desk.services.store.revision == 0
    held, text, _ = applied(desk, ADA, "s", made)
    assert held is None
    assert "Saved" in text
    assert rows(desk)["wav/03a01Fa.wav"].emotion == "anger"
    assert "=cmd.wav" in rows(desk)
    assert previewed(desk, VISITOR, str(table))[0] is None
    assert "refused" in applied(desk, VISITOR, "s", made)[1]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x00\x01", b"Filename,Emotion\n"])
def test_tables_that_make_no_sense_get_a_sentence(
    desk: CorpusDesk, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    made, text, _ = previewed(desk, ADA, str(path))
    assert made is None
    assert text


@pytest.mark.parametrize("kind", ["csv", "excel", "label-studio", "audiofolder"])
def test_exports(desk: CorpusDesk, kind: str) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    desk.correct(ADA, "s", row.key, row.head, emotion="fear", file_name="=1+1.wav")
    path = Path(exported(desk, ADA, kind))
    assert path.stat().st_size > 20
    if kind == "csv":
        assert path.read_bytes().startswith(b"Filename,Emotion")
        assert b"'=1+1.wav,fear" in path.read_bytes()


def test_pictures_of_balance_and_agreement(desk: CorpusDesk) -> None:
    balance, words, _ = drawn(desk)
    assert sum(balance.data[0].x) == len(NAMES)
    assert "no agreement" in words
    row = rows(desk)["wav/03a01Fa.wav"]
    for name, emotion in (("ada", "fear"), ("bob", "joy")):
        who = Annotator(name, may_write=True)
        row = rows(desk)["wav/03a01Fa.wav"]
        desk.correct(who, "s", row.key, row.head, emotion=emotion)
    assert rows(desk, problem="disagreement") or rows(desk)["wav/03a01Fa.wav"].emotion
    assert "1</b> clips" in drawn(desk)[1]


def test_names_are_escaped(desk: CorpusDesk) -> None:
    row = rows(desk)["wav/03a01Fa.wav"]
    desk.correct(ADA, "s", row.key, row.head, file_name='"><img src=x onerror=alert(1)>.wav')
    text = view(desk, Query(), "")[1]
    assert "<img" not in text


def test_fifty_thousand_rows_stay_usable(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "home"))
    desk = CorpusDesk(services)
    many = {
        ("big", f"clip{number:05d}.wav"): Source("big", f"clip{number:05d}.wav", None, "joy")
        for number in range(50_000)
    }
    desk.table()
    desk._sources = many
    desk._make(hashes=False)
    desk.page(Query())
    begun = time.process_time()
    page = desk.page(Query(search="clip4", page=7, sort="emotion"))
    text = corpus_parts.table(page, Query(), {})
    spent = time.process_time() - begun
    assert page.total == 10_000
    assert len(text) < 200_000
    assert spent < 2.0


def test_hashes_are_remembered_and_follow_a_change(home: Path) -> None:
    services = Services(AppSettings(home=home))
    catalogue = Catalogue(home, services.store)
    source = catalogue.listing().sources[0]
    first = catalogue.hash_of(source)
    catalogue.hashed(catalogue.listing().sources)
    again = Catalogue(home, services.store)
    assert again.known_hash(source) == first
    assert source.path is not None
    source.path.write_bytes(b"RIFF another sound")
    assert again.hash_of(source) != first


def test_a_folder_that_is_no_corpus_is_said(home: Path) -> None:
    strange = home / "corpora" / "strange"
    strange.mkdir()
    (strange / "x.wav").write_bytes(b"RIFF")
    desk = CorpusDesk(Services(AppSettings(home=home)))
    assert "strange" in view(desk, Query(), "")[1]
    assert len(rows(desk)) == len(NAMES)
