"""Gold clips: told apart from no other, asked of everybody once, scored with an interval."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_store import LabelEvent, LabelStore, LabelTableError, SaveError, StoreError
from label_store.annotators import (
    AnnotatorSettings,
    read_annotator_settings,
    write_annotator_settings,
)
from label_store.candidate import Candidate, QueueSettings
from label_store.consensus import consensus
from label_store.gold import FILE, GoldClip, mark, read_gold, scores, unmark
from label_store.queue import LabelQueue
from label_store.reliability import wilson
from label_store.trust import who_counts

CLIPS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(60)]
GOLD = CLIPS[:10]


def canonical(word: str) -> str:
    if word not in {"joy", "fear"}:
        raise KeyError(word)
    return word


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path)


def queue(store: LabelStore, share: float, seed: int = 0, **settings) -> LabelQueue:
    made = LabelQueue(
        store,
        [Candidate(clip, f"{n}.wav") for n, clip in enumerate(CLIPS)],
        np.random.default_rng(seed),
        QueueSettings(gold_share=share, **({"overlap": 0.0} | settings)),
    )
    made.gold = dict.fromkeys(GOLD, "")
    return made


def label(store: LabelStore, clip: str, who: str, emotion: str = "joy", seen: bool = False) -> None:
    store.append(
        LabelEvent(action="label", annotator=who, clip=clip, emotion=emotion,
                   prediction="joy", prediction_visible=seen)
    )  # fmt: skip


def labelled(mine: LabelQueue, who: str, most: int = 1000) -> list[tuple[str, str]]:
    found = []
    while len(found) < most:
        ticket = mine.next(who, f"{who}-browser")
        if ticket is None:
            break
        found.append((ticket.candidate.clip, ticket.why))
        label(mine.store, found[-1][0], who)
    return found


def test_gold_clips_come_at_their_share_and_with_the_reason_of_any_other(store) -> None:
    first = labelled(queue(store, 0.5, strategy="random"), "ada", 16)
    held = [why for clip, why in first if clip in GOLD]
    assert 3 <= len(held) <= 10
    assert set(held) == {why for clip, why in first if clip not in GOLD} == {"random"}


def test_everybody_answers_each_gold_clip_once_and_the_rest_is_shared(store) -> None:
    ada = labelled(queue(store, 0.05), "ada")
    ben = labelled(queue(store, 0.05, 1), "ben")
    assert sorted(clip for clip, _ in ada) == sorted(CLIPS)
    assert sorted(clip for clip, _ in ben) == sorted(GOLD)
    assert queue(store, 0.05).progress("ben").remaining == 0


def test_without_a_share_gold_waits_for_the_end(store) -> None:
    found = [clip for clip, _ in labelled(queue(store, 0.0), "ada")]
    assert set(found[-len(GOLD) :]) == set(GOLD)


def test_who_marked_a_clip_is_not_asked_about_it(store) -> None:
    mine = queue(store, 0.2)
    mine.gold = dict.fromkeys(GOLD, "ada")
    assert not {clip for clip, _ in labelled(mine, "ada")} & set(GOLD)
    assert mine.progress("ben").remaining == len(GOLD)


def test_a_plain_table_of_names_and_emotions_is_enough(store) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    (store.folder / FILE).write_text(
        "\ufeffFilename;Emotion\r\na.wav;joy\r\nb.wav;rage\r\nmany.wav;joy\r\n", encoding="utf-8"
    )
    found = read_gold(
        store,
        canonical,
        refusal=KeyError,
        resolve=lambda name, corpus: CLIPS["ab".index(name[0])] if name != "many.wav" else "",
    )
    assert {clip: one.emotion for clip, one in found.clips.items()} == {CLIPS[0]: "joy"}
    assert len(found.problems) == 2
    assert "row 3" in found.problems[0]
    assert "several" in found.problems[1]


def test_marking_and_taking_off_survive_a_round_trip(store) -> None:
    assert read_gold(store, canonical, refusal=KeyError).clips == {}
    marked = [GoldClip(clip, "joy", f"=n{n}.wav", "c", "ada") for n, clip in enumerate(CLIPS[:3])]
    assert mark(store, marked) == 3
    mark(store, [GoldClip(CLIPS[0], "fear", "=n0.wav", "c")])
    found = read_gold(store, canonical, refusal=KeyError).clips
    assert found[CLIPS[0]].emotion == "fear"
    assert found[CLIPS[1]] == marked[1]
    assert unmark(store, CLIPS[:2]) == 2
    assert set(read_gold(store, canonical, refusal=KeyError).clips) == {CLIPS[2]}
    assert store.revision == 0


def test_a_row_that_cannot_be_read_is_kept_beside_the_new_file(store) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    (store.folder / FILE).write_text("Filename,Emotion\n../up.wav,joy\n", encoding="utf-8")
    mark(store, [GoldClip(CLIPS[0], "joy", "a.wav")])
    aside = list(store.folder.glob("gold-*.csv"))
    assert len(aside) == 1
    assert "../up.wav" in aside[0].read_text(encoding="utf-8")


def test_a_file_that_is_no_table_is_left_alone(store) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    (store.folder / FILE).write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(LabelTableError, match="Filename"):
        mark(store, [GoldClip(CLIPS[0], "joy", "a.wav")])
    assert (store.folder / FILE).read_text(encoding="utf-8") == "a,b\n1,2\n"


def test_scores_count_blind_answers_apart_and_spare_whoever_marked_the_clip(store) -> None:
    mark(store, [GoldClip(clip, "joy", f"{clip[:8]}.wav", "", "eve") for clip in CLIPS[:4]])
    for place, clip in enumerate(CLIPS[:4]):
        label(store, clip, "ada", "joy" if place else "fear", seen=place < 2)
        label(store, clip, "eve")
    store.append(
        LabelEvent(action="label", annotator="ben", clip=CLIPS[0], emotion="joy",
                   prediction_visible=False)
    )  # fmt: skip
    gold = read_gold(store, canonical, refusal=KeyError)
    ben, one = scores(store, gold)
    assert (ben.annotator, ben.seen, ben.blind_seen) == ("ben", 1, 0), "nothing was hidden"
    assert (one.annotator, one.right, one.seen) == ("ada", 3, 4)
    assert (one.blind_right, one.blind_seen) == (2, 2)
    assert one.interval[0] < 0.75 < one.interval[1]


def test_the_known_answers_train_nothing(store) -> None:
    mark(store, [GoldClip(CLIPS[0], "joy", "a.wav")])
    assert list(consensus(store).labels) == []


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_share(right: int, more: int) -> None:
    seen = right + more
    low, high = wilson(right, seen)
    assert 0 <= low <= (right / seen if seen else 0.5) <= high <= 1
    if seen:
        wider = wilson(right, seen, confidence=0.999)
        assert wider[0] <= low + 1e-12
        assert wider[1] >= high - 1e-12


def test_who_is_trusted_is_kept_in_one_place(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    folder = store.folder
    assert read_annotator_settings(folder) == AnnotatorSettings()
    made = write_annotator_settings(folder, {"ben", "ada"}, 0.1, by="ada", clock=lambda: 0.0)
    assert made == read_annotator_settings(folder)
    assert (made.trusted, made.gold_share) == ({"ada", "ben"}, 0.1)
    assert (made.changed_by, made.changed) == ("ada", "1970-01-01T00:00:00Z")
    assert who_counts(store).names == {"ada", "ben"}
    assert who_counts(store, ["eve"]).names == {"eve"}
    assert write_annotator_settings(folder, set(), 0.0, by="ada").trusted == frozenset()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"trusted": 7}', '{"trusted": [1]}', "\0"])
def test_a_damaged_list_is_never_taken_for_everybody(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="trusted"):
        read_annotator_settings(tmp_path)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SaveError, match="Nothing was changed"):
        write_annotator_settings(tmp_path / "file", None, 0.1, by="ada")
    with pytest.raises(StoreError, match="gold share"):
        write_annotator_settings(tmp_path, None, 0.9, by="ada")
