"""Agreement and reliability against published figures; reviews and visitors' suggestions."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from label_store import LabelEvent, LabelStore, StoreError
from label_store.agreement import (
    agreement,
    annotations_by_clip,
    krippendorff_alpha,
    pairs,
    with_others,
)
from label_store.consensus import consensus
from label_store.reliability import dawid_skene, gold_scores, trusted_by_gold
from label_store.review import accept, reject, suggestions

CLIPS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(20)]


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path)


def add(store: LabelStore, n: int, annotator: str, emotion: str, action: str = "label") -> str:
    return store.append(
        LabelEvent(action=action, annotator=annotator, clip=CLIPS[n], emotion=emotion)
    ).event_id


def test_alpha_is_the_published_one() -> None:
    # Krippendorff 2011, section C: four observers, twelve units, missing values; nominal 0.743.
    observers = ["123321412...", "12332241 25.3".replace(" ", ""), ".33323422 51.".replace(" ", "")]
    observers.append("12332441251.")
    units = [[value for value in unit if value != "."] for unit in zip(*observers, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=0.001)
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "a"]]) is None
    assert krippendorff_alpha([["a"], []]) is None


def test_kappa_by_pair() -> None:
    # Cohen's kappa of the table 20/5/10/15 is 0.4.
    given = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    (pair,) = pairs([{"ada": one, "ben": other} for one, other in given])
    assert (pair.clips, pair.share) == (50, 0.7)
    assert pair.kappa == pytest.approx(0.4)
    assert pairs([{"ada": "y", "ben": "y"}])[0].kappa is None


def test_agreement_by_emotion_tells_which_one_is_unclear() -> None:
    items = [{"a": "joy", "b": "joy"}] * 5 + [{"a": "fear", "b": "sad"}, {"a": "sad", "b": "fear"}]
    found = agreement(items)
    assert found.by_emotion["joy"] == 1
    assert found.by_emotion["fear"] < 0 < found.alpha < 1
    assert found.shared == 7


def test_dawid_skene_outvotes_two_careless_annotators() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(["anger", "joy", "fear"], 200)
    wrong = {"anger": "joy", "joy": "fear", "fear": "anger"}
    items = []
    for emotion in truth:
        careful = {n: emotion if rng.random() < 0.95 else wrong[emotion] for n in ("a", "b")}
        careless = {n: str(rng.choice(["anger", "joy", "fear"])) for n in ("c", "d", "e")}
        items.append(careful | careless)
    fitted = dawid_skene(items)
    named = [max(shares, key=shares.get) for shares in fitted.distributions]
    majority = [max(sorted(set(i.values())), key=list(i.values()).count) for i in items]
    assert np.mean(named == truth) > 0.93 > np.mean(np.array(majority) == truth)
    reliability = fitted.reliability()
    assert min(reliability["a"], reliability["b"]) > 0.85
    assert max(reliability[name] for name in "cde") < 0.6
    assert all(sum(shares.values()) == pytest.approx(1) for shares in fitted.distributions)
    assert dawid_skene([{}]).distributions == [{}]


def test_gold_clips_tell_who_can_be_trusted(store: LabelStore) -> None:
    for n in range(6):
        add(store, n, "ada", "joy")
        add(store, n, "ben", "joy" if n < 2 else "fear")
    scores = gold_scores(store.state(), dict.fromkeys(CLIPS[:6], "joy"))
    assert [(one.annotator, one.right, one.seen) for one in scores] == [
        ("ada", 6, 6),
        ("ben", 2, 6),
    ]
    assert scores[1].mistakes == {("joy", "fear"): 4}
    assert trusted_by_gold(scores) == {"ada"}


def test_suggestions_are_taken_or_turned_down_all_or_none(store: LabelStore) -> None:
    store.keep_clip(bytes([0]), ".wav")
    ids = [add(store, n, "guest", "fear", "suggest") for n in range(3)]
    assert [entry.event_id for entry in suggestions(store.state())] == ids
    with pytest.raises(StoreError, match="no longer wait"):
        accept(store, [ids[0], "gone"], "ada")
    assert list(consensus(store).labels) == []
    accept(store, ids[:1], "ada")
    reject(store, ids[1:2], "ada", reason="it is noise")
    assert [entry.event_id for entry in suggestions(store.state())] == ids[2:]
    assert [label.emotion for label in list(consensus(store).labels)] == ["fear"]
    assert annotations_by_clip(store.state()) == []


def test_dawid_skene_can_decide_what_a_majority_leaves_open(store: LabelStore) -> None:
    for n in range(8):
        add(store, n, "ada", ["joy", "fear"][n % 2])
        add(store, n, "ben", ["joy", "fear"][n % 2])
        add(store, n, "eve", "joy")
    add(store, 10, "ada", "fear")
    add(store, 10, "eve", "joy")
    assert [one.key for one in consensus(store).open] == [CLIPS[10]]
    decided = consensus(store, method="dawid-skene")
    (label,) = [one for one in decided.without_file if one.clip_hash == CLIPS[10]]
    assert label.emotion == "fear"


def test_each_annotator_is_compared_with_most_of_the_others_for_each_emotion() -> None:
    items = [
        {"ada": "joy", "bob": "joy", "cy": "fear"},
        {"ada": "fear", "bob": "fear", "cy": "fear"},
        {"ada": "joy"},
    ]
    found = with_others(items)
    assert found["cy"] == {"fear": (1, 1), "joy": (0, 1)}
    assert found["ada"] == {"fear": (1, 1)}, "where the others are even, a clip does not count"
