"""Time lines in and out: edges survive within a millisecond, what is lost or damaged is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_store import LabelEvent, LabelStore, LabelTableError
from label_store.exchange import (
    LabelRow,
    LabelTable,
    apply,
    label_table,
    plan,
    timelines,
    to_label_studio,
)
from label_store.exchange.timelines import FORMATS, Timeline, left_out, lines_of, read, read_files
from label_store.exchange.timelines.timeline import file_names
from ser_core.corpora.tables import read_bytes
from ser_core.corpora.tables.words import is_emotion, read_word
from ser_core.emotions import EMOTIONS
from ser_core.errors import UnknownEmotionError

NAMES = st.sampled_from(["a.wav", "take 1.2.wav", "ä b/ü.mp3", "it's “x”.flac", "50%.wav"])
WHO = st.sampled_from(["ada", "bob (the 2nd)", 'carl "c"', "døra"])
STRETCH = st.tuples(
    st.floats(0, 3599, allow_nan=False), st.floats(0.002, 30), st.sampled_from(EMOTIONS), WHO
)


def line(name: str, some: Sequence[tuple[float, float, str, str]], *, who: bool = True) -> Timeline:
    rows = tuple(
        LabelRow(name, emotion, "corpus", "", start, start + length, by if who else "")
        for start, length, emotion, by in some
    )
    return Timeline(name, "corpus", "", rows, max(row.end or 0 for row in rows))


def known(rows: Sequence[LabelRow], *, who: bool) -> list[tuple[float, float, str, str]]:
    return sorted(
        (row.start or 0.0, row.end or 0.0, row.emotion, row.annotator if who else "")
        for row in rows
    )


def same(found: LabelTable, wanted: Timeline, *, who: bool) -> None:
    assert found.problems == ()
    after = known(found.rows, who=who)
    before = known(wanted.rows, who=who)
    # Rounding may change the order of what begins within the same millisecond.
    assert len(after) == len(before)
    for start, end, emotion, by in before:
        near = [
            one
            for one in after
            if abs(one[0] - start) <= 0.001 and abs(one[1] - end) <= 0.001 + 1e-9
            and one[2:] == (emotion, by)
        ]  # fmt: skip
        assert near, (start, end, emotion, by)
        after.remove(near[0])


@settings(max_examples=250, deadline=None)
@given(st.tuples(*[st.tuples(NAMES, st.lists(STRETCH, min_size=1, max_size=6))] * 4))
def test_a_thousand_time_lines_survive_each_format_within_a_millisecond(
    four: tuple[tuple[str, list[tuple[float, float, str, str]]], ...],
) -> None:
    for name, some in four:
        for kind in ("textgrid", "elan", "audacity", "srt", "rttm"):
            form = FORMATS[kind]
            wanted = line(name, some, who=form.by_annotator)
            ((file, data),) = form.files([wanted]).items()
            same(read(data, file, is_emotion), wanted, who=form.by_annotator)


def test_a_thousand_time_lines_survive_audformat() -> None:
    rng = random.Random(5)
    wanted = []
    for number in range(1000):
        some = {
            (round(rng.uniform(0, 3000), 4), rng.uniform(0.01, 20)): (
                rng.choice(EMOTIONS), rng.choice(["ada", "bob b"]),
            )
            for _ in range(rng.randint(1, 5))
        }  # fmt: skip
        wanted.append(
            line(f"{number:04} ä.wav", [(*times, *words) for times, words in some.items()])
        )
    found = read_files(FORMATS["audformat"].files(wanted), "out", is_emotion)
    assert found.problems == ()
    by_file: dict[str, list[LabelRow]] = {}
    for row in found.rows:
        by_file.setdefault(row.file_name, []).append(row)
    for one in wanted:
        same(LabelTable(tuple(by_file[one.place])), one, who=True)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """Two annotators, overlapping segments, one label of a whole clip, two names alike but for
    the ending."""
    store = LabelStore(tmp_path / "home", writer="w")
    for who, name, start, end, emotion in (
        ("ada", "day/a.wav", 0.25, 1.7512, "joy"),
        ("ada", "day/a.wav", 1.2, 3.0, "fear"),
        ("bob", "day/a.wav", 0.25, 1.7512, "joy"),
        ("ada", "day/a.mp3", 0.1, 0.4, "anger"),
        ("ada", "whole.wav", None, None, "calm"),
    ):
        clip = store.keep_clip(name.encode(), Path(name).suffix)
        store.append(
            LabelEvent(
                action="label", annotator=who, clip=clip, file_name=name, corpus="mine",
                emotion=emotion, start=start, end=end, certainty=0.7, note="loud",
            )
        )  # fmt: skip
    return store


@pytest.mark.parametrize("kind", FORMATS)
def test_what_went_out_and_comes_back_changes_nothing(store: LabelStore, kind: str) -> None:
    form = FORMATS[kind]
    lines = lines_of(store, by_annotator=form.by_annotator)
    files = form.files(lines)
    table = read(timelines.packed(files), "labels.zip", is_emotion)
    made = plan(
        store, table, "ada", lambda word: read_word(word).emotion, refusal=UnknownEmotionError,
        keep_annotators=form.by_annotator,
    )  # fmt: skip
    assert made.problems == ()
    assert {one.kind for one in made.changes} == {"same"}
    assert len(made.changes) == {"audformat": 5}.get(kind, 4 if form.by_annotator else 3)
    # A corrected word comes back as one relabel.
    changed = {
        name: data.replace(b"anger", b"sadness") if b"anger" in data else data
        for name, data in files.items()
    }
    table = read_files(changed, "labels", is_emotion)
    made = plan(
        store, table, "ada", lambda word: read_word(word).emotion, refusal=UnknownEmotionError,
        keep_annotators=form.by_annotator,
    )  # fmt: skip
    assert sorted(one.kind for one in made.changes if one.kind != "same") == ["relabel"]
    assert len(apply(store, made)) == 1


def test_regions_of_label_studio_come_back_as_they_went(store: LabelStore) -> None:
    table = read_bytes(to_label_studio(store), "labels.json")
    made = plan(
        store, label_table(table.rows, table.problems), "ada", lambda word: word,
        keep_annotators=True,
    )  # fmt: skip
    assert [one.kind for one in made.changes] == ["same"] * 5


def test_what_a_format_can_not_hold_is_said(store: LabelStore) -> None:
    for kind, form in FORMATS.items():
        text = " ".join(left_out(form, lines_of(store, by_annotator=form.by_annotator)))
        assert ("1 label of a whole clip is not in it" in text) == (kind != "audformat")
        assert "second emotion" not in text


def mixed(store: LabelStore) -> None:
    """Label a clip and a segment of another with a second emotion, an intensity, or both."""
    for name, start, end, second, intensity in (
        ("whole.wav", None, None, "sadness", 3),
        ("day/a.mp3", 0.1, 0.4, "disgust", None),
        ("day/a.wav", 1.2, 3.0, "", 1),
    ):
        clip = store.keep_clip(name.encode(), Path(name).suffix)
        store.append(
            LabelEvent(
                action="label", annotator="bob", clip=clip, file_name=name, corpus="mine",
                emotion="fear", second_emotion=second, intensity=intensity, start=start, end=end,
            )
        )  # fmt: skip


MIXED = [("", 1, 1.2), ("disgust", None, 0.1), ("sadness", 3, None)]


@pytest.mark.parametrize("kind", ["audformat", "label-studio"])
def test_second_emotions_and_intensities_come_back(
    store: LabelStore, tmp_path: Path, kind: str
) -> None:
    mixed(store)
    if kind == "audformat":
        files = FORMATS[kind].files(lines_of(store, by_annotator=True))
        table = read_files(files, "labels", is_emotion)
    else:
        found = read_bytes(to_label_studio(store), "labels.json")
        table = label_table(found.rows, found.problems)
    other = LabelStore(tmp_path / "other")
    for name in ("day/a.wav", "day/a.mp3", "whole.wav"):
        other.keep_clip(name.encode(), Path(name).suffix)
    for home, kinds in ((store, {"same"}), (other, {"new"})):
        made = plan(
            home, table, "eve", lambda word: read_word(word).emotion,
            refusal=UnknownEmotionError, keep_annotators=True,
        )  # fmt: skip
        assert {one.kind for one in made.changes} == kinds
        assert len(made.changes) == 8
        assert {one.kind for one in made.problems} <= {"missing-file"}
        apply(home, made)
    assert (
        sorted(
            (event.second_emotion, event.intensity, event.start)
            for event in other.events()
            if event.second_emotion or event.intensity
        )
        == MIXED
    )
    assert {event.annotator for event in other.events() if event.intensity} == {"bob"}


def test_what_has_no_place_for_them_says_so(store: LabelStore) -> None:
    mixed(store)
    for kind, form in FORMATS.items():
        text = " ".join(left_out(form, lines_of(store, by_annotator=form.by_annotator)))
        assert ("without the second emotion or the intensity" in text) == (kind != "audformat")


def test_names_that_differ_by_their_ending_get_files_of_their_own(store: LabelStore) -> None:
    assert set(file_names(lines_of(store, by_annotator=True), ".TextGrid")) == {
        "mine/day/a.wav.TextGrid", "mine/day/a.mp3.TextGrid",
    }  # fmt: skip


SHORT = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2.5\n<exists>\n3\n"IntervalTier"\n'
    '"words"\n0\n2.5\n2\n0\n1\n"good day"\n1\n2.5\n"xx"\n"IntervalTier"\n"mood"\n0\n2.5\n3\n0\n.5\n'
    '""\n0.5\n1.25\n"Happy"\n1.25\n2.5\n"angry"\n"TextTier"\n"clicks"\n0\n2.5\n1\n1.0\n"joy"\n'
).replace("\n.5\n", "\n0.5\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_a_textgrid_from_praat_is_read_and_other_tiers_are_named(encoding: str) -> None:
    found = read(SHORT.encode(encoding), "talk.TextGrid", is_emotion)
    assert [(row.file_name, row.start, row.end, row.emotion) for row in found.rows] == [
        ("talk", 0.5, 1.25, "Happy"), ("talk", 1.25, 2.5, "angry"),
    ]  # fmt: skip
    assert [(one.kind, "words" in one.reason) for one in found.problems] == [("other-tier", True)]


def test_other_files_of_these_kinds_are_read() -> None:
    srt = "1\r\n00:00:01,5 --> 01:00:02.250\r\n<i>so</i>\r\njoy\r\n\r\n"
    (row,) = read(srt.encode(), "a.srt", is_emotion).rows
    assert (row.start, row.end, row.emotion) == (1.5, 3602.25, "<i>so</i> joy")
    rttm = b"SPKR-INFO a 1 <NA> <NA> <NA> unknown bob\nSPEAKER a 1 2.5 1.0 <NA> <NA> joy <NA>\n"
    (row,) = read(rttm, "a.rttm", is_emotion).rows
    assert (row.file_name, row.start, row.end) == ("a", 2.5, 3.5)
    track = b"0,5\t1,25\tjoy\n\\\t100\t300\n2\t2\tpoint\n"
    found = read(track, "a.txt", is_emotion)
    assert [row.start for row in found.rows] == [0.5]
    assert [one.kind for one in found.problems] == ["bad-number"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.TextGrid", SHORT[:120].encode(), "ends early"),
        ("a.TextGrid", b"hello", "ends early"),
        ("a.TextGrid", b"\xff\xfe\x00", "not UTF-8"),
        ("a.TextGrid", b"ooBinaryFile\x08TextGrid", "save it in Praat"),
        ("a.eaf", b"<a/>", "not an ELAN document"),
        ("a.eaf", b"<ANNOTATION_DOCUMENT", "not XML"),
        ("a.eaf", b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', "entities"),
        ("a.srt", b"joy", "no cue"),
        ("a.rttm", b"joy", "no SPEAKER"),
        ("a.zip", b"PK\x03\x04nothing", "unpacked"),
    ],
)
def test_damage_is_told_by_name(name: str, data: bytes, told: str) -> None:
    with pytest.raises(LabelTableError, match=told) as caught:
        read(data, name, is_emotion)
    assert name in str(caught.value)


def test_a_damaged_audformat_header_is_told() -> None:
    with pytest.raises(LabelTableError, match="audformat"):
        read_files({"db.yaml": b"name: [", "db.x.pkl": b"never opened"}, "db", is_emotion)


def test_edges_outside_time_are_rows_left_out() -> None:
    found = read(b"-1\t2\tjoy\n3\t1\tjoy\nnan\t2\tjoy\n", "a.txt", is_emotion)
    assert found.rows == ()
    assert [one.line for one in found.problems] == [1, 2, 3]
