"""Readers say what file names say, and never drop a file in silence."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_core.corpora import READERS, read, read_all
from ser_core.corpora.base import source_stem
from ser_core.corpora.cremad import voice_annotations
from ser_core.errors import CorpusError

NAMES = {
    "emodb": ("wav/03a01Fa", "joy", "03", "m", "a01"),
    "ravdess": ("Actor_12/03-01-05-01-02-01-12", "anger", "12", "f", "02"),
    "ravdess_song": ("Actor_11/03-02-02-01-02-01-11", "calm", "11", "m", "02"),
    "cremad": ("AudioWAV/1002_DFA_HAP_XX", "joy", "1002", "f", "DFA"),
    "tess": ("YAF_pleasant_surprised/YAF_back_ps", "surprise", "YAF", "f", "back"),
    "savee": ("JK/sa03", "sadness", "JK", "m", "sa03"),
    "nemo": ("samples/WR0_surprised_64", "surprise", "WR0", "m", "64"),
    "urdu": ("Happy/SF1_F2_H02", "joy", "SF1", "f", ""),
    "banglaser": ("flat/03-01-03-02-03-01-16", "anger", "16", "f", "s03"),
    "indowave": ("Actor_08/08-03-02-01", "surprise", "08", "f", "s1"),
    "emotiontts": ("plain-to-emotional/emf/wav/emf00100", "neutral", "emf", "m", "em100"),
}


def put(folder: Path, *names: str, content: bytes | None = None) -> None:
    """Make files that differ in content, unless one is given."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() if content is None else content)


@pytest.mark.corpora
def test_every_row_of_the_manifest_is_read_alike(corpora_root: Path) -> None:
    with (corpora_root / "manifest.csv").open(encoding="utf-8", newline="") as file:
        truth = {Path(row["path"]).with_suffix("").as_posix(): row for row in csv.DictReader(file)}
    for reading in read_all(corpora_root):
        assert {problem.kind for problem in reading.problems} <= {"other-emotion", "misplaced"}
        for clip in reading.unlabelled:
            row = truth.pop(clip.path.relative_to(corpora_root).with_suffix("").as_posix())
            assert (row["emotion"], clip.emotion) == ("disappointed", "")
            assert (row["speaker"], row["sex"]) == (clip.speaker, clip.sex)
        for clip in reading.clips:
            row = truth.pop(clip.path.relative_to(corpora_root).with_suffix("").as_posix())
            found = (clip.corpus, clip.emotion, clip.speaker, clip.sex, clip.sentence)
            assert found == tuple(
                row[c] for c in ("corpus", "emotion", "speaker", "sex", "text_id")
            )
    assert truth == {}


@pytest.mark.corpora
def test_the_voices_alone_are_named_right_by_about_two_listeners_in_five(
    corpora_root: Path,
) -> None:
    reading = read(corpora_root / "cremad")
    hits = 0
    for clip in reading.clips:
        assert clip.annotations is not None
        top = max(clip.annotations.values())
        leaders = [
            emotion for emotion, annotations in clip.annotations.items() if annotations == top
        ]
        hits += leaders == [clip.emotion]
    assert hits / len(reading.clips) == pytest.approx(0.416, abs=0.03)


@pytest.mark.corpora
@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_is_recognised_by_its_files_whatever_its_folder_is_called(
    corpora_root: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "mystery").symlink_to(corpora_root / name, target_is_directory=True)
    if name == "cremad":  # its table of votes must not pass for a table of file names
        assert (corpora_root / name / "meta" / "processedResults" / "tabulatedVotes.csv").is_file()
    assert read(tmp_path / "mystery").corpus == name


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".flac", ".Mp3", ".opus", ".m4a"])
@pytest.mark.parametrize("name", NAMES)
def test_any_ending_and_letter_case_is_read(tmp_path: Path, name: str, ending: str) -> None:
    stem, *expected = NAMES[name]
    folder, _, base = stem.rpartition("/")
    put(tmp_path, stem + ending, f"{folder}/deeper/{base.swapcase()}{ending}")
    reading = READERS[name].read(tmp_path)
    assert reading.problems == ()
    for clip in reading.clips:
        assert [clip.emotion, clip.speaker, clip.sex, clip.sentence] == expected
    assert reading.clips[-1].key == stem or reading.clips[0].key == stem


@given(st.text(min_size=1, max_size=30))
@pytest.mark.parametrize("name", NAMES)
def test_no_name_at_all_breaks_a_reader(name: str, text: str) -> None:
    from pathlib import PurePosixPath

    from ser_core.corpora.base import Refused
    from ser_core.emotions import EMOTIONS

    try:
        found = READERS[name].parse(PurePosixPath("x") / f"{text.replace('/', '_')}.wav")
    except Refused:
        return
    assert found.emotion in EMOTIONS
    assert found.speaker


def test_savee_is_read_flat_and_sa_is_not_surprise(tmp_path: Path) -> None:
    put(tmp_path, "DC_a01.wav", "KL_sa15.wav", "JE_su02.wav", "sa01.wav")
    reading = read(tmp_path, "savee")
    assert {c.key: c.emotion for c in reading.clips} == {
        "DC_a01": "anger",
        "KL_sa15": "sadness",
        "JE_su02": "surprise",
    }
    assert [(p.name, p.kind) for p in reading.problems] == [("sa01.wav", "unknown-speaker")]


def test_the_missing_letter_in_tess_is_mended(tmp_path: Path) -> None:
    put(tmp_path, "OAF_neutral/OA_bite_neutral.wav", "OAF_neutral/OAF_bar_neutral.wav")
    clips = read(tmp_path, "tess").clips
    assert {(clip.speaker, clip.sentence) for clip in clips} == {("OAF", "bar"), ("OAF", "bite")}


def test_what_can_not_be_read_is_named_with_its_reason(tmp_path: Path) -> None:
    put(tmp_path, "03a01Fa.wav", "03a01Xa.wav", "holiday.mp3", "._03a01Fa.wav", "notes.txt")
    problems = {p.name: p for p in read(tmp_path, "emodb").problems}
    assert set(problems) == {"03a01Xa.wav", "holiday.mp3", "._03a01Fa.wav"}
    assert problems["03a01Xa.wav"].kind == "unknown-emotion"
    assert problems["holiday.mp3"].kind == "unreadable-name"


def test_an_unknown_emotion_is_met_with_the_nearest(tmp_path: Path) -> None:
    put(tmp_path, "WR0_suprised_1.wav", "WR0_anger_1.wav")
    (problem,) = read(tmp_path, "nemo").problems
    assert problem.kind == "unknown-emotion"
    assert "surprise" in problem.reason


def test_song_and_video_without_sound_do_not_pass_for_speech(tmp_path: Path) -> None:
    put(
        tmp_path, "03-01-05-01-02-01-12.wav", "03-02-05-01-02-01-12.wav", "02-01-05-01-02-01-12.mp4"
    )
    reading = read(tmp_path, "ravdess")
    assert [clip.sentence for clip in reading.clips] == ["02"]
    assert Counter(p.kind for p in reading.problems) == {"other-corpus": 1, "no-sound": 1}


def test_nested_and_recoded_copies_count_once(tmp_path: Path) -> None:
    put(tmp_path, "Actor_01/03-01-05-01-02-01-01.wav", content=b"one")
    put(tmp_path, "again/Actor_01/03-01-05-01-02-01-01.wav", content=b"one")
    put(tmp_path, "mp3/03-01-05-01-02-01-01.mp3", content=b"two")
    reading = read(tmp_path, "ravdess")
    assert [clip.path.suffix for clip in reading.clips] == [".wav"]
    assert [p.kind for p in reading.problems] == ["duplicate", "duplicate"]


def test_a_changed_copy_is_read_by_the_name_of_its_source(tmp_path: Path) -> None:
    put(tmp_path, "03a01Fa.wav", "03a01Fa_noise.wav", "03a01Fa_aug1 (2).wav")
    clips = read(tmp_path, "emodb").clips
    assert len(clips) == 3
    assert {(clip.speaker, clip.emotion) for clip in clips} == {("03", "joy")}


def test_the_marks_of_copies_are_known() -> None:
    marks = (
        "_noise",
        "_aug1",
        " (1)",
        "_stretch0.9",
        " - Copy",
        "_pitch+2st",
        "-corrected",
        "_16k",
    )
    assert {source_stem("clip7" + mark) for mark in marks} == {"clip7"}
    assert source_stem("noise") == "noise"
    assert source_stem("OAF_back_sad") == "OAF_back_sad"


def test_the_mixed_layout_names_each_clip_by_its_corpus(tmp_path: Path) -> None:
    root = tmp_path / "collection"
    put(
        root,
        "Crema/1001_DFA_ANG_XX.wav",
        "Ravdess/audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav",
        "Ravdess/Actor_02/03-02-03-01-01-01-02.wav",
        "Savee/DC_a01.wav",
        "Tess/OAF_Fear/OAF_back_fear.wav",
        "Tess/readme.wav",
    )
    put(
        root,
        "Tess/TESS Toronto emotional speech set data/OAF_Fear/OAF_back_fear.wav",
        content=b"Tess/OAF_Fear/OAF_back_fear.wav",
    )
    reading = read(root)
    assert reading.corpus == "kaggle"
    assert Counter(clip.corpus for clip in reading.clips) == dict.fromkeys(
        ("cremad", "ravdess", "ravdess_song", "savee", "tess"), 1
    )
    assert Counter(p.kind for p in reading.problems) == {"duplicate": 1, "unreadable-name": 1}
    assert {r.corpus for r in read_all(root)} == {"cremad", "ravdess", "savee", "tess"}


def test_only_the_votes_on_the_voice_are_taken(tmp_path: Path) -> None:
    table = tmp_path / "tabulatedVotes.csv"
    table.write_text(
        '"","A","D","F","H","N","S","fileName"\n'
        '"100001",0,0,0,1,10,0,"1001_IEO_NEU_XX"\n'
        '"200001",0,0,0,0,9,0,"1001_IEO_NEU_XX"\n'
        '"300001",9,0,0,0,0,0,"1001_IEO_NEU_XX"\n'
    )
    assert voice_annotations(table) == {"1001_IEO_NEU_XX": {"joy": 1, "neutral": 10}}


def test_folders_without_a_corpus_are_said_so(tmp_path: Path) -> None:
    put(tmp_path, "emodb/03a01Fa.wav", "holiday/beach.mp3", ".cache/03a01Fa.wav")
    (tmp_path / "empty").mkdir()
    readings = {reading.corpus: reading for reading in read_all(tmp_path)}
    assert set(readings) == {"emodb", "holiday", "empty"}
    assert [p.kind for p in readings["holiday"].problems] == ["unknown-corpus"]
    assert [reading.corpus for reading in read_all(tmp_path, ["emodb"])] == ["emodb"]


def test_what_is_asked_for_and_absent_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "emodb/03a01Fa.wav")
    with pytest.raises(CorpusError, match=r"tess"):
        read_all(tmp_path, ["emodb", "tess"])
    with pytest.raises(CorpusError, match="found nothing"):
        read(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="not a corpus known here"):
        read(tmp_path / "emodb", "emo")


def test_an_emotion_that_is_none_of_ours_is_counted_and_kept_without_a_label(
    tmp_path: Path,
) -> None:
    put(
        tmp_path, "Actor_08/08-05-02-01.wav", "Actor_08/08-04-02-01.wav", "Actor_08/08-09-02-01.wav"
    )
    reading = read(tmp_path, "indowave")
    assert [clip.emotion for clip in reading.clips] == ["disgust"]
    assert [(clip.key, clip.emotion, clip.speaker) for clip in reading.unlabelled] == [
        ("Actor_08/08-05-02-01", "", "08")
    ]
    kinds = Counter(problem.kind for problem in reading.problems)
    assert kinds == {"other-emotion": 1, "unknown-emotion": 1}
    assert any("disappointed" in problem.reason for problem in reading.problems)


def test_banglaser_and_ravdess_are_told_apart_by_what_only_one_has(tmp_path: Path) -> None:
    shared = ("03-01-03-01-02-01-12.wav", "03-01-05-01-01-02-11.wav")
    put(tmp_path / "one", *shared, "03-01-02-01-03-01-12.wav")
    put(tmp_path / "two", *shared, "03-01-07-01-02-01-12.wav")
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert (one.corpus, two.corpus) == ("banglaser", "ravdess")
    assert {c.key: c.emotion for c in one.clips}["03-01-03-01-02-01-12"] == "anger"
    assert {c.key: c.emotion for c in two.clips}["03-01-03-01-02-01-12"] == "joy"
    assert [p.kind for p in read(tmp_path / "one", "ravdess").problems] == ["other-corpus"]
