"""People and gold clips: who may see and set them, and one list for the page and the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_store.annotators import read_annotator_settings
from label_store.consensus import consensus
from label_store.corpus_rows import TableQuery
from label_store.event import LabelEvent
from label_store.trust import who_counts
from trainer.data.corrections import new_labels
from ui.corpus import annotators, enough
from ui.corpus.annotators_panel import ONLY, annotator_table, marked, saved, view
from ui.corpus.session import CorpusTableService
from ui.crowd import CrowdReader
from ui.errors import PageError
from ui.identity import Annotator, Identity
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_train=True, may_suggest=True)
BEN = Annotator("ben", may_write=True, may_suggest=True, reason="Ask ada.")
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")


@pytest.fixture
def service(tmp_path: Path) -> CorpusTableService:
    folder = tmp_path / "home" / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for number in range(8):
        (folder / f"03a{number + 1:02d}Fa.wav").write_bytes(b"RIFF" + bytes([number]) * 30)
    users = {"ada": "x", "ben": "y"}
    return CorpusTableService(Services(AppSettings(home=tmp_path / "home"), Identity(users=users)))


def keys(service: CorpusTableService) -> list[str]:
    return [row.key for row in service.page(TableQuery()).rows]


def label(
    service: CorpusTableService, key: str, who: str, emotion: str, *, blind: bool = True
) -> None:
    sha, source = service.clip_of(service.row(key))
    service._keep(service.row(key))
    service.services.store.append(
        LabelEvent(action="label", annotator=who, clip=sha, corpus="emodb", emotion=emotion,
                   file_name=source.name, prediction="joy", prediction_visible=not blind)
    )  # fmt: skip


def html(outputs: tuple[Any, ...]) -> str:
    return str(outputs[0])


def test_who_may_not_train_sees_and_sets_nothing(service: CorpusTableService) -> None:
    for who in (BEN, VISITOR):
        assert "refused" in html(view(service, who, ""))
        assert "refused" in saved(service, who, ONLY, ["ben"], 5)
        for act in (annotators.mark_gold, annotators.unmark_gold):
            assert "refused" in marked(service, who, act, keys(service))[0]
    assert not (service.services.store.folder / "people.json").exists()
    assert not (service.services.store.folder / "gold.csv").exists()


def test_the_trainer_counts_whom_the_page_trusts(service: CorpusTableService) -> None:
    first, second = keys(service)[:2]
    label(service, first, "ada", "fear")
    label(service, second, "ben", "anger")
    store = service.services.store
    assert new_labels(store, 0) == 2
    assert "only labels by ada are used" in saved(service, ADA, ONLY, ["ada"], 5)
    assert new_labels(store, 0) == 1
    counted = consensus(store, who_counts(store)).labels
    assert [one.annotators for one in counted] == [("ada",)]
    assert new_labels(store, 0, {"ben"}) == 1
    assert "nobody" in saved(service, ADA, ONLY, [], 5)
    assert new_labels(store, 0) == 0
    assert "everybody" in saved(service, ADA, "", [], 5)
    assert new_labels(store, 0) == 2


def test_the_panel_names_everybody_with_count_and_interval(service: CorpusTableService) -> None:
    rows = keys(service)
    assert "6 clips marked" in marked(service, ADA, annotators.mark_gold, rows[:6])[-1]
    for place, key in enumerate(rows[:6]):
        label(service, key, "ben", "joy" if place else "fear", blind=place < 2)
        label(service, key, "ada", "joy")
    found = annotators.overview(service, ADA)
    people = {one.name: one for one in found.annotators}
    assert people["ada"].gold is None, "ada marked these clips"
    assert people["ben"].gold is not None
    assert (people["ben"].gold.right, people["ben"].gold.seen) == (5, 6)
    assert found.proven() == ["ben"]
    text = annotator_table(found)
    assert "5 of 6" in text
    assert "83%, 44–97%" in text
    assert "1 of 2" in text
    assert "joy labelled as fear" in text
    assert "6 gold clips" in text
    assert people["ben"].gold.by_emotion == {"joy": (5, 6)}
    assert people["ben"].others == {"joy": (5, 6)}
    assert people["ada"].others == {"fear": (0, 1), "joy": (5, 5)}
    assert text.count("by emotion") == 3


def test_rows_without_a_sure_emotion_are_not_marked(service: CorpusTableService) -> None:
    first = keys(service)[0]
    label(service, first, "ada", "fear")
    label(service, first, "ben", "joy")
    with pytest.raises(PageError, match="agree on one"):
        annotators.mark_gold(service, ADA, [service.page(TableQuery()).rows[0].key])
    with pytest.raises(PageError, match="tick"):
        annotators.mark_gold(service, ADA, [])
    assert "refused" in marked(service, ADA, annotators.mark_gold, ["nonsense"])[-1]


def test_gold_is_taken_off_also_where_a_person_wrote_it(service: CorpusTableService) -> None:
    folder = service.services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.csv").write_text("Filename,Emotion\n03a01Fa.wav,joy\n", encoding="utf-8")
    assert len(annotators.overview(service, ADA).gold.clips) == 1
    annotators.mark_gold(service, ADA, keys(service)[1:3])
    assert len(annotators.overview(service, ADA).gold.clips) == 3
    assert annotators.unmark_gold(service, ADA, keys(service)[:2]) == 2
    assert len(annotators.overview(service, ADA).gold.clips) == 1


def test_alone_on_a_machine_one_may_be_asked_what_one_marked(service: CorpusTableService) -> None:
    service.services.identity = Identity()
    annotators.mark_gold(service, ADA, keys(service)[:1])
    (one,) = annotators.overview(service, ADA).gold.clips.values()
    assert one.marked_by == ""


def test_a_share_that_makes_no_sense_changes_nothing(service: CorpusTableService) -> None:
    assert "refused" in saved(service, ADA, ONLY, ["ada"], 90)
    assert read_annotator_settings(service.services.store.folder).trusted is None


def test_names_are_escaped(service: CorpusTableService) -> None:
    label(service, keys(service)[0], "<img src=x>", "joy")
    assert "<img" not in html(view(service, ADA, ""))


def test_clips_with_enough_labels_are_counted_where_a_level_is_set(
    service: CorpusTableService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("label_store.crowd.FEWEST", 3)
    reader = CrowdReader(service.services)
    assert enough.text(reader, ADA) == ""
    first, second, third = keys(service)[:3]
    for name in ("ada", "ben", "cy"):
        label(service, first, name, "fear")
        label(service, second, name, "joy")
    for name, emotion in (("ada", "fear"), ("ben", "joy"), ("cy", "anger")):
        label(service, third, name, emotion)
    said = saved(service, ADA, "", [], 5, 0.6)
    assert "60 % certain" in said
    assert "2 of 8 clips have enough labels" in enough.text(reader, ADA)
    assert enough.text(reader, VISITOR) == ""
    shown = view(service, ADA, "")
    assert shown[4] == 0.6
    saved(service, ADA, ONLY, ["ada"], 5, 0.6)
    assert "0 of 8" in enough.text(reader, ADA), "labels that are not trusted settle nothing"
    assert "refused" in saved(service, ADA, "", [], 5, 0.3)
    saved(service, ADA, "", [], 5, 0.0)
    assert enough.text(reader, ADA) == ""


def test_practice_is_set_beside_the_share_and_a_reviewer_sees_who_passed(
    service: CorpusTableService,
) -> None:
    refusal = saved(service, ADA, "", [], 5, 0.0, 4, 75)
    assert "no gold clips" in refusal
    assert not (service.services.store.folder / "people.json").exists()
    rows = keys(service)
    marked(service, ADA, annotators.mark_gold, rows[:4])
    for key in rows[:4]:
        label(service, key, "cy", "joy")
    label(service, rows[0], "ben", "joy")
    label(service, rows[7], "ben", "anger")
    text = saved(service, ADA, "", [], 5, 0.0, 4, 75)
    assert "answered 4 gold clips, 75 % of them right" in text
    assert "only" not in text
    found = annotators.overview(service, ADA)
    people = {one.name: one.practice for one in found.annotators}
    assert all(one is not None for one in people.values())
    assert people["ada"].passed, "who marked them all is not asked"
    assert people["cy"].passed, "who answered enough before has passed"
    assert (people["ben"].passed, people["ben"].answered, people["ben"].right) == (None, 1, 1)
    table = annotator_table(found)
    assert table.count("<td>passed</td>") == 2
    assert "1 of 4 · 100%" in table
    assert view(service, ADA, "")[5:7] == (4, 75)
    store = service.services.store
    before = len(consensus(store, who_counts(store)).labels)
    label(service, rows[6], "ben", "anger")
    assert len(consensus(store, who_counts(store)).labels) == before
    since = read_annotator_settings(store.folder).practice.since
    few = saved(service, ADA, "", [], 5, 0.0, 10, 75)
    assert "only 4 gold clips" in few
    assert read_annotator_settings(store.folder).practice.since == since
    saved(service, ADA, "", [], 5)
    assert read_annotator_settings(store.folder).practice is None
    assert len(consensus(store, who_counts(store)).labels) == before + 1
    assert "<td>passed</td>" not in annotator_table(annotators.overview(service, ADA))
