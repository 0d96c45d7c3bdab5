"""Labels that were brought from elsewhere train, and each that does not says why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from label_store.adjudication import adjudicate, disputes
from label_store.annotators import write_annotator_settings
from label_store.consensus import consensus
from label_store.event import LabelEvent
from label_store.store import LabelStore
from ser_core.corpora import read_all
from ser_core.corpora.base import content_hash
from trainer.data.corrections import Joined, arrived, join, new_labels
from trainer.data.labelled_clips import (
    MISSING,
    OPEN_REASONS,
    TEST_SPEAKER,
    UNTRUSTED,
    finder,
    renamed_rows,
    row_speakers,
    unknown_emotion,
)
from trainer.data.prepare import Prepared, prepare
from trainer.data.standing import CorpusSides, standing
from trainer.settings import Settings

EMOTIONS = ("anger", "joy", "sadness")


def label(store: LabelStore, name: str, emotion: str, *, by: str = "ada", **more: object) -> None:
    store.append(
        LabelEvent(action="label", annotator=by, file_name=name, corpus="mine", emotion=emotion, **more)  # type: ignore[arg-type]
    )


def joined(prepared: Prepared, store: LabelStore, corpora: Path) -> Joined:
    found = consensus(store)
    found = dataclasses.replace(
        found, without_file=(*found.without_file, *renamed_rows(store, prepared.problems))
    )
    return join(prepared, found, weight=3.0, session=lambda clip: clip, find=finder(corpora))


def corpus(root: Path, tiny_corpora: Path, table: str, **names: int) -> Path:
    """Copy some made recordings into a corpus of one's own, ``mine``."""
    sounds = sorted(tiny_corpora.rglob("*.wav"))
    folder = root / "corpora" / "mine"
    folder.mkdir(parents=True)
    for name, number in names.items():
        (folder / f"{name}.wav").write_bytes(sounds[number].read_bytes())
    (folder / "labels.csv").write_text("Filename,Emotion,Speaker\n" + table)
    return root / "corpora"


def test_a_label_that_knows_only_the_content_of_a_corpus_clip_trains(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    prepared = prepare(tiny_settings, tmp_path / "cache")
    store = LabelStore(tmp_path)
    old = prepared.sides["train"][0]
    other = next(one for one in prepared.emotions if one != old.clip.emotion)
    label(store, old.clip.path.name, other, clip=content_hash(old.clip.path))
    assert store.clip_path(content_hash(old.clip.path)) is None
    made = joined(prepared, store, tiny_corpora)
    assert (made.replaced, made.left_out) == (1, {})
    assert made.prepared.sides["train"][0].clip.emotion == other
    assert made.sentence() == "corrections: 1 of 1 labels train: 1 replaces a corpus's"


def test_a_second_emotion_trains_as_a_soft_label_and_counts_as_new(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    prepared = prepare(tiny_settings, tmp_path / "cache")
    store = LabelStore(tmp_path)
    old = prepared.sides["train"][0].clip
    first, second = (one for one in prepared.emotions if one != old.emotion)
    sha = content_hash(old.path)
    label(store, old.path.name, first, clip=sha)
    before = store.revision
    hard = joined(prepared, store, tiny_corpora).prepared.sides["train"][0].target
    assert sorted(hard) == [0, 0, 1]
    label(store, old.path.name, first, clip=sha, second_emotion=second, intensity=2)
    made = joined(prepared, store, tiny_corpora).prepared.sides["train"][0]
    shares = dict(zip(prepared.emotions, made.target, strict=True))
    assert shares == pytest.approx({old.emotion: 0.0, first: 0.7, second: 0.3})
    assert prepared.emotions[made.label] == first
    assert new_labels(store, before) == 1


def test_a_mixed_decision_of_an_adjudicator_trains_as_a_soft_label(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    prepared = prepare(tiny_settings, tmp_path / "cache")
    store = LabelStore(tmp_path)
    old = prepared.sides["train"][0].clip
    first, second = (one for one in prepared.emotions if one != old.emotion)
    sha = content_hash(old.path)
    label(store, old.path.name, first, clip=sha, second_emotion=old.emotion)
    label(store, old.path.name, second, clip=sha, by="ben")
    assert joined(prepared, store, tiny_corpora).replaced == 0
    before = store.revision
    adjudicate(store, disputes(store.state())[0], first, "eve", second_emotion=second)
    made = joined(prepared, store, tiny_corpora).prepared.sides["train"][0]
    shares = dict(zip(prepared.emotions, made.target, strict=True))
    assert shares == pytest.approx({old.emotion: 0.0, first: 0.7, second: 0.3})
    assert new_labels(store, before) == 1


def test_a_missing_file_begins_to_count_when_it_comes(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    rows = "a.wav,joy,1\nb.wav,anger,2\nc.wav,sadness,3\n"
    root = corpus(tmp_path, tiny_corpora, rows, a=0, b=1, c=2)
    settings = dataclasses.replace(tiny_settings, corpora=str(root), emotions=EMOTIONS)
    store = LabelStore(tmp_path)
    label(store, "late.wav", "joy")
    made = joined(prepare(settings, tmp_path / "cache"), store, root)
    assert made.left_out == {MISSING: 1}
    assert made.waiting == (("mine", "late.wav"),)
    assert arrived(made.waiting, finder(root)) == 0
    sound = sorted(tiny_corpora.rglob("*.wav"))[5]
    (root / "mine" / "late.wav").write_bytes(sound.read_bytes())
    assert arrived(made.waiting, finder(root)) == 1
    made = joined(prepare(settings, tmp_path / "cache"), store, root)
    assert made.left_out == {}
    assert sum(made.added.values()) == 1


def test_a_rename_is_believed_by_the_trainer(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    rows = "a.wav,joy,1\nb.wav,anger,2\nc.wav,sadness,3\nwrongname.wav,joy,1\n"
    root = corpus(tmp_path, tiny_corpora, rows, a=0, b=1, c=2, right=6)
    settings = dataclasses.replace(tiny_settings, corpora=str(root), emotions=EMOTIONS)
    prepared = prepare(settings, tmp_path / "cache")
    store = LabelStore(tmp_path)
    assert sum(joined(prepared, store, root).added.values()) == 0
    store.rename("", "right.wav", "ada", corpus="mine", former_name="wrongname.wav")
    made = joined(prepared, store, root)
    fresh = [item for items in made.prepared.sides.values() for item in items]
    assert (root / "mine" / "right.wav", "joy") in {(i.clip.path, i.clip.emotion) for i in fresh}
    # A person's own label of that clip goes before the table's word, and is the only one.
    sha = store.keep_clip((root / "mine" / "right.wav").read_bytes(), ".wav")
    label(store, "right.wav", "sadness", clip=sha)
    made = joined(prepared, store, root)
    of_clip = [i for items in made.prepared.sides.values() for i in items if i.digest == sha]
    assert [item.clip.emotion for item in of_clip] == ["sadness"]
    assert made.left_out == {}
    found = standing(store, CorpusSides.of(read_all(root)), EMOTIONS)
    assert (found.trains, found.total) == (1, 1)


def test_segments_are_learned_and_never_the_whole_file(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    rows = "a.wav,joy,1\nb.wav,anger,2\nc.wav,sadness,3\n"
    root = corpus(tmp_path, tiny_corpora, rows, a=0, b=1, c=2)
    (root / "mine" / "labels.csv").write_text(
        "file,start,end,emotion,speaker\na.wav,0,0.2,joy,1\na.wav,0.2,0.5,anger,1\n"
        "b.wav,0.1,9,sadness,2\nc.wav,30,31,joy,3\n"
    )
    settings = dataclasses.replace(tiny_settings, corpora=str(root), emotions=EMOTIONS)
    prepared = prepare(settings, tmp_path / "cache")
    found = {
        item.clip.key: prepared.decoded.samples(item.digest).shape[-1]
        for items in prepared.sides.values()
        for item in items
    }
    assert (found["a[0-0.2]"], found["a[0.2-0.5]"]) == (3200, 4800)
    assert set(found) == {"a[0-0.2]", "a[0.2-0.5]", "b[0.1-9]"}
    assert any("Correct the times" in problem.reason for problem in prepared.problems)


def test_whatever_will_not_train_says_so_before_the_run(
    tiny_corpora: Path, tmp_path: Path
) -> None:
    store = LabelStore(tmp_path)
    readings = read_all(tiny_corpora)
    by_side: dict[str, Path] = {}
    from ser_core.corpora.splits import split

    parts = split([clip for reading in readings for clip in reading.clips])
    for side in ("train", "test"):
        by_side[side] = parts.side(side)[0].path  # type: ignore[arg-type]
    for path in by_side.values():
        store.append(
            LabelEvent(
                action="label", annotator="ada", clip=content_hash(path), file_name=path.name,
                corpus="cremad", emotion="joy",
            )
        )  # fmt: skip
    label(store, "gone.wav", "joy")
    label(store, "dull.wav", "boredom")
    label(store, "both.wav", "joy")
    label(store, "both.wav", "anger", by="ben")
    label(store, "eve.wav", "joy", by="eve")
    write_annotator_settings(store.folder, {"ada", "ben"}, 0.0, by="ada")
    corpora = CorpusSides.of(readings)
    found = standing(store, corpora, EMOTIONS)
    assert (found.trains, found.total) == (1, 6)
    assert {reason: len(names) for reason, names in found.left_out.items()} == {
        TEST_SPEAKER: 1,
        MISSING: 1,
        unknown_emotion("boredom"): 1,
        OPEN_REASONS["tie"]: 1,
        UNTRUSTED: 1,
    }
    assert found.lines()[0] == "1 of 6 labels will train."


def test_a_row_without_a_label_is_on_its_speakers_side_once_somebody_labels_it(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    """What the table says of the speaker counts also for rows that it says nothing else of."""
    names = [f"s{number}" for number in range(12)]
    rows = "".join(f"{name}.wav,{EMOTIONS[n % 3]},{name}\n" for n, name in enumerate(names))
    files = {name: number for number, name in enumerate(names)}
    faulty = "later.wav,,{0}\nwrongname.wav,joy,{0}\nodd.wav,joyy,{0}\n"
    root = corpus(tmp_path, tiny_corpora, rows, **files, later=12, right=13, odd=14)
    settings = dataclasses.replace(tiny_settings, corpora=str(root), emotions=EMOTIONS)
    plain = prepare(settings, tmp_path / "cache")
    tester = plain.sides["test"][0].clip.speaker
    table = root / "mine" / "labels.csv"
    table.write_text(table.read_text() + faulty.format(tester))
    prepared = prepare(settings, tmp_path / "cache")
    store = LabelStore(tmp_path)
    for name in ("later.wav", "odd.wav"):
        clip = store.keep_clip((root / "mine" / name).read_bytes(), ".wav")
        label(store, name, "joy", clip=clip)
    store.rename("", "right.wav", "ada", corpus="mine", former_name="wrongname.wav")
    found = consensus(store)
    found = dataclasses.replace(
        found, without_file=(*found.without_file, *renamed_rows(store, prepared.problems))
    )
    speakers = row_speakers(store, prepared.problems)
    made = join(
        prepared, found, weight=3.0, session=lambda clip: clip, find=finder(root),
        speakers=speakers,
    )  # fmt: skip
    assert (made.left_out, sum(made.added.values())) == ({TEST_SPEAKER: 3}, 0)
    told = standing(store, CorpusSides.of(read_all(root)), EMOTIONS)
    assert {why: len(names) for why, names in told.left_out.items()} == {TEST_SPEAKER: 3}
