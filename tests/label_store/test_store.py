"""What the label store promises: nothing lost, nothing overwritten unknowingly."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from label_store import ANY, ConflictError, EventError, LabelEvent, LabelStore, NothingToUndoError
from label_store.consensus import consensus

CLIP = hashlib.sha256(b"one").hexdigest()
OTHER = hashlib.sha256(b"two").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path, clock=lambda: 1_700_000_000.0, writer="w1")


def label(annotator: str = "ada", emotion: str = "joy", clip: str = CLIP, **more) -> LabelEvent:
    more.setdefault("file_name", f"{clip[:4]}.wav")
    return LabelEvent(action="label", annotator=annotator, clip=clip, emotion=emotion, **more)


def test_a_saved_event_comes_back_whole_from_a_new_store(store: LabelStore, tmp_path: Path) -> None:
    event = label(
        note='two\nlines, "quoted" \\n and \0',
        certainty=0.25,
        probabilities={"joy": 0.7, "anger": 0.3},
        prediction="joy",
        prediction_visible=False,
        milliseconds=812,
        start=0.5,
        end=1.25,
        extra={"device": "phone"},
        model_version="v1",
        session="s1",
        corpus="mine",
    )
    saved = store.append(event)
    assert saved.number == 1
    again = LabelStore(tmp_path).history(CLIP)
    assert again == [saved.event]
    assert again[0].note == event.note
    assert again[0].time == "2023-11-14T22:13:20.000Z"


def test_clips_are_kept_once_under_their_hash(store: LabelStore) -> None:
    clip = store.keep_clip(b"one", ".WAV")
    assert clip == CLIP
    assert store.keep_clip(b"one", "mp3") == CLIP
    path = store.clip_path(CLIP)
    assert path == store.home / "clips" / CLIP[:2] / f"{CLIP}.wav"
    assert path.read_bytes() == b"one"
    assert store.clip_path(OTHER) is None
    assert store.clip_path("../../etc/passwd") is None
    with pytest.raises(EventError, match="ending"):
        store.keep_clip(b"one", "../x")


def test_compare_and_set_refuses_a_stale_save(store: LabelStore, tmp_path: Path) -> None:
    ben = LabelStore(tmp_path, writer="w2")
    first = store.append(label("ada", "joy"), expect=None)
    with pytest.raises(ConflictError, match="ada") as caught:
        ben.append(label("ben", "anger"), expect=None)
    assert caught.value.latest == first.event_id
    assert ben.clip(CLIP).whole() == {"ada": "joy"}
    ben.append(label("ben", "anger"), expect=first.event_id)
    assert store.clip(CLIP).whole() == {"ada": "joy", "ben": "anger"}
    with pytest.raises(ConflictError):
        store.append(label("ada", "fear"), expect=first.event_id)


def test_skips_and_suggestions_of_others_are_no_conflict(store: LabelStore) -> None:
    head = store.append(label("ada", "joy")).event_id
    store.append(LabelEvent(action="skip", annotator="ben", clip=CLIP, reason="noise"))
    store.append(LabelEvent(action="suggest", annotator="guest", clip=CLIP, emotion="fear"))
    store.append(label("ada", "fear"), expect=head)
    assert store.clip(CLIP).whole() == {"ada": "fear"}


def test_undo_steps_back_event_by_event(store: LabelStore) -> None:
    store.append(label("ada", "joy", session="s"))
    store.append(label("ada", "fear", session="s"))
    store.append(label("ben", "anger", session="t"))
    store.undo("ada", "s")
    assert store.clip(CLIP).whole() == {"ada": "joy", "ben": "anger"}
    store.undo("ada", "s")
    assert store.clip(CLIP).whole() == {"ben": "anger"}
    with pytest.raises(NothingToUndoError):
        store.undo("ada", "s")
    assert [event.action for event in store.history(CLIP)] == ["label"] * 3 + ["undo"] * 2


def test_the_store_can_be_read_as_it_was(store: LabelStore) -> None:
    store.append(label("ada", "joy"))
    store.append(label("ada", "fear"))
    store.undo("ada")
    store.rename(CLIP, "better.wav", "ada")
    assert store.state(until=1).clip(CLIP).whole() == {"ada": "joy"}
    assert store.state(until=2).clip(CLIP).whole() == {"ada": "fear"}
    assert store.state(until=3).clip(CLIP).whole() == {"ada": "joy"}
    assert store.state(until=3).clip(CLIP).file_name == f"{CLIP[:4]}.wav"
    assert store.clip(CLIP).file_name == "better.wav"
    assert len(store.state(until="2000-01-01T00:00:00Z")) == 0
    assert len(store.state(until="2030-01-01")) == 4


def test_a_clock_that_jumps_back_changes_no_order(tmp_path: Path) -> None:
    times = iter([2_000_000_000.0] * 10 + [5.0] * 30)
    store = LabelStore(tmp_path, clock=lambda: next(times), writer="w")
    emotions = ["joy", "fear", "anger", "sadness", "disgust", "neutral"]
    for emotion in emotions:
        store.append(label("ada", emotion))
    again = LabelStore(tmp_path)
    assert [event.emotion for event in again.history(CLIP)] == emotions
    assert [event.number for event in again.history(CLIP)] == [1, 2, 3, 4, 5, 6]
    assert again.clip(CLIP).whole() == {"ada": "disgust"} or again.clip(CLIP).whole() == {
        "ada": "neutral"
    }
    assert again.clip(CLIP).whole()["ada"] == emotions[-1]


def test_a_batch_is_saved_in_one_go(store: LabelStore, tmp_path: Path) -> None:
    saved = store.append_many([label("ada", "joy"), label("ada", "fear", clip=OTHER)])
    assert [one.number for one in saved] == [1, 2]
    assert len(LabelStore(tmp_path).events()) == 2
    with pytest.raises(EventError):
        store.append_many([label("ada"), label("ada", "")])
    assert store.revision == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"annotator": " "},
        {"clip": "abc"},
        {"emotion": ""},
        {"file_name": "../x.wav"},
        {"file_name": "/etc/x.wav"},
        {"file_name": "a\nb.wav"},
        {"file_name": "a\udc80.wav"},
        {"emotion": "jo\0y"},
        {"certainty": 1.5},
        {"certainty": float("nan")},
        {"start": 2.0, "end": 1.0},
        {"note": "x" * 20_000},
        {"probabilities": {"joy": 7.0}},
        {"milliseconds": -1},
    ],
)
def test_an_event_that_would_not_come_back_is_refused(store: LabelStore, wrong: dict) -> None:
    good = {"action": "label", "annotator": "ada", "clip": CLIP, "emotion": "joy"}
    with pytest.raises(EventError):
        store.append(LabelEvent(**(good | wrong)))
    assert store.revision == 0


def test_training_labels_need_a_majority_and_a_file(store: LabelStore) -> None:
    store.keep_clip(b"one", ".wav")
    store.append(label("ada", "joy"), expect=ANY)
    store.append(label("ben", "anger"))
    store.append(label("ada", "fear", clip=OTHER))
    found = consensus(store)
    assert [clip.reason for clip in found.open] == ["tie"]
    assert [one.emotion for one in found.without_file] == ["fear"]
    assert list(consensus(store).labels) == []
    store.append(label("eve", "joy"))
    (one,) = list(consensus(store).labels)
    assert (one.emotion, one.annotators) == ("joy", ("ada", "ben", "eve"))
    assert one.distribution == pytest.approx({"anger": 1 / 3, "joy": 2 / 3})
    assert one.path.read_bytes() == b"one"
    assert one.revision == store.head(CLIP)
    assert consensus(store, trusted={"ben"}).labels[0].emotion == "anger"
    assert list(consensus(store, min_annotations=4).labels) == []


def test_suggestions_never_train_until_a_review_takes_them(store: LabelStore) -> None:
    store.keep_clip(b"one", ".wav")
    one = store.append(LabelEvent(action="suggest", annotator="guest", clip=CLIP, emotion="fear"))
    assert list(consensus(store).labels) == []
    assert [entry.event_id for entry in store.clip(CLIP).suggestions] == [one.event_id]
    store.append(
        LabelEvent(action="review", annotator="ada", clip=CLIP, emotion="fear", target=one.event_id)
    )
    assert store.clip(CLIP).suggestions == []
    (trained,) = list(consensus(store).labels)
    assert (trained.emotion, trained.annotators, trained.reviewed) == ("fear", ("ada",), True)
    assert list(consensus(store, trusted={"guest"}).labels) == []


def test_undo_reaches_back_to_earlier_sittings_and_spares_those_going_on(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    clips = [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)]
    for clip, session in zip(clips, ("old", "elsewhere", "old"), strict=True):
        store.append(
            LabelEvent(action="label", annotator="ada", session=session, clip=clip, emotion="joy")
        )
    store.rename(clips[0], "new.wav", "ada", session="old")
    again = LabelStore(tmp_path)
    options = {"actions": {"label", "skip"}, "spare": {"elsewhere"}, "undo_session": "new"}
    taken = [again.undo("ada", **options).event for _ in range(2)]
    assert [event.clip for event in taken] == [clips[2], clips[0]]
    assert {event.session for event in taken} == {"new"}
    with pytest.raises(NothingToUndoError):
        again.undo("ada", **options)
    assert again.clip(clips[0]).file_name == "new.wav"
    assert again.clip(clips[1]).whole() == {"ada": "joy"}
