"""The practice round: what counts as an answer, who passes, and what counts before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, NothingToUndoError, StoreError
from label_store.adjudication import disputes
from label_store.annotators import Practice, read_annotator_settings, write_annotator_settings
from label_store.consensus import consensus
from label_store.forget import forget_annotator
from label_store.gold import Gold, GoldClip
from label_store.practice import answers, next_clips, note_pass, progress
from label_store.trust import Trust, who_counts

CLIPS = [f"{n:064x}" for n in range(30)]
GOLD = Gold({clip: GoldClip(clip, "joy", f"{clip[-2:]}.wav") for clip in CLIPS[:4]})
FOUR = Practice(4, 0.75)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path)


def label(store: LabelStore, clip: str, emotion: str = "joy", who: str = "ben", **how) -> int:
    given = {"prediction": "joy", "prediction_visible": False} | how
    return store.append(
        LabelEvent(action="label", annotator=who, clip=clip, emotion=emotion, **given)
    ).number


def ask(store: LabelStore, practice: Practice) -> None:
    write_annotator_settings(store.folder, None, 0.05, by="ada", practice=practice)


def test_the_latest_answers_decide_and_progress_says_how_far(store: LabelStore) -> None:
    label(store, CLIPS[0])
    label(store, CLIPS[1], "fear")
    now = progress(store, GOLD, FOUR, "ben")
    assert (now.answered, now.right, now.needed, now.accuracy) == (2, 1, 4, 0.5)
    assert not now.enough
    label(store, CLIPS[2])
    label(store, CLIPS[3], "fear")
    assert progress(store, GOLD, FOUR, "ben").right == 2
    label(store, CLIPS[0])
    label(store, CLIPS[1])
    now = note_pass(store, GOLD, FOUR, "ben")
    assert (now.answered, now.right) == (4, 3)
    assert now.passed == store.revision


def test_an_answer_after_the_feedback_is_none(store: LabelStore) -> None:
    label(store, CLIPS[0], "fear")
    store.undo("ben")
    label(store, CLIPS[0])
    label(store, CLIPS[1])
    label(store, CLIPS[0])
    found = answers(store, GOLD, "ben")
    assert [(one.clip, one.right) for one in found] == [(CLIPS[0], False), (CLIPS[1], True)]
    label(store, CLIPS[2])
    label(store, CLIPS[3], "fear")
    label(store, CLIPS[3])  # at the round's end, too
    assert len(answers(store, GOLD, "ben")) == 4
    label(store, CLIPS[0])
    assert len(answers(store, GOLD, "ben")) == 5, "every other gold clip was answered since"


def test_what_was_read_off_the_page_or_is_of_a_part_is_no_answer(store: LabelStore) -> None:
    label(store, CLIPS[0], prediction_visible=True)
    label(store, CLIPS[1], prediction_visible=None)
    label(store, CLIPS[2], start=0.0, end=1.0)
    label(store, CLIPS[9])
    label(store, CLIPS[3], who="cy")
    assert answers(store, GOLD, "ben") == []


def test_who_marked_gold_is_not_asked_about_it(store: LabelStore) -> None:
    half = {
        clip: GoldClip(clip, "joy", marked_by="ada" if place < 3 else "cy")
        for place, clip in enumerate(CLIPS[:4])
    }
    assert progress(store, Gold(half), FOUR, "ada").needed == 1
    label(store, CLIPS[0], who="ada")
    assert answers(store, Gold(half), "ada") == []
    every = Gold({clip: GoldClip(clip, "joy", marked_by="ada") for clip in CLIPS[:4]})
    assert note_pass(store, every, FOUR, "ada").passed is not None
    assert note_pass(store, every, FOUR, "ben").passed is None


def test_nobody_passes_without_gold(store: LabelStore) -> None:
    assert note_pass(store, Gold({}), FOUR, "ben").passed is None
    assert store.revision == 0


def test_labels_before_passing_are_kept_and_do_not_count(store: LabelStore) -> None:
    label(store, CLIPS[10], "fear")
    ask(store, Practice(2, 1.0, since=store.revision))
    label(store, CLIPS[11], "fear")
    label(store, CLIPS[12], "fear", who="cy")
    label(store, CLIPS[12], "joy")
    assert [one.clip_hash for one in consensus(store, who_counts(store)).without_file] == [
        CLIPS[10]
    ], "what was labelled before anybody asked for practice still counts"
    assert disputes(store.state(), who_counts(store)) == []
    for clip in CLIPS[:2]:
        label(store, clip)
    practice = read_annotator_settings(store.folder).practice
    assert practice is not None
    assert note_pass(store, GOLD, practice, "ben").passed == store.revision
    label(store, CLIPS[13], "fear")
    label(store, CLIPS[12], "anger")
    found = consensus(store, who_counts(store))
    counted = {one.clip_hash: one.emotion for one in found.without_file}
    assert counted == {CLIPS[10]: "fear", CLIPS[12]: "anger", CLIPS[13]: "fear"}
    assert len(store.history(CLIPS[11])) == 1
    everybody = consensus(store, ["ben", "cy"]).open
    assert [one.key for one in everybody] == [CLIPS[12]], "names for one run go over it"


def test_a_review_counts_only_from_those_who_passed(store: LabelStore) -> None:
    ask(store, Practice(2, 1.0, since=0))
    store.append(LabelEvent(action="pass", annotator="ada"))
    label(store, CLIPS[10], "fear", who="ada")
    store.append(LabelEvent(action="adjudicate", annotator="ben", clip=CLIPS[10], emotion="joy"))
    (found,) = consensus(store, who_counts(store)).without_file
    assert (found.emotion, found.reviewed) == ("fear", False)
    assert who_counts(store).counts_from_now("ada")
    assert not who_counts(store).counts_from_now("ben")


def test_passing_stays_whatever_becomes_of_the_gold_clips_and_of_undo(store: LabelStore) -> None:
    for clip in CLIPS[:4]:
        label(store, clip)
    first = note_pass(store, GOLD, FOUR, "ben").passed
    assert note_pass(store, Gold({}), Practice(20, 1.0), "ben").passed == first
    assert store.undo("ben").event.target != ""
    for _ in range(3):
        store.undo("ben")
    with pytest.raises(NothingToUndoError):
        store.undo("ben")
    again = LabelStore(store.home)
    assert again.state().passed == {"ben": first}
    assert list(again.state().keys()) == CLIPS[:4], "it is about nobody's clip"


def test_passing_is_forgotten_with_the_name(store: LabelStore) -> None:
    label(store, CLIPS[9])
    note_pass(store, GOLD, Practice(1, 0.5), "ben")
    label(store, CLIPS[0])
    assert note_pass(store, GOLD, Practice(1, 0.5), "ben").passed == 3
    forget_annotator(store, "ben")
    assert "ben" not in store.state().passed
    assert list(store.state().passed.values()) == [3]


def test_whose_labels_counted_survives_a_run_s_record() -> None:
    trust = Trust(frozenset({"ada"}), 7, {"ada": 12})
    assert Trust.from_json(trust.to_json()) == trust
    assert Trust.from_json({"trusted": None}) == Trust()


def test_never_answered_clips_come_first_and_the_latest_last(store: LabelStore) -> None:
    label(store, CLIPS[0])
    label(store, CLIPS[1])
    given = answers(store, GOLD, "ben")
    assert next_clips(given, CLIPS[:4], {CLIPS[2]: 5}) == [CLIPS[3], CLIPS[2], CLIPS[0]]
    assert next_clips(given, CLIPS[:2], {}) == [CLIPS[0]]
    assert next_clips(given, CLIPS[1:2], {}) == [CLIPS[1]]


@pytest.mark.parametrize(("clips", "share"), [(0, 0.8), (201, 0.8), (5, 0.4), (5, 1.1)])
def test_a_practice_that_makes_no_sense_is_refused(clips: int, share: float) -> None:
    with pytest.raises(StoreError, match="practice"):
        Practice(clips, share)


def test_the_practice_is_kept(store: LabelStore) -> None:
    assert read_annotator_settings(store.folder).practice is None
    ask(store, Practice(10, 0.8, 3))
    assert read_annotator_settings(store.folder).practice == Practice(10, 0.8, 3)
