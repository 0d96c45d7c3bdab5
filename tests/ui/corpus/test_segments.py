"""Segments in the corpus table: a row each, whose label changes alone, from import to export."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from label_store.__main__ import main
from label_store.consensus import consensus
from label_store.corpus_rows import CorpusRow, TableQuery
from label_store.event import LabelEvent
from ser_core.audio import to_wav_bytes
from tests.ui.conftest import voice
from ui.clip_cache import ClipCache
from ui.corpus.adjudication import Adjudication
from ui.corpus.exchange import applied, exported, previewed
from ui.corpus.session import CorpusTableService
from ui.corpus.tab import acted, batched, view
from ui.identity import Annotator
from ui.services import Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
FIRST, SECOND = (0.0, 1.0), (1.0, 2.25)


@pytest.fixture
def service(services: Services) -> CorpusTableService:
    """A corpus of one talk that its table labels in two parts, and a clip without a label."""
    folder = services.home / "corpora" / "talks"
    folder.mkdir(parents=True)
    (folder / "talk.wav").write_bytes(to_wav_bytes(voice(3.0), 16_000))
    (folder / "plain.wav").write_bytes(to_wav_bytes(voice(1.2), 16_000))
    (folder / "labels.csv").write_text(
        "file,start,end,emotion,speaker\ntalk.wav,0,1,joy,ann\ntalk.wav,1,2.25,anger,ann\n"
        "plain.wav,,,,ben\n"
    )
    return CorpusTableService(services)


def found(service: CorpusTableService) -> dict[tuple[str, float | None, float | None], CorpusRow]:
    return {(row.file_name, row.start, row.end): row for row in service.page(TableQuery()).rows}


def emotions(service: CorpusTableService) -> dict[tuple[str, float | None, float | None], str]:
    return {place: row.emotion for place, row in found(service).items()}


def test_segments_go_from_a_table_through_import_and_correction_to_export(
    service: CorpusTableService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = {("talk.wav", *FIRST): "joy", ("talk.wav", *SECOND): "anger"}
    assert emotions(service) == talk | {("plain.wav", None, None): ""}
    # One of the two comes in corrected: the other stays as the corpus has it.
    table = tmp_path / "mine.csv"
    table.write_text("Filename,Start,End,Emotion\ntalk.wav,1,2.25,fear\n")
    made, text, _ = previewed(service, ADA, str(table))
    assert "1–2.25 s" in text
    applied(service, ADA, "s", made)
    talk["talk.wav", *SECOND] = "fear"
    assert emotions(service) == talk | {("plain.wav", None, None): ""}
    # The other is corrected in the table, by the page's own message.
    row = found(service)["talk.wav", *FIRST]
    message = {"do": "emotion", "to": "sadness", "key": row.key, "head": row.head or ""}
    clips = ClipCache(service.services)
    out = acted(service, clips, ADA, "s", TableQuery(), json.dumps(message))
    assert "Saved" in out[2]
    talk["talk.wav", *FIRST] = "sadness"
    assert emotions(service) == talk | {("plain.wav", None, None): ""}
    assert out[1].count('class="part"') == 2
    # What was changed says so beside it, and what is played is the segment.
    line = next(one for one in out[1].split("<tr") if "0–1 s" in one)
    assert "Saved" in line
    row = found(service)["talk.wav", *SECOND]
    out = acted(service, clips, ADA, "s", TableQuery(), json.dumps({"do": "play", "key": row.key}))
    assert "#t=1.0,2.25" in out[3]

    home = str(service.services.home)
    assert main(["status"], {"SER_HOME": home}) == 0
    assert "2 events, 2 labels by 1 annotator." in capsys.readouterr().out
    with Path(exported(service, ADA, "csv")[0]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["Start"], one["End"], one["Emotion"]) for one in rows] == [
        ("0.0", "1.0", "sadness"),
        ("1.0", "2.25", "fear"),
    ]


def test_a_segment_behind_the_end_is_left_out_with_its_reason(
    service: CorpusTableService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("Filename,Start,End,Emotion\ntalk.wav,5,6,fear\ntalk.wav,2,9,joy\n")
    made, text, _ = previewed(service, ADA, str(table))
    assert made is not None
    assert [one.row.start for one in made.changes] == [2.0]
    assert "begins at 5 s, and the recording ends at 3.00 s" in text
    # A header that tells less than the file holds, as of a recorder that was switched off.
    talk = service.services.home / "corpora" / "talks" / "talk.wav"
    data = talk.read_bytes()
    at = data.index(b"data") + 4
    talk.write_bytes(data[:at] + (2_000).to_bytes(4, "little") + data[at + 4 :])
    made, text, _ = previewed(service, ADA, str(table))
    assert made is not None
    assert [one.row.start for one in made.changes] == [2.0]
    words = ["import", str(table), "--dry-run"]
    assert main(words, {"SER_HOME": str(service.services.home)}) == 0
    assert "1 × beyond the end, for example row 2: talk.wav" in capsys.readouterr().out


def test_an_annotators_segments_are_rows_beside_the_clip_and_go_when_they_are_undone(
    service: CorpusTableService,
) -> None:
    store = service.services.store
    sha, source = service.clip_of(found(service)["plain.wav", None, None])
    for start, end, emotion in ((0.1, 0.5, "joy"), (0.5, 1.0, "fear")):
        store.append(
            LabelEvent(
                action="label", annotator="ada", clip=sha, corpus="talks", session="s",
                file_name=source.name, start=start, end=end, emotion=emotion,
            )
        )  # fmt: skip
    rows = found(service)
    assert rows["plain.wav", None, None].problems == ()
    assert rows["plain.wav", 0.1, 0.5].emotion == "joy"
    service.correct(ADA, "s", rows["plain.wav", 0.1, 0.5].key, rows["plain.wav", 0.1, 0.5].head,
                    emotion="anger")  # fmt: skip
    assert {one.start: one.emotion for one in consensus(store).labels} == {
        0.1: "anger",
        0.5: "fear",
    }
    assert "whole clips" in batched(
        service, ADA, "s", "word", [found(service)["plain.wav", 0.1, 0.5].key]
    )
    store.withdraw("ada", sha, 0.1, 0.5)
    assert ("plain.wav", 0.1, 0.5) not in found(service)
    store.withdraw("ada", sha, 0.5, 1.0)
    assert found(service)["plain.wav", None, None].problems == ("unlabelled",)


def test_disputed_segments_of_one_file_are_decided_one_by_one(service: CorpusTableService) -> None:
    store, eve = service.services.store, Annotator("eve", may_write=True, may_train=True)
    sha, _ = service.clip_of(found(service)["talk.wav", *FIRST])
    for start, end in (FIRST, SECOND):
        for who, emotion in (("ada", "joy"), ("ben", "fear")):
            store.append(
                LabelEvent(
                    action="label", annotator=who, clip=sha, corpus="talks",
                    file_name="talk.wav", start=start, end=end, emotion=emotion,
                )
            )  # fmt: skip
    assert [row.problems for row in found(service).values() if row.clip == sha] == [
        ("disagreement",),
        ("disagreement",),
    ]
    work = Adjudication(service, ClipCache(service.services))
    shown = work.next(eve)
    assert shown is not None
    assert (shown.dispute.start, shown.given) == (0.0, "joy")
    work.decide(eve, "s", shown.ticket, "sadness")
    assert emotions(service)["talk.wav", *FIRST] == "sadness"
    assert found(service)["talk.wav", *SECOND].problems == ("disagreement",)


def test_a_contradicted_segment_leaves_the_others_of_its_file(
    service: CorpusTableService, tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        "Filename,Start,End,Emotion\ntalk.wav,0,1,fear\ntalk.wav,0,1,joy\ntalk.wav,1,2.25,fear\n"
    )
    made, text, _ = previewed(service, ADA, str(table))
    assert "neither is taken" in text
    assert [(one.row.start, one.row.emotion) for one in made.changes] == [(1.0, "fear")]
    assert "two annotators" not in text
    # Two people's labels are no contradiction, once each row is its annotator's.
    table.write_text("Filename,Emotion,Annotator\nplain.wav,fear,ann\nplain.wav,joy,ben\n")
    assert "of two annotators" in previewed(service, ADA, str(table))[1]
    made, text, _ = previewed(service, ADA, str(table), keep_annotators=True)
    assert [one.row.annotator for one in made.changes] == ["ann", "ben"]


def test_a_name_corrected_to_an_unlabelled_file_is_one_row(service: CorpusTableService) -> None:
    folder = service.services.home / "corpora" / "mine"
    folder.mkdir()
    (folder / "clara_0.wav").write_bytes(to_wav_bytes(voice(1.0), 16_000))
    (folder / "clara_1.wav").write_bytes(to_wav_bytes(voice(0.8), 16_000))
    (folder / "labels.csv").write_text("Filename,Emotion\nwrongname.wav,joy\nclara_1.wav,fear\n")

    def rows() -> dict[str, CorpusRow]:
        listed = service.page(TableQuery(corpus="mine")).rows
        assert len({row.file_name for row in listed}) == len(listed)
        return {row.file_name: row for row in listed}

    assert set(rows()) == {"wrongname.wav", "clara_0.wav", "clara_1.wav"}
    row = rows()["wrongname.wav"]
    service.correct(ADA, "s", row.key, row.head, file_name="clara_0.wav")
    assert set(rows()) == {"clara_0.wav", "clara_1.wav"}
    row = rows()["clara_0.wav"]
    assert (row.emotion, row.problems) == ("joy", ())
    assert service.source(row).path == folder / "clara_0.wav"
    # A label by the file's content is this row's, and stays so when the table is made again.
    service.correct(ADA, "s", row.key, row.head, emotion="sadness")
    assert rows()["clara_0.wav"].emotion == "sadness"
    service._make(hashes=True)
    assert set(rows()) == {"clara_0.wav", "clara_1.wav"}
    row = rows()["clara_0.wav"]
    assert (row.emotion, row.problems) == ("sadness", ())
    service.correct(ADA, "s", row.key, row.head, emotion="anger")
    assert rows()["clara_0.wav"].emotion == "anger"
    # Taken back, the name is wrong again and the other file waits for a label of its own.
    store = service.services.store
    for _ in range(3):
        store.undo("ada")
    assert set(rows()) == {"wrongname.wav", "clara_0.wav", "clara_1.wav"}
    assert "missing-file" in rows()["wrongname.wav"].problems


def test_two_labels_of_a_corpus_for_one_file_stay_two_rows(service: CorpusTableService) -> None:
    folder = service.services.home / "corpora" / "mine"
    folder.mkdir()
    (folder / "clara_1.wav").write_bytes(to_wav_bytes(voice(0.8), 16_000))
    (folder / "labels.csv").write_text("Filename,Emotion\nwrongname.wav,joy\nclara_1.wav,fear\n")
    row = found(service)["wrongname.wav", None, None]
    service.correct(ADA, "s", row.key, row.head, file_name="clara_1.wav")
    rows = service.page(TableQuery(corpus="mine")).rows
    assert sorted((row.emotion, row.problems) for row in rows) == [
        ("fear", ()),
        ("joy", ("duplicate",)),
    ]


def test_what_was_wrong_with_an_emotion_is_not_said_of_its_correction(
    service: CorpusTableService,
) -> None:
    folder = service.services.home / "corpora" / "mine"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.wav").write_bytes(to_wav_bytes(voice(0.8), 16_000) + name.encode())
    (folder / "labels.csv").write_text("Filename,Emotion\na.wav,Joyy\nb.wav,Saad\n")
    query = TableQuery(corpus="mine")
    assert "“Joyy” is not an emotion" in view(service, ADA, query, "")[1]
    row = found(service)["a.wav", None, None]
    service.correct(ADA, "s", row.key, row.head, emotion="joy")
    text = view(service, ADA, query, "")[1]
    assert "“Joyy” is not an emotion" not in text
    assert "“Saad” is not an emotion" in text
