"""The corpus table without the page: what is wrong, corrections, batches, imports, bad input."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from label_store.corpus_rows import TableQuery
from label_store.errors import ConflictError, StoreError
from label_store.event import LabelEvent
from label_store.exchange import timelines
from ser_core.errors import UnknownEmotionError
from ui.catalogue import Catalogue, Source
from ui.clip_cache import ClipCache
from ui.corpus import html
from ui.corpus.exchange import applied, exported, previewed
from ui.corpus.session import CorpusTableService
from ui.corpus.tab import acted, batched, choices, drawn, filtered, view
from ui.errors import PageError
from ui.identity import Annotator
from ui.predictions import ClipPrediction, PredictionCache, out_of_sample
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
def service(home: Path) -> CorpusTableService:
    return CorpusTableService(Services(AppSettings(home=home)))


def rows(service: CorpusTableService, **query: Any) -> dict[str, Any]:
    return {row.file_name: row for row in service.page(TableQuery(**query)).rows}


def test_the_table_follows_the_corpora(service: CorpusTableService, home: Path) -> None:
    assert rows(service)["wav/03a01Fa.wav"].emotion == "joy"
    (home / "corpora" / "emodb" / "wav" / "09a01La.wav").write_bytes(b"RIFF new")
    assert rows(service)["wav/09a01La.wav"].emotion == "boredom"


def test_a_correction_keeps_the_clip_and_reaches_the_store(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    saved = service.correct(ADA, "s", row.key, row.head, emotion="Wut")
    assert saved[0].event.emotion == "anger"
    clip = saved[0].event.clip
    assert service.services.store.clip_path(clip) is not None
    assert rows(service)["wav/03a01Fa.wav"].emotion == "anger"
    assert len(rows(service)) == len(NAMES)


def test_a_rename_is_seen_everywhere(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a02Wa.wav"]
    service.correct(ADA, "s", row.key, row.head, file_name="angry/first.wav")
    assert "angry/first.wav" in rows(service)
    assert len(rows(service)) == len(NAMES)
    row = rows(service)["angry/first.wav"]
    service.correct(ADA, "s", row.key, row.head, emotion="fear")
    view_ = service.services.store.clip(row.clip)
    assert (view_.file_name, view_.whole()) == ("angry/first.wav", {"ada": "fear"})
    assert service.clip_of(rows(service)["angry/first.wav"])[0] == row.clip


def test_an_outdated_row_is_refused(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    service.correct(ADA, "s", row.key, row.head, emotion="anger")
    now = rows(service)["wav/03a01Fa.wav"]
    with pytest.raises(ConflictError):
        service.correct(ADA, "t", now.key, None, emotion="fear")
    assert rows(service)["wav/03a01Fa.wav"].emotion == "anger"


@pytest.mark.parametrize(
    "name", ["../../x.wav", "/etc/passwd", "a\0b.wav", "x" * 2000, "C:\\x.wav"]
)
def test_names_that_no_file_should_have_are_refused(service: CorpusTableService, name: str) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    with pytest.raises(StoreError):
        service.correct(ADA, "s", row.key, row.head, file_name=name)
    assert service.services.store.revision == 0


def test_unknown_emotions_and_strangers_change_nothing(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    with pytest.raises(UnknownEmotionError):
        service.correct(ADA, "s", row.key, row.head, emotion="hapyy!")
    for act in ("word", "take", "turn"):
        assert "refused" in batched(service, VISITOR, "s", act, [row.key])
    with pytest.raises(PageError):
        service.correct(VISITOR, "s", row.key, row.head, emotion="joy")
    with pytest.raises(PageError):
        exported(service, VISITOR, "csv")
    assert service.services.store.revision == 0


def test_raw_messages_get_a_sentence(service: CorpusTableService) -> None:
    clips = ClipCache(service.services)
    for message in ("", "[]", "7", "{", '{"do": "play", "key": "nope"}', '{"do": ["x"]}', "null"):
        out = acted(service, clips, ADA, "s", TableQuery(), message)
        assert len(out) == 4
    assert html.parsed_keys('{"a": 1}') == []
    assert service.services.store.revision == 0


def test_those_who_may_not_label_neither_see_nor_hear_the_clips(
    service: CorpusTableService,
) -> None:
    clips = ClipCache(service.services)
    key = next(iter(rows(service).values())).key
    for message in ({"do": "play", "key": key}, {"do": "sort", "to": "emotion"}, {}):
        out = str(acted(service, clips, VISITOR, "s", TableQuery(), json.dumps(message)))
        assert "only by those who may label" in out
        assert "emodb" not in out
        assert "08a0" not in out
        assert "data:audio" not in out
    for out in (view(service, VISITOR, TableQuery(), ""), drawn(service, VISITOR)):
        assert "only by those who may label" in str(out)
        assert "08a0" not in str(out)
    assert "emodb" not in str(choices(service, VISITOR))


def test_sorting_paging_and_filters(service: CorpusTableService) -> None:
    clips = ClipCache(service.services)
    query = acted(
        service, clips, ADA, "s", TableQuery(), json.dumps({"do": "sort", "to": "emotion"})
    )[0]
    assert (query.sort, query.descending) == ("emotion", False)
    query = acted(service, clips, ADA, "s", query, json.dumps({"do": "sort", "to": "emotion"}))[0]
    assert query.descending
    query = acted(
        service, clips, ADA, "s", TableQuery(size=2), json.dumps({"do": "page", "to": "1"})
    )[0]
    assert query.page == 1
    found = rows(service, search="08A01")
    assert list(found) == ["wav/08a01Na.wav"]
    assert filtered(TableQuery(page=3), "x", "", "joy", "").page == 0
    assert any("emodb · 4" in str(one) for one in choices(service, ADA))


def test_the_models_word_is_taken_for_ticked_rows_only(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    sha = service.clip_of(row)[0]
    PredictionCache(service.services).add({sha: ClipPrediction({"anger": 0.9, "joy": 0.1})})
    service._hash()
    row = rows(service)["wav/03a01Fa.wav"]
    assert row.prediction is not None
    assert row.prediction.emotion == "anger"
    assert "refused" in batched(service, ADA, "s", "word", [])
    assert "done" in batched(service, ADA, "s", "word", [row.key])
    assert rows(service)["wav/03a01Fa.wav"].emotion == "anger"
    event = service.services.store.history(sha)[-1]
    assert (event.prediction, event.prediction_visible) == ("anger", True)
    assert service.services.store.clip_path(sha) is not None


def test_suspicion_needs_an_unseen_speaker(service: CorpusTableService) -> None:
    heard = Source("emodb", "a", None, side="train")
    unseen = Source("emodb", "b", None, side="test")
    assert not out_of_sample(service.services, heard)
    assert out_of_sample(service.services, unseen)


def test_a_visitors_suggestion_waits_until_it_is_accepted(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    sha, _ = service.clip_of(row)
    store = service.services.store
    event = LabelEvent(action="suggest", annotator="v", clip=sha, corpus="emodb",
                       file_name="wav/03a01Fa.wav", emotion="fear")  # fmt: skip
    store.append(event)
    row = rows(service)["wav/03a01Fa.wav"]
    assert row.problems == ("suggestion",)
    assert row.emotion == "joy"
    assert "1 suggestion accepted" in batched(service, ADA, "s", "take", [row.key])
    assert rows(service)["wav/03a01Fa.wav"].emotion == "fear"


def test_an_import_shows_what_it_would_change_before_it_does(
    service: CorpusTableService, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "\ufeffFilename;Emotion\r\n03a01Fa.wav;Wut\r\n08a01Na.wav;hapyyyy\r\n"
        "../climb.wav;joy\r\n'=cmd.wav;joy\r\n",
        encoding="utf-8",
    )
    made, text, _ = previewed(service, ADA, str(table))
    assert made is not None
    assert "unknown-emotion" in text
    assert "missing-file" in text
    assert {one.row.file_name for one in made.changes} >= {"climb.wav"}, "no way out of a folder"
    assert service.services.store.revision == 0
    held, text, _ = applied(service, ADA, "s", made)
    assert held is None
    assert "Saved" in text
    assert rows(service)["wav/03a01Fa.wav"].emotion == "anger"
    assert "=cmd.wav" in rows(service)
    assert previewed(service, VISITOR, str(table))[0] is None
    assert "refused" in applied(service, VISITOR, "s", made)[1]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x00\x01", b"Filename,Emotion\n"])
def test_tables_that_make_no_sense_get_a_sentence(
    service: CorpusTableService, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    made, text, _ = previewed(service, ADA, str(path))
    assert made is None
    assert text


@pytest.mark.parametrize("kind", ["csv", "excel", "label-studio", "audiofolder"])
def test_exports(service: CorpusTableService, kind: str) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    service.correct(ADA, "s", row.key, row.head, emotion="fear", file_name="=1+1.wav")
    path = Path(exported(service, ADA, kind)[0])
    assert path.stat().st_size > 20
    if kind == "csv":
        assert path.read_bytes().startswith(b"Filename,Emotion")
        assert b"'=1+1.wav,fear" in path.read_bytes()


@pytest.mark.parametrize("kind", timelines.FORMATS)
def test_segments_go_out_as_time_lines_and_come_back_corrected(
    service: CorpusTableService, kind: str
) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    with pytest.raises(PageError, match="No segment is labelled"):
        exported(service, ADA, kind)
    sound = service.services.home / "corpora" / row.corpus / row.file_name
    clip = service.services.store.keep_clip(sound.read_bytes(), ".wav")
    service.services.store.append(
        LabelEvent(
            action="label", annotator="ada", clip=clip, corpus=row.corpus,
            file_name=row.file_name, start=0.1, end=0.6, emotion="fear",
        )
    )  # fmt: skip
    path, lacks = exported(service, ADA, kind)
    assert lacks == (timelines.FORMATS[kind].loses,)
    made, text, _ = previewed(service, ADA, path)
    assert made is None, text  # nothing to change
    assert "refused" not in text


def test_pictures_of_balance_and_agreement(service: CorpusTableService) -> None:
    balance, words, _ = drawn(service, ADA)
    assert sum(balance.data[0].x) == len(NAMES)
    assert "labelled by two annotators yet" in words
    row = rows(service)["wav/03a01Fa.wav"]
    for name, emotion in (("ada", "fear"), ("bob", "joy")):
        who = Annotator(name, may_write=True)
        row = rows(service)["wav/03a01Fa.wav"]
        service.correct(who, "s", row.key, row.head, emotion=emotion)
    assert rows(service, problem="disagreement") or rows(service)["wav/03a01Fa.wav"].emotion
    assert "1</b> clip was labelled" in drawn(service, ADA)[1]


def test_names_are_escaped(service: CorpusTableService) -> None:
    row = rows(service)["wav/03a01Fa.wav"]
    service.correct(ADA, "s", row.key, row.head, file_name='"><img src=x onerror=alert(1)>.wav')
    text = view(service, ADA, TableQuery(), "")[1]
    assert "<img" not in text


def test_fifty_thousand_rows_stay_usable(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "home"))
    service = CorpusTableService(services)
    many = tuple(Source("big", f"clip{number:05d}.wav", None, "joy") for number in range(50_000))
    service.table()
    service._sources = many
    service._make(hashes=False)
    service.page(TableQuery())
    begun = time.process_time()
    page = service.page(TableQuery(search="clip4", page=7, sort="emotion"))
    text = html.table(page, TableQuery(), {})
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
    service = CorpusTableService(Services(AppSettings(home=home)))
    assert "strange" in view(service, ADA, TableQuery(), "")[1]
    assert len(rows(service)) == len(NAMES)


def test_rows_without_an_emotion_are_not_labelled_yet(service: CorpusTableService) -> None:
    folder = service.services.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    source = service.services.settings.examples / "2_lively.flac"
    (folder / "a.flac").write_bytes(source.read_bytes())
    (folder / "table.csv").write_text("Filename,Emotion,Speaker\na.flac,,anna\n", encoding="utf-8")
    row = rows(service, corpus="mine")["a.flac"]
    assert row.problems == ("unlabelled",)
    assert "not labelled yet" in html.table(
        service.page(TableQuery(corpus="mine")), TableQuery(), {}
    )
    assert service.source(row).speaker == "anna"
    service.correct(ADA, "s", row.key, row.head, emotion="joy")
    assert rows(service, corpus="mine")["a.flac"].problems == ()


def test_a_name_corrected_to_a_file_that_is_there_is_missing_no_more(
    services: Services, clip: Path
) -> None:
    folder = services.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "right.wav").write_bytes(clip.read_bytes())
    (folder / "labels.csv").write_text("Filename,Emotion\nwrongname.wav,joy\n")
    service = CorpusTableService(services)
    (row,) = [one for one in service.page(TableQuery()).rows if one.file_name == "wrongname.wav"]
    assert "missing-file" in row.problems
    ada = Annotator("ada", may_write=True, may_train=True)
    service.correct(ada, "s", row.key, row.head, file_name="right.wav")
    row = service.row(row.key)
    assert (row.file_name, row.emotion, row.problems) == ("right.wav", "joy", ())
    found = service.source(row)
    assert (found.path, found.problem) == (folder / "right.wav", "")
