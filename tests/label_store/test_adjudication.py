"""Adjudication: a reviewer's decision is the label of a clip that annotators label differently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, StoreError
from label_store.__main__ import main
from label_store.adjudication import adjudicate, alpha_before_after, disputes, find_dispute
from label_store.annotators import write_annotator_settings
from label_store.consensus import consensus
from label_store.corpus_rows import CorpusRow
from label_store.corpus_table import CorpusTable
from label_store.errors import ConflictError, EventError
from label_store.exchange import rows_of, to_label_studio
from label_store.forget import forget_annotator
from label_store.sync import Replica

from .sync.places import Memory


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path)


def label(store: LabelStore, name: str, annotator: str, emotion: str, **more: object) -> str:
    clip = store.keep_clip(name.encode(), ".wav")
    event = LabelEvent(
        action="label", annotator=annotator, clip=clip, file_name=name, emotion=emotion, **more
    )  # type: ignore[arg-type]
    store.append(event)
    return clip


def emotions(store: LabelStore) -> dict[str, str]:
    return {one.file_name: one.emotion for one in consensus(store).labels}


def test_a_decision_is_the_consensus_whatever_annotators_say(store: LabelStore) -> None:
    for annotator, emotion in (("ada", "joy"), ("ben", "fear")):
        label(store, "a.wav", annotator, emotion)
    label(store, "b.wav", "ada", "joy")
    assert emotions(store) == {"b.wav": "joy"}
    (one,) = disputes(store.state())
    assert (one.annotations, one.tied) == ((("ada", "joy"), ("ben", "fear")), True)
    saved = adjudicate(store, one, "fear", "eve", expect=one.head)
    assert saved.event.action == "adjudicate"
    assert emotions(store) == {"a.wav": "fear", "b.wav": "joy"}
    label(store, "a.wav", "carl", "joy")
    assert emotions(store)["a.wav"] == "fear"
    assert disputes(store.state()) == []
    (settled,) = disputes(store.state(), settled=True)
    assert (settled.decision, settled.adjudicator) == ("fear", "eve")
    store.undo("eve")
    assert len(disputes(store.state())) == 1


def test_a_decision_may_be_mixed_and_the_annotations_tell_what_is_beside(
    store: LabelStore,
) -> None:
    label(store, "a.wav", "ada", "joy", second_emotion="surprise", intensity=2)
    label(store, "a.wav", "ben", "fear")
    (one,) = disputes(store.state())
    assert one.beside == (("surprise", 2), ("", None))
    adjudicate(store, one, "fear", "eve", second_emotion="sadness", intensity=1)
    for known in (store, LabelStore(store.home)):
        (found,) = consensus(known).labels
        assert found.distribution == pytest.approx({"fear": 0.7, "sadness": 0.3})
        assert (found.second_emotion, found.intensity) == ("sadness", 1)
    with pytest.raises(EventError, match="both"):
        adjudicate(store, one, "fear", "eve", second_emotion="fear")


def test_an_adjudicators_own_later_label_takes_the_decision_back_only_if_it_differs(
    store: LabelStore,
) -> None:
    label(store, "a.wav", "ada", "joy")
    label(store, "a.wav", "ben", "fear")
    adjudicate(store, disputes(store.state())[0], "joy", "eve")
    label(store, "a.wav", "eve", "joy")
    assert disputes(store.state()) == []
    label(store, "a.wav", "eve", "anger")
    assert len(disputes(store.state())) == 1


def test_segments_are_disputed_and_settled_by_themselves(store: LabelStore) -> None:
    label(store, "a.wav", "ada", "joy")
    label(store, "a.wav", "ada", "joy", start=0.5, end=1.0)
    label(store, "a.wav", "ben", "fear", start=0.5, end=1.0)
    (one,) = disputes(store.state())
    assert (one.start, one.end) == (0.5, 1.0)
    adjudicate(store, one, "fear", "eve")
    found = {(label.start, label.emotion) for label in consensus(store).labels}
    assert found == {(None, "joy"), (0.5, "fear")}


def test_what_nobody_disputes_or_changed_meanwhile_is_not_decided(store: LabelStore) -> None:
    clip = label(store, "a.wav", "ada", "joy")
    label(store, "a.wav", "ben", "fear")
    (one,) = disputes(store.state())
    store.rename(clip, "b.wav", "carl")
    with pytest.raises(ConflictError, match="carl"):
        adjudicate(store, one, "fear", "eve", expect=one.head)
    with pytest.raises(EventError, match="needs an emotion"):
        adjudicate(store, one, "", "eve")
    label(store, "a.wav", "ben", "joy")
    with pytest.raises(StoreError, match="don't differ any more"):
        adjudicate(store, one, "fear", "eve")
    assert find_dispute(store.state(), "gone") is None


def test_decisions_of_those_who_are_not_trusted_do_not_count(store: LabelStore) -> None:
    label(store, "a.wav", "ada", "joy")
    label(store, "a.wav", "ben", "fear")
    adjudicate(store, disputes(store.state())[0], "fear", "mallory")
    assert len(disputes(store.state(), {"ada", "ben"})) == 1
    assert consensus(store, {"ada", "ben"}).labels == ()


def test_alpha_rises_with_the_decisions(store: LabelStore) -> None:
    for number, (first, second) in enumerate([("joy", "joy"), ("fear", "fear"), ("joy", "fear")]):
        label(store, f"{number}.wav", "ada", first)
        label(store, f"{number}.wav", "ben", second)
    before = alpha_before_after(store.state())
    assert before.before == before.after == pytest.approx(4 / 9)
    adjudicate(store, disputes(store.state())[0], "fear", "eve")
    found = alpha_before_after(store.state())
    assert (found.before, found.after) == (before.before, 1.0)


def test_a_row_without_a_file_is_settled_under_its_name(store: LabelStore) -> None:
    for annotator, emotion in (("ada", "joy"), ("ben", "fear")):
        store.append(
            LabelEvent(
                action="label", annotator=annotator, file_name="x.wav", corpus="mine",
                emotion=emotion,
            )
        )  # fmt: skip
    adjudicate(store, disputes(store.state())[0], "fear", "eve")
    (found,) = consensus(store).without_file
    assert (found.corpus, found.file_name, found.emotion) == ("mine", "x.wav", "fear")


def test_a_reviewers_correction_of_a_disputed_row_adjudicates(store: LabelStore) -> None:
    clip = label(store, "a.wav", "ada", "joy", corpus="mine")
    label(store, "a.wav", "ben", "fear", corpus="mine")
    table = CorpusTable(store, [CorpusRow("a.wav", "joy", "mine", clip)], ["joy", "fear"])
    assert "disagreement" in table.row(clip).problems
    (saved,) = table.correct(clip, "ben", emotion="joy", adjudicates=True)
    assert saved.event.action == "adjudicate"
    assert (table.row(clip).emotion, table.row(clip).problems) == ("joy", ())
    assert emotions(store) == {"a.wav": "joy"}


def test_exports_sync_and_forgetting_know_the_decision(store: LabelStore, tmp_path: Path) -> None:
    label(store, "a.wav", "ada", "joy")
    label(store, "a.wav", "ben", "fear")
    adjudicate(store, disputes(store.state())[0], "fear", "Eve Adams", note="the voice breaks")
    assert [row.emotion for row in rows_of(store)] == ["fear"]
    (task,) = json.loads(to_label_studio(store))
    truth = [one for one in task["annotations"] if one.get("ground_truth")]
    assert [one["result"][0]["value"]["choices"] for one in truth] == [["fear"]]
    place = Memory()
    Replica(store, place).round()
    forget_annotator(store, "Eve Adams")
    Replica(store, place).round()
    other = LabelStore(tmp_path / "other")
    Replica(other, place).round()
    for known in (store, other):
        (one,) = disputes(known.state(), settled=True)
        assert one.decision == "fear"
        assert one.adjudicator.startswith("forgotten-")
        assert not any("Eve" in event.annotator or event.note for event in known.events())
    reopened = LabelStore(tmp_path, snapshot_rows=1)
    assert LabelStore(tmp_path).state().entries == reopened.state().entries
    assert [one.decision for one in disputes(LabelStore(tmp_path).state(), settled=True)] == [
        "fear"
    ]


def test_the_command_line_lists_and_decides(store: LabelStore, tmp_path: Path, capsys) -> None:
    env = {"SER_HOME": str(tmp_path)}
    clip = label(store, "a.wav", "ada", "joy", corpus="mine")
    label(store, "a.wav", "ben", "fear", corpus="mine")
    assert main(["adjudicate"], env) == 0
    listed = capsys.readouterr().out
    assert "mine/a.wav: 1 fear, 1 joy" in listed
    assert "ada" not in listed
    assert main(["adjudicate", clip[:8], "fear"], env) == 1
    assert "--annotator" in capsys.readouterr().err
    assert main(["adjudicate", "b.wav", "fear", "--annotator", "eve"], env) == 1
    assert "No clip called “b.wav”" in capsys.readouterr().err
    assert main(["adjudicate", clip[:8], "happy", "--annotator", "eve"], env) == 0
    assert "a.wav is joy" in capsys.readouterr().out
    assert main(["agreement"], env) == 0
    assert "0 wait for a reviewer" in capsys.readouterr().out
    write_annotator_settings(store.folder, {"ada", "ben"}, 0.05, by="ada")
    assert main(["adjudicate", clip[:8], "fear", "--annotator", "eve"], env) == 1
    assert "not among the trusted" in capsys.readouterr().err


def test_the_command_line_decides_with_a_second_emotion_and_an_intensity(
    store: LabelStore, tmp_path: Path, capsys
) -> None:
    env = {"SER_HOME": str(tmp_path)}
    clip = label(store, "a.wav", "ada", "joy", corpus="mine")
    label(store, "a.wav", "ben", "fear", corpus="mine")
    decide = ["adjudicate", clip[:8], "scared", "--annotator", "eve"]
    for wrong, message in (
        (["--second", "fear"], "can't be both"),
        (["--second", "blorp"], "Nothing was saved"),
    ):
        assert main([*decide, *wrong], env) == 1
        assert message in capsys.readouterr().err
    for wrong in (["--intensity", "4"], ["--intensity", "strong"]):
        with pytest.raises(SystemExit):
            main([*decide, *wrong], env)
    assert main(["adjudicate", "--second", "joy"], env) == 1
    assert "A decision needs CLIP" in capsys.readouterr().err
    assert len(LabelStore(tmp_path).events()) == 2
    assert main([*decide, "--second", "happy", "--intensity", "2"], env) == 0
    assert "a.wav is fear with joy, intensity 2." in capsys.readouterr().out
    event = LabelStore(tmp_path).events()[-1]
    assert (event.action, event.emotion) == ("adjudicate", "fear")
    assert (event.second_emotion, event.intensity) == ("joy", 2)
    assert main([*decide, "--intensity", "1"], env) == 0
    assert "a.wav is fear, intensity 1." in capsys.readouterr().out
