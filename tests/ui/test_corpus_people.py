"""People and gold clips: who may see and set them, and one list for the page and the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_store.consensus import consensus
from label_store.corpus_table import Query
from label_store.event import LabelEvent
from label_store.people import read_people, who_counts
from trainer.corrections import new_labels
from ui import corpus_people
from ui.analysis import PageError
from ui.corpus_desk import CorpusDesk
from ui.corpus_people_panel import ONLY, crew_table, marked, saved, view
from ui.identity import Annotator, Identity
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_train=True, may_suggest=True)
BEN = Annotator("ben", may_write=True, may_suggest=True, reason="Ask ada.")
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")


@pytest.fixture
def desk(tmp_path: Path) -> CorpusDesk:
    folder = tmp_path / "home" / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for number in range(8):
        (folder / f"03a{number + 1:02d}Fa.wav").write_bytes(b"RIFF" + bytes([number]) * 30)
    users = {"ada": "x", "ben": "y"}
    return CorpusDesk(Services(AppSettings(home=tmp_path / "home"), Identity(users=users)))


def keys(desk: CorpusDesk) -> list[str]:
    return [row.key for row in desk.page(Query()).rows]


def label(desk: CorpusDesk, key: str, who: str, emotion: str, *, blind: bool = True) -> None:
    sha, source = desk.clip_of(desk.row(key))
    desk._keep(desk.row(key))
    desk.services.store.append(
        LabelEvent(action="label", annotator=who, clip=sha, corpus="emodb", emotion=emotion,
                   file_name=source.name, prediction="joy", prediction_visible=not blind)
    )  # fmt: skip


def html(outputs: tuple[Any, ...]) -> str:
    return str(outputs[0])


def test_who_may_not_train_sees_and_sets_nothing(desk: CorpusDesk) -> None:
    for who in (BEN, VISITOR):
        assert "refused" in html(view(desk, who, ""))
        assert "refused" in saved(desk, who, ONLY, ["ben"], 5)
        for act in (corpus_people.mark_gold, corpus_people.unmark_gold):
            assert "refused" in marked(desk, who, act, keys(desk))[0]
    assert not (desk.services.store.folder / "people.json").exists()
    assert not (desk.services.store.folder / "gold.csv").exists()


def test_the_trainer_counts_whom_the_page_trusts(desk: CorpusDesk) -> None:
    first, second = keys(desk)[:2]
    label(desk, first, "ada", "fear")
    label(desk, second, "ben", "anger")
    store = desk.services.store
    assert new_labels(store, 0) == 2
    assert "only labels of ada train" in saved(desk, ADA, ONLY, ["ada"], 5)
    assert new_labels(store, 0) == 1
    counted = consensus(store, who_counts(store.folder)).labels
    assert [one.annotators for one in counted] == [("ada",)]
    assert new_labels(store, 0, {"ben"}) == 1
    assert "nobody" in saved(desk, ADA, ONLY, [], 5)
    assert new_labels(store, 0) == 0
    assert "everybody" in saved(desk, ADA, "", [], 5)
    assert new_labels(store, 0) == 2


def test_the_panel_names_everybody_with_count_and_interval(desk: CorpusDesk) -> None:
    rows = keys(desk)
    assert "6 clips marked" in marked(desk, ADA, corpus_people.mark_gold, rows[:6])[-1]
    for place, key in enumerate(rows[:6]):
        label(desk, key, "ben", "joy" if place else "fear", blind=place < 2)
        label(desk, key, "ada", "joy")
    found = corpus_people.crew(desk, ADA)
    people = {one.name: one for one in found.people}
    assert people["ada"].gold is None, "ada marked these clips"
    assert people["ben"].gold is not None
    assert (people["ben"].gold.right, people["ben"].gold.seen) == (5, 6)
    assert found.proven() == ["ben"]
    text = crew_table(found)
    assert "5 of 6" in text
    assert "83%, 44–97%" in text
    assert "1 of 2" in text
    assert "joy taken for fear" in text
    assert "6 gold clips" in text


def test_rows_without_a_sure_emotion_are_not_marked(desk: CorpusDesk) -> None:
    first = keys(desk)[0]
    label(desk, first, "ada", "fear")
    label(desk, first, "ben", "joy")
    with pytest.raises(PageError, match="all agree"):
        corpus_people.mark_gold(desk, ADA, [desk.page(Query()).rows[0].key])
    with pytest.raises(PageError, match="Tick"):
        corpus_people.mark_gold(desk, ADA, [])
    assert "refused" in marked(desk, ADA, corpus_people.mark_gold, ["nonsense"])[-1]


def test_gold_is_taken_off_also_where_a_person_wrote_it(desk: CorpusDesk) -> None:
    folder = desk.services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.csv").write_text("Filename,Emotion\n03a01Fa.wav,joy\n", encoding="utf-8")
    assert len(corpus_people.crew(desk, ADA).gold.clips) == 1
    corpus_people.mark_gold(desk, ADA, keys(desk)[1:3])
    assert len(corpus_people.crew(desk, ADA).gold.clips) == 3
    assert corpus_people.unmark_gold(desk, ADA, keys(desk)[:2]) == 2
    assert len(corpus_people.crew(desk, ADA).gold.clips) == 1


def test_alone_on_a_machine_one_may_be_asked_what_one_marked(desk: CorpusDesk) -> None:
    desk.services.identity = Identity()
    corpus_people.mark_gold(desk, ADA, keys(desk)[:1])
    (one,) = corpus_people.crew(desk, ADA).gold.clips.values()
    assert one.marked_by == ""


def test_a_share_that_makes_no_sense_changes_nothing(desk: CorpusDesk) -> None:
    assert "refused" in saved(desk, ADA, ONLY, ["ada"], 90)
    assert read_people(desk.services.store.folder).trusted is None


def test_names_are_escaped(desk: CorpusDesk) -> None:
    label(desk, keys(desk)[0], "<img src=x>", "joy")
    assert "<img" not in html(view(desk, ADA, ""))
