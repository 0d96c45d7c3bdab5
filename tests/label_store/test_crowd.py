"""What labels and model together say: careful people weigh more, and settled clips tell least."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from label_store import LabelEvent, LabelStore, StoreError
from label_store.annotators import read_annotator_settings, write_annotator_settings
from label_store.candidate import Candidate, QueueSettings
from label_store.crowd import CrowdRatings, rate_clips, whole_annotations
from label_store.queue import LabelQueue

EMOTIONS = ("anger", "fear", "joy", "neutral", "sadness")
CLIPS = [f"{n:064x}" for n in range(600)]


def crowd(seed: int = 0) -> tuple[dict[str, str], dict[str, dict[str, str]], dict[str, dict]]:
    """Return truth, labels by two careful people and one who guesses, and a fair model's word."""
    rng = np.random.default_rng(seed)
    truth = {clip: EMOTIONS[rng.integers(5)] for clip in CLIPS}
    right = {"ada": 0.95, "ben": 0.95, "dice": 0.2}
    labels: dict[str, dict[str, str]] = {}
    model = {}
    for clip in CLIPS:
        for name, share in right.items():
            if rng.random() < 0.5:
                guess = EMOTIONS[rng.integers(5)]
                given = truth[clip] if rng.random() < share else guess
                labels.setdefault(clip, {})[name] = given
        shares = 0.4 * rng.dirichlet(np.ones(5))
        model[clip] = dict(zip(EMOTIONS, shares.tolist(), strict=True))
        model[clip][truth[clip]] += 0.6
    return truth, labels, model


def test_a_careful_annotator_outweighs_one_who_guesses() -> None:
    truth, labels, model = crowd()
    found = rate_clips(labels, model)
    torn = [
        clip
        for clip, given in labels.items()
        if set(given) == {"ada", "dice"} and given["ada"] != given["dice"]
    ]
    sided = sum(found.consensus[clip][0] == labels[clip]["ada"] for clip in torn)
    assert len(torn) > 30
    assert sided / len(torn) > 0.9
    certain = found.certain(0.7)
    assert 50 < len(certain) < len(labels)
    right = [found.consensus[clip][0] == truth[clip] for clip in certain]
    assert np.mean(right) > 0.95


def test_few_labels_and_labels_that_differ_tell_more_than_agreement() -> None:
    _, labels, model = crowd()
    found = rate_clips(labels, model).telling

    def mean(names: set[str], *, alike: bool) -> float:
        given = [
            found[clip]
            for clip, by in labels.items()
            if set(by) == names and (len(set(by.values())) == 1) == alike
        ]
        assert given
        return float(np.mean(given))

    agreed = mean({"ada", "ben"}, alike=True)
    assert agreed < mean({"ada"}, alike=True) < mean({"dice"}, alike=True)
    assert agreed < mean({"ada", "ben"}, alike=False)
    unlabelled = [clip for clip in CLIPS if clip not in labels]
    assert agreed < np.mean([found[clip] for clip in unlabelled])
    sure = {"a": {"joy": 0.98, "fear": 0.02}, "b": {"joy": 0.55, "fear": 0.45}}
    alone = rate_clips({}, sure).telling
    assert alone["a"] < alone["b"], "where nobody has labelled, the model's doubt decides"


def test_a_few_overlapping_clips_prove_nobody_reliable() -> None:
    _, labels, model = crowd()
    few = dict(list(labels.items())[:12])
    found = rate_clips(few, model)
    assert found.consensus == {}
    assert len(found.telling) == len(CLIPS)
    agreed = {clip: {"ada": "joy", "ben": "joy"} for clip in CLIPS[:30]}
    assert rate_clips(agreed, model).consensus == {}, "one emotion only"
    torn = rate_clips({"a": {"ada": "joy", "ben": "fear"}, "b": {"ada": "joy", "ben": "joy"}}, {})
    assert torn.telling["a"] > torn.telling["b"]


def test_one_annotator_alone_is_never_called_certain() -> None:
    labels = {clip: {"ada": "joy"} for clip in CLIPS[:20]}
    model = {clip: {"joy": 0.99, "fear": 0.01} for clip in CLIPS[:20]}
    found = rate_clips(labels, model)
    assert found.certain(0.5) == frozenset()
    assert len(found.telling) == 20


def test_labels_without_any_prediction_are_rated_by_their_agreement() -> None:
    _, labels, _ = crowd()
    found = rate_clips(labels, {})
    assert set(found.consensus) == set(labels)
    agreed = [c for c, by in labels.items() if len(by) == 3 and len(set(by.values())) == 1]
    torn = [c for c, by in labels.items() if len(by) == 3 and len(set(by.values())) == 3]
    shares = {clip: share for clip, (_, share) in found.consensus.items()}
    assert min(shares[c] for c in agreed) > max(shares[c] for c in torn)


def test_nothing_is_known_of_nothing() -> None:
    assert rate_clips({}, {}) == CrowdRatings()
    assert rate_clips({"a": {"ada": "joy", "ben": "joy"}}, {}) == CrowdRatings()
    assert CrowdRatings({}, {"a": ("joy", 0.9)}).certain(None) == frozenset()


def test_what_was_undone_or_does_not_count_is_not_rated(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    for name in ("ada", "ben", "dice"):
        store.append(LabelEvent(action="label", annotator=name, clip=CLIPS[0], emotion="joy"))
    store.append(LabelEvent(action="label", annotator="ada", clip=CLIPS[1], emotion="fear"))
    store.undo("ada")
    found = whole_annotations(store.state(), lambda entry: entry.annotator != "dice")
    assert found == {CLIPS[0]: {"ada": "joy", "ben": "joy"}}


# ---------------------------------------------------------------------- in the queue


def queue(store: LabelStore, clips: int = 12, **settings) -> LabelQueue:
    given = {"strategy": "telling", "overlap": 0.0, "random_share": 0.2, "gold_share": 0.0}
    return LabelQueue(
        store,
        [Candidate(clip, f"{n}.wav") for n, clip in enumerate(CLIPS[:clips])],
        np.random.default_rng(1),
        QueueSettings(**(given | settings)),
    )


def label(store: LabelStore, clip: str, who: str, emotion: str = "joy") -> None:
    store.append(LabelEvent(action="label", annotator=who, clip=clip, emotion=emotion))


def test_the_most_telling_clips_come_first_also_when_others_labelled_them(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    mine = queue(store)
    label(store, CLIPS[3], "ben")
    label(store, CLIPS[3], "cy", "fear")
    mine.rate({clip: 1.0 if clip == CLIPS[3] else n / 100 for n, clip in enumerate(CLIPS[:10])}, ())
    seen: list[str] = []
    while (ticket := mine.next("ada", "s")) is not None:
        if ticket.why == "telling":
            seen.append(ticket.candidate.clip)
        label(store, ticket.candidate.clip, "ada")
    assert seen[0] == CLIPS[3]
    told = [CLIPS.index(clip) for clip in seen[1:] if CLIPS.index(clip) < 10]
    assert told == sorted(told, reverse=True)
    assert mine.progress("ada").done == 12


def test_two_people_are_not_shown_one_clip_at_once(tmp_path: Path) -> None:
    mine = queue(LabelStore(tmp_path))
    mine.rate(dict.fromkeys(CLIPS[:12], 0.5), ())
    shown = {mine.next(name, name).candidate.clip for name in ("ada", "ben", "cy")}
    assert len(shown) == 3


@pytest.mark.parametrize("strategy", ["telling", "random"])
def test_clips_with_enough_labels_leave_everybodys_queue(tmp_path: Path, strategy: str) -> None:
    store = LabelStore(tmp_path)
    mine = queue(store, strategy=strategy, overlap=1.0, overlap_annotators=9)
    settled = set(CLIPS[:4])
    for clip in settled:
        label(store, clip, "ben")
    mine.rate({}, settled)
    mine.gold = {CLIPS[0]: ""}
    assert mine.progress("ada").remaining == 9
    seen = set()
    while (ticket := mine.next("ada", "s")) is not None:
        seen.add(ticket.candidate.clip)
        label(store, ticket.candidate.clip, "ada")
    assert seen == set(CLIPS[:12]) - settled | {CLIPS[0]}, "gold is still asked"
    mine.rate({}, ())
    assert mine.next("ada", "s") is not None, "they come back when the level is taken away"


def test_the_level_is_kept_and_checked(tmp_path: Path) -> None:
    write_annotator_settings(tmp_path, None, 0.1, by="ada", enough=0.9)
    assert read_annotator_settings(tmp_path).enough == 0.9
    for wrong in (0.2, 1.0):
        with pytest.raises(StoreError, match="certain"):
            write_annotator_settings(tmp_path, None, 0.1, by="ada", enough=wrong)
    assert read_annotator_settings(tmp_path).enough == 0.9


@pytest.mark.slow
def test_twenty_thousand_clips_are_rated_in_seconds() -> None:
    import time

    rng = np.random.default_rng(0)
    clips = [f"{n:064x}" for n in range(20_000)]
    people = [f"p{n}" for n in range(8)]
    labels = {
        clip: {name: EMOTIONS[rng.integers(5)] for name in people if rng.random() < 0.2}
        for clip in clips
    }
    table = rng.dirichlet(np.ones(5), len(clips))
    model = {
        clip: dict(zip(EMOTIONS, row.tolist(), strict=True))
        for clip, row in zip(clips, table, strict=True)
    }
    begun = time.process_time()
    found = rate_clips(labels, model)
    assert len(found.telling) == len(clips)
    assert time.process_time() - begun < 20, "processor seconds; two or three where it is quiet"
