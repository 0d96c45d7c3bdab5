"""No person, content or copy is ever on two sides, whatever the scheme; `random` says it leaks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_core.corpora import Clip, read, read_all
from ser_core.corpora.base import content_hash
from ser_core.corpora.committed_sides import SIDES, TABLES, read_sides
from ser_core.corpora.grouping import clip_stem, group, person_of
from ser_core.corpora.splits import LEAK_NOTE, SCHEMES, Splits, side_of, split
from ser_core.errors import CorpusError

HONEST = [
    {"scheme": "fixed"},
    *({"scheme": "kfold", "fold": fold, "seed": 3} for fold in (0, 4)),
    {"scheme": "leave-one-corpus-out", "held_out": "ravdess"},
]


def make(folder: Path, name: str, content: str = "", **known: str) -> Clip:
    path = folder / (name + ".wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or f"{folder}/{name}")
    corpus = known.pop("corpus", "mine")
    return Clip(path, corpus, name, known.pop("emotion", "joy"), family=corpus, **known)


def people(splits: Splits) -> list[set[str]]:
    return [{person_of(c) for c in splits.side(side)} - {""} for side in SIDES]


def contents(splits: Splits) -> list[set[str]]:
    return [{content_hash(c.path) for c in splits.side(side)} for side in SIDES]


def disjoint(sets: Sequence[set[str]]) -> bool:
    return all(not one & other for one, other in combinations(sets, 2))


@pytest.fixture(scope="module")
def real(corpora_root: Path) -> list[Clip]:
    """Every clip of the real corpora."""
    return [clip for reading in read_all(corpora_root) for clip in reading.clips]


@pytest.mark.corpora
@pytest.mark.parametrize("arguments", HONEST, ids=str)
def test_real_people_and_contents_are_on_one_side(
    real: list[Clip], arguments: dict[str, Any]
) -> None:
    splits = split(real, **arguments)
    assert disjoint(people(splits))
    if arguments["scheme"] == "fixed":  # reads every file, once
        assert disjoint(contents(splits))
    assert sum(len(splits.side(side)) for side in SIDES) == len(real)
    assert LEAK_NOTE not in splits.notes


@pytest.mark.corpora
def test_the_fixed_sides_keep_most_speakers_and_both_sexes(real: list[Clip]) -> None:
    splits = split(real)
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for side in SIDES:
        for clip in splits.side(side):
            speakers[clip.family, side].add(clip.speaker)
            if clip.family in ("ravdess", "cremad"):
                assert clip.sex
    size = {key: len(value) for key, value in speakers.items()}
    assert [size["emodb", side] for side in SIDES] == [5, 1, 2]
    assert [size["ravdess", side] for side in SIDES] == [14, 3, 3]
    assert [size["cremad", side] for side in SIDES] == [56, 10, 10]
    assert [size["nemo", side] for side in SIDES] == [5, 1, 1]
    assert {clip.family for clip in splits.test} >= {"tess", "savee", "urdu"}
    assert not {clip.family for clip in (*splits.train, *splits.validation)} & {
        "tess",
        "savee",
        "urdu",
    }
    for side in ("validation", "test"):
        for family in ("ravdess", "cremad"):
            assert {c.sex for c in splits.side(side) if c.family == family} == {"f", "m"}
    assert any("tess: never trained on" in note for note in splits.notes)


@pytest.mark.corpora
def test_speech_and_song_of_an_actor_go_together(corpora_root: Path) -> None:
    speech, song = (read(corpora_root / name).clips for name in ("ravdess", "ravdess_song"))
    sides = {clip.speaker: side_of(clip) for clip in speech}
    assert all(side_of(clip) == sides[clip.speaker] for clip in song)
    out = split([*speech, *song], "leave-one-corpus-out", held_out="ravdess_song")
    assert out.train == ()


@pytest.mark.corpora
def test_copies_and_corrections_follow_their_source(corpora_root: Path, tmp_path: Path) -> None:
    source = read(corpora_root / "emodb").clips
    copies = []
    for place, clip in enumerate(source[::5]):
        name = clip.path.stem
        # The page keeps a corrected clip under its hash, a visitor uploads it under a new name.
        kept = tmp_path / f"{place}.opus"
        kept.write_bytes(clip.path.read_bytes())
        copies.append(Clip(kept, "corrections", f"upload-{place}", "anger"))
        copies.append(make(tmp_path, f"aug/{name}_noise", corpus="augmented"))
        copies.append(make(tmp_path, f"aug/{name} (2)_pitch+2", corpus="augmented"))
    for arguments in (*HONEST[:3], {"scheme": "leave-one-corpus-out", "held_out": "emodb"}):
        splits = split([*source, *copies], **arguments)
        sides = {clip.key: side for side in SIDES for clip in splits.side(side)}
        for place, clip in enumerate(source[::5]):
            expected = sides[clip.key]
            name = clip.path.stem
            assert sides[f"upload-{place}"] == expected
            assert sides[f"aug/{name}_noise"] == expected
            assert sides[f"aug/{name} (2)_pitch+2"] == expected


def test_a_copy_whose_source_is_elsewhere_follows_the_name(tmp_path: Path) -> None:
    unseen = make(tmp_path, "03-01-05-01-02-01-24_reverb", corpus="table")
    assert person_of(unseen) == "ravdess/24"
    assert side_of(unseen) == "test"
    assert split([unseen]).test == (unseen,)


def test_people_of_an_unknown_corpus_fill_every_side(tmp_path: Path) -> None:
    for count in (3, 4, 7, 20):
        clips = [
            make(tmp_path, f"{count}/{speaker}-{n}", speaker=f"s{speaker}")
            for speaker in range(count)
            for n in range(3)
        ]
        splits = split(clips)
        assert all(splits.side(side) for side in SIDES)
        assert disjoint(people(splits))
        assert split(reversed(clips)).test == tuple(c for c in reversed(clips) if c in splits.test)
        assert {side_of(clip, clips) for clip in splits.validation} == {"validation"}
        assert len(splits.train) >= max(1, count // 2)


def test_without_speakers_near_names_and_contents_keep_together(tmp_path: Path) -> None:
    clips = []
    for n in range(40):
        clips.append(make(tmp_path, f"clip{n}", content=f"c{n}"))
        clips.append(make(tmp_path, f"copies/CLIP{n}_aug1"))
        clips.append(make(tmp_path, f"copies/renamed{n}x", content=f"c{n}"))
    for scheme in ("fixed", "kfold"):
        splits = split(clips, scheme)
        assert all(splits.side(side) for side in SIDES)
        assert disjoint([{clip_stem(c) for c in splits.side(side)} for side in SIDES])
        assert disjoint(contents(splits))


def test_recordings_of_a_common_name_are_not_lumped_together(tmp_path: Path) -> None:
    clips = [make(tmp_path, f"take{n}/audio") for n in range(30)]
    assert len(group(clips).groups) == 30


def test_one_content_of_two_people_stays_on_the_stricter_side_only(tmp_path: Path) -> None:
    train = make(tmp_path, "a", content="same", corpus="emodb", speaker="03")
    test = make(tmp_path, "b", content="same", corpus="emodb", speaker="09")
    splits = split([train, test])
    assert (splits.train, splits.test) == ((), (test,))
    assert any("1 clips left out" in note for note in splits.notes)


def test_a_copy_that_may_be_of_two_people_is_left_out_and_said_so(tmp_path: Path) -> None:
    one = make(tmp_path, "x/sentence12", corpus="emodb", speaker="03")
    other = make(tmp_path, "y/sentence12", corpus="emodb", speaker="09")
    copy = make(tmp_path, "sentence12_noise")
    splits = split([one, other, copy])
    assert copy not in (*splits.train, *splits.validation, *splits.test)
    assert any("1 clips left out" in note for note in splits.notes)


def test_random_leaks_and_says_so(tmp_path: Path) -> None:
    clips = [make(tmp_path, f"{s}-{n}", speaker=f"s{s}") for s in range(5) for n in range(20)]
    splits = split(clips, "random", seed=1)
    assert not disjoint(people(splits))
    assert splits.notes == (LEAK_NOTE,)
    assert split(clips, "random", seed=1) == splits
    assert split(clips, "random", seed=2) != splits
    assert [len(splits.side(side)) for side in SIDES] == [70, 15, 15]


def test_each_fold_tests_once(tmp_path: Path) -> None:
    clips = [make(tmp_path, f"{s}-{n}", speaker=f"s{s}") for s in range(11) for n in range(s + 1)]
    tested = Counter(
        clip.key for fold in range(4) for clip in split(clips, "kfold", fold=fold, folds=4).test
    )
    assert tested == Counter(clip.key for clip in clips)
    sizes = [len(split(clips, "kfold", fold=fold, folds=4).test) for fold in range(4)]
    assert max(sizes) - min(sizes) <= 4


def test_what_can_not_be_split_is_refused_with_the_choice(tmp_path: Path) -> None:
    clips = [make(tmp_path, f"{s}", speaker=f"s{s}") for s in range(3)]
    with pytest.raises(CorpusError, match="leave-one-corpus-out"):
        split(clips, "by-file")
    with pytest.raises(CorpusError, match="Hold out one of: mine"):
        split(clips, "leave-one-corpus-out", held_out="emodb")
    with pytest.raises(CorpusError, match="5 folds need"):
        split(clips, "kfold")
    with pytest.raises(CorpusError, match="3 or more folds"):
        split(clips, "kfold", folds=3, fold=3)
    clips[0].path.unlink()
    with pytest.raises(CorpusError, match="Read the corpus again"):
        split(clips)
    assert set(SCHEMES) == {"fixed", "kfold", "leave-one-corpus-out", "random"}


def test_the_committed_tables_name_every_speaker() -> None:
    assert set(TABLES["emodb"]) == {f"{n:02d}" for n in (3, *range(8, 17))}
    assert set(TABLES["ravdess"]) == {f"{n:02d}" for n in range(1, 25)}
    assert set(TABLES["cremad"]) == {str(n) for n in range(1001, 1092)}
    assert {len(TABLES[name]) for name in ("nemo", "savee", "tess", "urdu")} == {9, 4, 2, 38}


def test_a_table_with_a_fault_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    for text in ("speaker,part\n", "speaker,side\n01,dev\n", "speaker,side\n01,test\n01,train\n"):
        table.write_text(text)
        with pytest.raises(CorpusError, match=r"x\.csv"):
            read_sides(table)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "", "p", "q", "r", "s"]),
            st.sampled_from(["one", "clip7", "clip7_noise", "clip8 (1)", "audio", "clip9_aug2"]),
            st.sampled_from(["A", "B", "C", "D", "E"]),
            st.sampled_from(["x", "y"]),
        ),
        min_size=5,
        max_size=25,
    ),
    st.sampled_from(["fixed", "kfold", "leave-one-corpus-out"]),
)
def test_any_mixture_is_parted_without_a_leak(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, str]],
    scheme: str,
) -> None:
    folder = tmp_path_factory.mktemp("mixture")
    clips = [
        make(folder, f"{n}/{name}", content=data, corpus=corpus, speaker=speaker)
        for n, (speaker, name, data, corpus) in enumerate(rows)
    ]
    if scheme == "kfold" and len(group(clips).groups) < 3:
        with pytest.raises(CorpusError, match="folds need"):
            split(clips, scheme, folds=3)
        return
    splits = split(clips, scheme, folds=3, held_out=clips[0].corpus)
    assert disjoint(people(splits))
    assert disjoint(contents(splits))
    nameless = [
        {(c.corpus, clip_stem(c)) for c in splits.side(side) if not c.speaker} for side in SIDES
    ]
    common = {(corpus, "audio") for corpus in ("x", "y")}
    assert disjoint([one - common for one in nameless])
    placed = sum(len(splits.side(side)) for side in SIDES)
    left_out = sum(int(n.split()[0]) for n in splits.notes if "left out" in n)
    assert placed + left_out == len(clips)
