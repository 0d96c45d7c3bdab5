"""Forgetting: the person and the voice go, what was said of the clips stays."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, StoreError
from label_store.annotators import read_annotator_settings, write_annotator_settings
from label_store.consensus import consensus
from label_store.forget import (
    apply,
    forget_annotator,
    forget_clips,
    forget_older,
    stored_tombstones,
)
from label_store.gold import GoldClip, mark
from label_store.voices import KeptVoices

OWN = hashlib.sha256(b"a voice").hexdigest()
CORPUS = hashlib.sha256(b"a corpus clip").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    times = iter(range(1_700_000_000, 1_800_000_000, 60))
    store = LabelStore(tmp_path, clock=lambda: float(next(times)), writer="w1")
    fill(store)
    return store


def fill(store: LabelStore) -> None:
    store.keep_clip(b"a voice", ".wav")
    store.keep_clip(b"a corpus clip", ".wav")
    ada = {
        "annotator": "Ada Lovelace",
        "session": "s-ada",
        "note": "Ada's note",
        "extra": {"p": "x"},
    }
    store.append(
        LabelEvent(action="label", clip=OWN, file_name="ada at home.wav", emotion="joy", **ada)
    )
    store.append(
        LabelEvent(
            action="label", clip=CORPUS, file_name="a.wav", corpus="c", emotion="fear", **ada
        )
    )
    for clip, name, corpus in ((OWN, "ada at home.wav", ""), (CORPUS, "a.wav", "c")):
        store.append(
            LabelEvent(
                action="label",
                annotator="ben",
                clip=clip,
                file_name=name,
                corpus=corpus,
                emotion="fear",
                note="ben's note",
            )
        )


def everything(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


def test_an_annotator_goes_and_the_votes_stay(store: LabelStore) -> None:
    done = forget_annotator(store, "Ada Lovelace")
    assert done.events == 3  # two of hers, and the other that names her recording
    assert done.clips == (OWN,)
    for again in (store, LabelStore(store.home)):
        votes = again.clip(OWN).whole()
        (pseudonym,) = votes.keys() - {"ben"}
        assert pseudonym.startswith("forgotten-")
        assert votes == {pseudonym: "joy", "ben": "fear"}
        assert again.clip(CORPUS).whole() == {pseudonym: "fear", "ben": "fear"}
        assert not again.reports
    text = everything(store.home)
    for word in (b"Ada", b"ada at home", b"s-ada", b"a voice"):
        assert word not in text
    assert store.clip_path(OWN) is None
    assert store.clip_path(CORPUS) is not None
    assert b"ben's note" in text


def test_a_recording_goes_and_its_labels_stay(store: LabelStore) -> None:
    done = forget_clips(store, [OWN])
    assert done.clips == (OWN,)
    view = store.clip(OWN)
    assert view.whole() == {"Ada Lovelace": "joy", "ben": "fear"}
    assert view.file_name == f"forgotten-{OWN[:12]}.wav"
    assert b"ada at home" not in everything(store.home)
    assert store.history(OWN)[0].note == ""
    with pytest.raises(StoreError, match="no clip"):
        forget_clips(store, ["0" * 64])


def test_the_same_order_undo_and_next_event_after_forgetting(store: LabelStore) -> None:
    other = LabelStore(store.home, clock=lambda: 1_900_000_000.0, writer="w2")
    before = [(event.number, event.event_id, event.emotion) for event in store.events()]
    forget_annotator(store, "Ada Lovelace")
    after = [
        (event.number, event.event_id, event.emotion)
        for event in other.events()
        if event.action != "forget"
    ]
    assert after == before
    saved = other.append(LabelEvent(action="label", annotator="ben", clip=CORPUS, emotion="joy"))
    assert saved.number == 7  # four, two tombstones, and this one
    store.undo("ben", clip=CORPUS)
    assert other.clip(CORPUS).whole()["ben"] == "fear"


def test_who_comes_back_is_a_new_annotator_and_a_recording_may_be_brought_again(store) -> None:
    forget_annotator(store, "Ada Lovelace")
    store.keep_clip(b"a voice", ".wav")
    store.append(
        LabelEvent(action="label", annotator="Ada Lovelace", clip=OWN, emotion="anger", note="new")
    )
    assert apply(store).clips == ()
    assert store.clip_path(OWN) is not None
    assert store.clip(OWN).whole()["Ada Lovelace"] == "anger"
    assert store.history(OWN)[-1].note == "new"


def test_trust_and_gold_follow_the_pseudonym(store: LabelStore) -> None:
    write_annotator_settings(
        store.folder, ["Ada Lovelace"], 0.1, by="Ada Lovelace", clock=lambda: 1e9
    )
    mark(store, [GoldClip(CORPUS, "fear", "a.wav", "c", "Ada Lovelace")])
    before = {one.clip_hash: one.emotion for one in consensus(store, ["Ada Lovelace"]).labels}
    forget_annotator(store, "Ada Lovelace")
    people = read_annotator_settings(store.folder)
    found = consensus(store, people.trusted)
    now = {one.clip_hash: one.emotion for one in (*found.labels, *found.without_file)}
    assert now == before == {OWN: "joy", CORPUS: "fear"}
    assert b"Ada" not in everything(store.home)


def test_nobody_of_that_name(store: LabelStore) -> None:
    with pytest.raises(StoreError, match="Nobody named"):
        forget_annotator(store, "carl")
    assert stored_tombstones(store) == []


def test_retention_takes_recordings_that_nobody_works_on(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    store = LabelStore(tmp_path, clock=lambda: now[0])
    fill(store)
    now[0] += 29 * 86400
    assert forget_older(store, 30).clips == ()
    now[0] += 2 * 86400
    assert forget_older(store, 30).clips == (OWN,)  # the clip of a corpus is not a recording
    assert forget_older(store, 30).clips == ()
    with pytest.raises(StoreError, match="0 or more"):
        forget_older(store, -1)


def test_a_leftover_of_a_killed_rewriting_is_not_read_and_goes(store: LabelStore) -> None:
    (path,) = store.folder.glob("events-2023-*-w1.csv")
    before = path.read_bytes()
    forget_annotator(store, "Ada Lovelace")
    path.write_bytes(before)  # as if killed between the new file and the removal of the old one
    again = LabelStore(store.home)
    assert "Ada Lovelace" not in {event.annotator for event in again.events()}
    apply(again)
    assert not path.exists()
    assert b"Ada" not in everything(store.home)


KILLED = """
import os, sys
from pathlib import Path
from label_store import LabelStore
from label_store.forget import forget_annotator
print("go", flush=True)
forget_annotator(LabelStore(Path(sys.argv[1])), "Ada Lovelace")
"""


@pytest.mark.parametrize("wait", [0.0, 0.002, 0.005, 0.01, 0.02])
def test_killed_while_forgetting_it_is_completed_by_the_next_try(store, wait: float) -> None:
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.home)], stdout=subprocess.PIPE, cwd=root
    )
    process.stdout.readline()
    try:
        process.wait(wait or None if wait == 0.0 else wait)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = LabelStore(store.home)
    assert [event.number for event in again.events()][:4] == [1, 2, 3, 4]
    assert [event.emotion for event in again.events()][:4] == ["joy", "fear", "fear", "fear"]
    if stored_tombstones(again):
        apply(again)
    else:
        forget_annotator(again, "Ada Lovelace")
    assert b"Ada" not in everything(store.home)
    assert sorted(again.clip(CORPUS).whole().values()) == ["fear", "fear"]


def test_a_kept_voice_goes_with_its_speaker_and_with_who_asked_for_it(store: LabelStore) -> None:
    voices = KeptVoices(store.home)
    voices.keep("Zoë", b"hers", by="ben")
    voices.keep("guest", b"theirs", by="Ada Lovelace")
    voices.keep("corpus/7", b"seven", by="ben")
    assert forget_annotator(store, "Zoë").voices == 1  # she made no event
    assert [one.name for one in voices.all()] == ["corpus/7", "guest"]
    done = forget_annotator(store, "Ada Lovelace")
    assert (done.voices, done.events > 0) == (1, True)
    assert [one.path.read_bytes() for one in voices.all()] == [b"seven"]
    assert voices.get("other", "corpus/7") is not None
    with pytest.raises(StoreError, match="1 to 120"):
        voices.keep("  ", b"", by="ben")
