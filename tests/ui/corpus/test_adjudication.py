"""Adjudication on the page: blind until asked, heard before decided, everybody's labels after."""

from __future__ import annotations

import re
from typing import Any

import pytest

from label_store.annotators import Practice, write_annotator_settings
from label_store.consensus import consensus
from label_store.corpus_rows import TableQuery
from label_store.event import LabelEvent
from ser_core.audio import to_wav_bytes
from tests.ui.conftest import voice
from ui import language
from ui.calls import UNEXPECTED
from ui.clip_cache import ClipCache
from ui.corpus.adjudication import Adjudication
from ui.corpus.adjudication_panel import NOTHING_OPEN, card, decided, undone, view
from ui.corpus.session import CorpusTableService
from ui.identity import Annotator
from ui.mixed import SAME
from ui.services import Services

EVE = Annotator("eve", may_write=True, may_train=True, may_suggest=True)
BEN = Annotator("ben", may_write=True, may_suggest=True, reason="Ask eve.")


@pytest.fixture
def service(services: Services) -> CorpusTableService:
    folder = services.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    for number, name in enumerate(("happy_a", "happy_b")):
        sound = to_wav_bytes(voice(0.6 + number / 5), 16_000)
        (folder / f"{name}.wav").write_bytes(sound)
    (folder / "broken.wav").write_bytes(b"RIFF" + bytes(60))
    rows = "happy_a.wav,joy\nhappy_b.wav,joy\nbroken.wav,joy\n"
    (folder / "labels.csv").write_text("Filename,Emotion\n" + rows)
    return CorpusTableService(services)


@pytest.fixture
def work(service: CorpusTableService) -> Adjudication:
    for name in ("happy_a.wav", "happy_b.wav"):
        dispute(service, name, ada="joy", ben="fear")
    return Adjudication(service, ClipCache(service.services))


def dispute(
    service: CorpusTableService, name: str, second: str = "", intensity: int | None = None,
    **given: str,
) -> str:  # fmt: skip
    row = next(one for one in service.page(TableQuery()).rows if one.file_name == name)
    sha, _ = service.clip_of(row)
    for who, emotion in given.items():
        event = LabelEvent(
            action="label", annotator=who, clip=sha, file_name=name, corpus="mine",
            emotion=emotion, second_emotion=second, intensity=intensity,
        )  # fmt: skip
        service.services.store.append(event)
    return sha


def text(outputs: tuple[Any, ...]) -> str:
    return f"{outputs[0]} {outputs[1]} {outputs[2]}"


def ticket(work: Adjudication) -> str:
    shown = work.next(EVE)
    assert shown is not None
    return shown.ticket


def test_labels_and_names_are_hidden_until_asked(work: Adjudication) -> None:
    blind = text(view(work, EVE, (), ""))
    assert "audio" in blind
    assert "2 annotators · tied" in blind
    for secret in ("happy_a", "ada", "ben", "fear"):  # as words: ids in hexadecimal may hold "ada"
        assert not re.search(rf"\b{secret}", blind)
    told = text(view(work, EVE, (), "", reveal=True))
    for secret in ("happy_a", "ada", "ben", "fear", "the corpus"):
        assert secret in told


def test_a_decision_is_saved_and_shows_what_everybody_said(work: Adjudication) -> None:
    done = text(decided(work, EVE, "s", ticket(work), "fear", ()))
    assert "is fear" in done
    assert "ada joy, ben fear" in done
    assert "1 clip to decide, 1 decided" in done
    assert "before decisions" in done
    store = work.services.store
    assert [one.emotion for one in consensus(store).labels] == ["fear"]
    assert store.clip_path(consensus(store).labels[0].clip_hash) is not None
    decided(work, EVE, "s", ticket(work), "joy", ())
    assert NOTHING_OPEN in text(view(work, EVE, (), ""))
    assert "open again" in text(undone(work, EVE, "s", ()))
    assert "no decision of yours" in text(undone(work, EVE, "other session", ()))


def test_a_decision_carries_a_second_emotion_and_an_intensity(
    work: Adjudication, service: CorpusTableService
) -> None:
    dispute(service, "happy_a.wav", "sadness", 3, carl="anger")
    waiting = work.overview(EVE).waiting
    here = work.shown(next(one for one in waiting if one.file_name == "happy_a.wav"))
    blind, told = card(here, reveal=False), card(here, reveal=True)
    assert "sadness" not in blind
    assert '<b translate="no">anger with sadness, intensity 3</b>' in told
    done = text(decided(work, EVE, "s", here.ticket, "fear", (), "joy|2"))
    assert "happy_a.wav is fear with joy, intensity 2." in done
    assert "ada joy; ben fear; carl anger with sadness, intensity 3" in done
    event = work.services.store.events()[-1]
    assert (event.action, event.second_emotion, event.intensity) == ("adjudicate", "joy", 2)
    (label,) = consensus(work.services.store).labels
    assert label.distribution == pytest.approx({"fear": 0.7, "joy": 0.3})
    assert (label.second_emotion, label.intensity) == ("joy", 2)


def test_undo_says_what_it_takes_back(work: Adjudication) -> None:
    decided(work, EVE, "s", ticket(work), "fear", (), "joy|2")
    told = text(undone(work, EVE, "s", ()))
    assert "fear with joy, intensity 2 undone, the clip is open again." in told
    assert consensus(work.services.store).labels == ()
    decided(work, EVE, "s", ticket(work), "fear", ())
    assert ": undone, the clip is open again." in text(undone(work, EVE, "s", ()))


def test_undo_is_told_in_the_language_of_the_request(
    work: Adjudication, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(work, EVE, "s", ticket(work), "fear", (), "joy|2")
    monkeypatch.setattr(language, "current", lambda: "de")
    told = text(undone(work, EVE, "s", ()))
    assert "Angst mit Freude, Stärke 2 zurückgenommen, die Aufnahme ist wieder offen." in told


@pytest.mark.parametrize(
    ("beside", "message"),
    [("fear|", SAME), ("blorp|", UNEXPECTED), ("joy|4", UNEXPECTED), ("|<b>", UNEXPECTED)],
)
def test_what_fits_no_decision_saves_nothing(work: Adjudication, beside: str, message: str) -> None:
    before = work.services.store.revision
    assert message in text(decided(work, EVE, "s", ticket(work), "fear", (), beside))
    assert work.services.store.revision == before


def test_a_key_for_a_clip_that_changed_meanwhile_saves_nothing(
    work: Adjudication, service: CorpusTableService
) -> None:
    shown = work.next(EVE)
    assert shown is not None
    dispute(service, shown.dispute.file_name, carl="anger")
    before = service.services.store.revision
    assert "Nothing was saved" in text(decided(work, EVE, "s", shown.ticket, "fear", ()))
    assert "no clip to decide" in text(decided(work, EVE, "s", "", "fear", ()))
    assert service.services.store.revision == before


def test_later_goes_through_all_and_comes_back(work: Adjudication) -> None:
    first = ticket(work)
    later = work.postponed(first, ())
    second = work.next(EVE, later)
    assert second is not None
    assert second.ticket != first
    again = work.next(EVE, work.postponed(second.ticket, later))
    assert again is not None
    assert again.ticket == first


def test_what_cannot_be_played_is_not_decided(service: CorpusTableService) -> None:
    dispute(service, "broken.wav", ada="joy", ben="fear")
    work = Adjudication(service, ClipCache(service.services))
    shown = work.next(EVE)
    assert shown is not None
    page = text(view(work, EVE, (), ""))
    assert "can't be played here" in page
    assert "broken.wav" not in page
    assert "Nothing was saved" in text(decided(work, EVE, "s", shown.ticket, "fear", ()))
    assert consensus(service.services.store).labels == ()


def test_who_may_not_decide_is_told(work: Adjudication) -> None:
    shown = ticket(work)
    assert "Ask eve." in text(view(work, BEN, (), ""))
    assert "Ask eve." in text(decided(work, BEN, "s", shown, "fear", ()))
    write_annotator_settings(work.services.store.folder, {"ada", "ben"}, 0.05, by="ada")
    assert "would not count" in text(decided(work, EVE, "s", shown, "fear", ()))
    practice = Practice(3, 0.8, since=work.services.store.revision)
    write_annotator_settings(work.services.store.folder, None, 0.05, by="ada", practice=practice)
    refusal = text(decided(work, EVE, "s", shown, "fear", ()))
    assert "has not passed the practice round" in refusal
    assert consensus(work.services.store, {"ada", "ben"}).labels == ()


def test_a_reviewers_correction_in_the_table_settles_a_disputed_row(
    work: Adjudication, service: CorpusTableService
) -> None:
    row = next(one for one in service.page(TableQuery()).rows if one.file_name == "happy_a.wav")
    assert "disagreement" in row.problems
    (saved,) = service.correct(EVE, "s", row.key, row.head, emotion="anger")
    assert saved.event.action == "adjudicate"
    assert "disagreement" not in service.row(row.key).problems
