"""A second emotion and an intensity: stored, agreed on, exchanged, and readable by any version."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_store import EventError, LabelEvent, LabelStore
from label_store.consensus import consensus
from label_store.event import COLUMNS, decode, encode_row, encode_unchecked
from label_store.event_rows import parse_row
from label_store.exchange import apply, label_table, plan, rows_of, to_csv, to_parquet
from label_store.projection import labels_csv
from label_store.review import accept
from label_store.sync.shards import rows_of as rows_of_shard
from ser_core.corpora.tables import read_bytes
from ser_core.emotions import canonical
from ser_core.errors import UnknownEmotionError

CLIP = hashlib.sha256(b"one").hexdigest()
OLD_COLUMNS = tuple(name for name in COLUMNS if name not in {"second_emotion", "intensity"})


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    made = LabelStore(tmp_path / "home", writer="w")
    made.keep_clip(b"one", ".wav")
    return made


def label(who: str = "ada", emotion: str = "anger", **more: Any) -> LabelEvent:
    more = {"action": "label", "file_name": "one.wav", **more}
    return LabelEvent(annotator=who, clip=CLIP, emotion=emotion, **more)


def old_rows(events: list[LabelEvent], schema: int, **extra: str) -> bytes:
    """Return an event file as versions without the two columns wrote it."""
    rows = [encode_row(OLD_COLUMNS)]
    for event in events:
        row = encode_unchecked(replace(event, schema=schema, extra=extra)).rstrip(b"\n")
        cells = dict(zip(COLUMNS, parse_row(row), strict=True))
        rows.append(encode_row([cells[name] for name in OLD_COLUMNS]))
    return b"".join(rows)


def test_a_mixed_label_comes_back_from_a_new_store(store: LabelStore) -> None:
    saved = store.append(label(second_emotion="sadness", intensity=3))
    again = LabelStore(store.home)
    assert again.history(CLIP) == [saved.event]
    entry = again.clip(CLIP).annotations["", ""]["ada"]
    assert (entry.emotion, entry.second_emotion, entry.intensity) == ("anger", "sadness", "3")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"second_emotion": "anger"}, "both"),
        ({"second_emotion": "<b>"}, "not an emotion word"),
        ({"intensity": 4}, "expected 1, 2 or 3"),
        ({"intensity": 0}, "expected 1, 2 or 3"),
        ({"action": "skip", "emotion": "", "second_emotion": "joy"}, "belongs to"),
        ({"action": "skip", "emotion": "", "intensity": 2}, "belongs to"),
    ],
)
def test_what_makes_no_mixed_label_is_refused(
    store: LabelStore, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventError, match=message):
        store.append(label(**more))
    assert store.revision == 0


def test_files_written_before_read_unchanged_and_go_on_beside_new_ones(store: LabelStore) -> None:
    one = label(event_id="a1", number=1, time="2026-01-02T03:04:05.000Z", note="a, b")
    store.folder.mkdir(parents=True, exist_ok=True)
    path = store.folder / "events-2026-01-02-w.csv"
    # Somebody's table had a column of that name, which means something else.
    path.write_bytes(old_rows([one], 1, intensity="2"))
    before = path.read_bytes()
    again = LabelStore(store.home, writer="w")
    (read,) = again.history(CLIP)
    assert (read.schema, read.second_emotion, read.intensity) == (1, "", None)
    assert (read.note, dict(read.extra)) == ("a, b", {"intensity": "2"})
    assert consensus(again).labels[0].distribution == {"anger": 1.0}
    again.append(label("ben", second_emotion="joy"))
    assert path.read_bytes() == before
    assert [e.second_emotion for e in LabelStore(store.home).history(CLIP)] == ["", "joy"]


def test_a_row_that_an_older_version_passed_on_is_whole_again() -> None:
    event = label(event_id="a1", number=1, time="2026-01-02T03:04:05.000Z", writer="w")
    data = old_rows([event], 2, second_emotion="joy", intensity="2", Room="4")
    (row,) = rows_of_shard(data)
    back = decode(dict(zip(COLUMNS, parse_row(row), strict=True)))
    assert (back.second_emotion, back.intensity, dict(back.extra)) == ("joy", 2, {"Room": "4"})


def test_a_damaged_intensity_costs_its_row_alone(store: LabelStore) -> None:
    store.append(label(intensity=2))
    store.append(label("ben", intensity=3))
    (path,) = store.folder.glob("events-*.csv")
    path.write_bytes(path.read_bytes().replace(b"anger,,3,", b"anger,,9,"))
    again = LabelStore(store.home)
    assert set(again.clip(CLIP).annotations["", ""]) == {"ada"}
    assert [one.kind for one in again.reports] == ["damaged-row"]


def test_the_consensus_is_soft_only_where_somebody_named_a_second_emotion(
    store: LabelStore,
) -> None:
    store.append(label("ada"))
    (plain,) = consensus(store).labels
    assert (plain.distribution, plain.second_emotion, plain.intensity) == ({"anger": 1.0}, "", None)
    store.append(label("ada", second_emotion="sadness", intensity=2))
    (one,) = consensus(store).labels
    assert one.distribution == pytest.approx({"anger": 0.7, "sadness": 0.3})
    assert (one.emotion, one.second_emotion, one.intensity) == ("anger", "sadness", 2)
    store.append(label("ben", intensity=3))
    (two,) = consensus(store).labels
    assert two.distribution == pytest.approx({"anger": 0.85, "sadness": 0.15})
    assert (two.second_emotion, two.intensity) == ("sadness", 2)
    (weighed,) = consensus(store, method="dawid-skene").labels
    assert sum(weighed.distribution.values()) == pytest.approx(1)
    assert weighed.distribution["sadness"] == pytest.approx(0.15, abs=0.01)
    store.append(label("eve", "joy", action="adjudicate"))
    assert consensus(store).labels[0].distribution == {"joy": 1.0}


def test_second_emotions_settle_nothing(store: LabelStore) -> None:
    store.append(label("ada", "anger", second_emotion="joy"))
    store.append(label("ben", "joy"))
    assert [one.reason for one in consensus(store).open] == ["tie"]


def test_an_accepted_suggestion_keeps_both(store: LabelStore) -> None:
    waiting = store.append(label("guest", action="suggest", second_emotion="fear", intensity=1))
    (review,) = accept(store, [waiting.event_id], "ada")
    assert (review.event.second_emotion, review.event.intensity) == ("fear", 1)
    assert consensus(store).labels[0].distribution == pytest.approx({"anger": 0.7, "fear": 0.3})


@pytest.mark.parametrize("format_", ["csv", "parquet", "projection"])
def test_tables_take_both_out_and_back(store: LabelStore, tmp_path: Path, format_: str) -> None:
    store.append(label(second_emotion="sadness", intensity=3, extra={"Room": "4"}))
    if format_ == "parquet":
        table = read_bytes(to_parquet(rows_of(store), store.clips.paths()), "x.parquet")
    else:
        data = to_csv(rows_of(store)) if format_ == "csv" else labels_csv(store)
        table = read_bytes(data, "x.csv")
    other = LabelStore(tmp_path / "other")
    made = plan(other, label_table(table.rows), "eve", canonical, refusal=UnknownEmotionError)
    apply(other, made)
    (event,) = other.history(CLIP)
    assert (event.emotion, event.second_emotion, event.intensity) == ("anger", "sadness", 3)
    if format_ == "csv":
        assert dict(event.extra) == {"Room": "4"}
        assert to_csv(rows_of(other)) == to_csv(rows_of(store))
    again = plan(other, label_table(table.rows), "eve", canonical, refusal=UnknownEmotionError)
    assert again.counts() == {"same": 1}


def test_a_table_changes_them_and_one_without_them_takes_nothing_back(store: LabelStore) -> None:
    store.append(label(second_emotion="sadness", intensity=3))

    def planned(text: str) -> Any:
        table = label_table(read_bytes(text.encode(), "x.csv").rows)
        return plan(store, table, "ada", canonical, refusal=UnknownEmotionError)

    assert planned(f"Filename,Emotion,Clip\none.wav,anger,{CLIP}\n").counts() == {"same": 1}
    made = planned(f"Filename,Emotion,Clip,Second Emotion\none.wav,anger,{CLIP},happy\n")
    assert made.counts() == {"relabel": 1}
    apply(store, made)
    assert (store.history(CLIP)[-1].second_emotion, store.history(CLIP)[-1].intensity) == ("joy", 3)


def test_other_words_in_columns_of_that_name_stay_and_are_told(
    store: LabelStore, tmp_path: Path
) -> None:
    text = f"Filename,Emotion,Clip,Second Emotion,Intensity\none.wav,anger,{CLIP},blorp,strong\n"
    table = label_table(read_bytes(text.encode(), "x.csv").rows)
    made = plan(store, table, "ada", canonical, refusal=UnknownEmotionError)
    assert made.counts() == {"new": 1, "second-emotion": 1}
    assert "taken without" in made.problems[0].reason
    apply(store, made)
    (event,) = LabelStore(store.home).history(CLIP)
    assert (event.second_emotion, event.intensity) == ("", None)
    assert dict(event.extra) == {"Second Emotion": "blorp", "Intensity": "strong"}
