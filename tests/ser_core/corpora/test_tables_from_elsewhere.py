"""What people bring: paths from other machines, other tools, encodings, languages and layouts."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from pathlib import Path

import pytest

from ser_core import emotions
from ser_core.corpora import read, read_all, summary
from ser_core.corpora.clip import Reading
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.corpora.tables import read_bytes
from ser_core.corpora.tables.names import FileIndex, FileMatch, NoMatch
from ser_core.corpora.tables.words import keep_mapping, parse_mapping, parse_pairs
from ser_core.errors import ColumnError, TableError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"{folder.name} {name}".encode())


def clips(reading: Reading) -> dict[str, str]:
    return {clip.key: clip.emotion for clip in reading.clips}


@pytest.mark.parametrize(
    "written",
    [
        *("Actor_01/a.wav", "./Actor_01/a.wav", "Actor_01\\a.wav", "C:\\me\\SER\\Actor_01\\a.wav"),
        *(
            "/kaggle/input/ravdess/Actor_01/a.wav",
            "../Actor_01/A.WAV",
            "a",
            "a.wav",
            "Actor_01/a.mp3",
        ),
        *("s3://bucket/x/Actor_01/a.wav", "/data/local-files/?d=Actor_01%5Ca.wav", "ACTOR_01/a"),
    ],
)
def test_a_path_from_elsewhere_means_the_file_with_the_longest_common_tail(written: str) -> None:
    found = FileIndex(["Actor_01/a.wav", "Actor_02/b.wav", "b.wav"]).find(written)
    assert isinstance(found, FileMatch)
    assert found.name == "Actor_01/a.wav"
    assert found.ending == written.endswith("mp3")


def test_unicode_forms_are_one_name_and_several_files_are_asked_about() -> None:
    index = FileIndex([unicodedata.normalize("NFD", "Ärger.wav"), "x/1.wav", "y/1.wav"])
    assert isinstance(index.find(unicodedata.normalize("NFC", "ärger.wav")), FileMatch)
    several = index.find("1.wav")
    assert isinstance(several, NoMatch)
    assert several.options == ("x/1.wav", "y/1.wav")
    assert isinstance(index.find("D:\\z\\y\\1.wav"), FileMatch)
    missing = index.find("aerger.wav")
    assert isinstance(missing, NoMatch)
    assert missing.kind == "missing-file"


def test_a_row_of_another_folder_does_not_take_a_file_that_another_row_names(
    tmp_path: Path,
) -> None:
    put(tmp_path, "s1/001.wav")
    text = "Filename,Emotion\ns1/001.wav,joy\nold/s2/001.wav,anger\n"
    (tmp_path / "labels.csv").write_text(text)
    reading = read(tmp_path)
    assert clips(reading) == {"s1/001": "joy"}
    assert [problem.kind for problem in reading.problems] == ["missing-file"]


@pytest.mark.parametrize(
    "data",
    [
        b"Filename,Emotion\na.wav,happy\n",
        b"emotions;FILE_PATH\r\nhappy;a.wav\r\n",
        b",Path,Label\n0,x/a.wav,Happy\n",
        b"\n\nsep=|\nAudio|sentiment\na.wav|HAPPY\n",
        "Filename\tEmotion\r\na.wav\tjoy\r\n".encode("utf-16"),
        "Filename\tEmotion\r\na.wav\tjoy\r\n".encode("utf-16-le"),
        b"Filename,Emotion,label,rater2\na.wav,joy,sad,neutral\n",
        b"take,mood\na.wav,happy\n",
        b"a.wav,happy\n",
        b",labels,source,path\n0,female_happy,RAVDESS,/kaggle/a.wav\n",
    ],
)
def test_headings_and_separators_as_people_write_them(data: bytes) -> None:
    table = read_bytes(data, "t.csv")
    (row,) = table.rows
    assert row.file_name.rpartition("/")[2] == "a.wav"
    assert emotions.canonical(row.emotion.removeprefix("female_")) == "joy"


@pytest.mark.parametrize("row", ["u0.wav|happy", "u0.wav,happy,a sentence", "1;u0.wav;hapyy"])
def test_the_first_row_of_a_table_without_a_heading_is_a_row(row: str) -> None:
    others = "".join(
        row.replace("u0", f"u{n}").replace("hapyy", "happy") + "\n" for n in range(1, 5)
    )
    table = read_bytes(f"{row}\n{others}".encode(), "plain.csv")
    assert [one.file_name for one in table.rows] == [f"u{n}.wav" for n in range(5)]
    assert "without heading" in " ".join(table.notes)


def test_a_heading_that_nothing_tells_is_chosen_by_a_person() -> None:
    data = b"take,how\na1,cheery\nb2,grumpy\n"
    with pytest.raises(ColumnError) as refused:
        read_bytes(data, "t.csv")
    assert refused.value.headings == ("take", "how")
    table = read_bytes(data, "t.csv", {"file_name": "take", "emotion": "HOW"})
    assert [row.emotion for row in table.rows] == ["cheery", "grumpy"]
    with pytest.raises(ColumnError, match="found were"):
        read_bytes(data, "t.csv", {"emotion": "mood"})


@pytest.mark.parametrize(
    ("encoding", "speaker", "said"),
    [
        ("cp1252", "Zoë Müller", "CP1252"),
        ("gbk", "张三说话人", "GBK"),
        ("cp932", "山田さんの話者です", "Shift-JIS"),
    ],
)
def test_a_legacy_encoding_is_guessed_and_the_guess_is_said(
    encoding: str, speaker: str, said: str
) -> None:
    text = "Filename,Emotion,Speaker\n" + f"a.wav,joy,{speaker}\nb.wav,fear,{speaker}\n" * 3
    table = read_bytes(text.encode(encoding), "t.csv")
    assert table.rows[0].speaker == speaker
    assert any(said in note for note in table.notes)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0.5", "1.2"),
        ("0,5", "1,2"),
        ("00:00:00.500", "00:00:01.2"),
        ("0 days 00:00:00.5", "0 days 00:00:01.200000"),
    ],
)
def test_times_in_three_forms_are_segments(tmp_path: Path, start: str, end: str) -> None:
    put(tmp_path, "a.wav")
    rows = f"file;start;end;emotion\na.wav;{start};{end};joy\n"
    rows += f"a.wav;{end};9;anger\na.wav;0 days;;fear\n"
    (tmp_path / "t.csv").write_text(rows)
    reading = read(tmp_path)
    assert [(c.start, c.end, c.emotion) for c in reading.clips] == [
        (0.5, 1.2, "joy"), (1.2, 9.0, "anger"), (None, None, "fear"),
    ]  # fmt: skip
    assert len({clip.key for clip in reading.clips}) == 3
    assert reading.problems == ()


def test_cvat_and_audacity_labels_are_segments(tmp_path: Path) -> None:
    cvat = b"id\tfilename\tstart\tstop\tlabel\tsource\tscore\n"
    cvat += b"1\ta.wav\t00:00:00.100\t00:00:00.900\thappy\tmanual\t1\n"
    (row,) = read_bytes(cvat, "cvat.tsv").rows
    assert (row.file_name, row.start, row.end, row.emotion) == ("a.wav", 0.1, 0.9, "happy")
    put(tmp_path, "talk.wav")
    (tmp_path / "talk.txt").write_text("0.1\t0.9\tangry\n\\\t100.0\t300.0\n0.9\t1.5\tsad\n")
    reading = read(tmp_path)
    assert [(c.path.name, c.start, c.end, c.emotion) for c in reading.clips] == [
        ("talk.wav", 0.1, 0.9, "anger"), ("talk.wav", 0.9, 1.5, "sadness"),
    ]  # fmt: skip


def task(audio: str, result: list[object], by: int = 1, **more: object) -> dict[str, object]:
    return {
        "id": 1,
        "data": {"audio": audio},
        "annotations": [{"completed_by": by, "result": result} | more],
    }


def choice(*words: str, question: str = "emotion", **times: float) -> dict[str, object]:
    value = {"choices": list(words)} | times
    return {"from_name": question, "to_name": "audio", "type": "choices", "value": value}


def test_label_studio_regions_people_addresses_and_what_was_cancelled() -> None:
    two = task("/data/local-files/?d=talk/a%20%2B%20b.wav", [choice("Happy")])
    two["annotations"].append({"completed_by": {"email": "ben"}, "result": [choice("Sad")]})  # type: ignore[attr-defined]
    tasks = [
        two,
        task("/data/local-files/?d=talk\\a&b #3.wav", [choice("Angry", start=0.2, end=0.9)]),
        task(
            "/data/upload/1/aa86fe77-50%25.wav",
            [choice("Fearful"), choice("noisy", question="quality")],
        ),
        task("x.wav", [choice("Happy")], was_cancelled=True),
        task("y.wav", [choice("Happy", "Sad")]),
    ]
    table = read_bytes(json.dumps(tasks).encode(), "ls.json")
    assert [(r.file_name, r.emotion, r.annotator, r.start) for r in table.rows] == [
        ("talk/a + b.wav", "Happy", "1", None),
        ("talk/a + b.wav", "Sad", "ben", None),
        ("talk/a&b #3.wav", "Angry", "1", 0.2),
        ("50%.wav", "Fearful", "1", None),
    ]
    assert [problem.kind for problem in table.problems] == ["cancelled", "several-emotions"]
    least = [
        {"audio": "/data/upload/5/d3886e88-c.wav", "id": 1, "sentiment": "Happy", "annotator": 7}
    ]
    (row,) = read_bytes(json.dumps(least).encode(), "min.json").rows
    assert (row.file_name, row.emotion, row.annotator) == ("c.wav", "Happy", "7")
    regions = "audio,label,annotator\n"
    regions += (
        '/data/upload/5/d3886e88-c.wav,"[{""start"":0,""end"":0.9,""labels"":[""happy""]}]",1\n'
    )
    (row,) = read_bytes(regions.encode(), "regions.csv").rows
    assert (row.emotion, row.start, row.end) == ("happy", 0.0, 0.9)


def test_label_studios_second_emotion_and_intensity_stand_beside_their_region() -> None:
    def region(question: str, start: float, **value: object) -> dict[str, object]:
        times = {"start": start, "end": start + 1}
        return {"id": f"r{start}", "from_name": question, "value": times | value}

    (whole, one, two, several) = (
        task("w.wav", [choice("Sad", question="second_emotion"), choice("Happy"),
                       {"from_name": "intensity", "value": {"rating": 2}}]),
        task("r.wav", [region("mood", 0, labels=["Happy"]), region("mood", 2, labels=["Angry"]),
                       region("Intensity", 2, rating=3), region("Second emotion", 0,
                       choices=["Fearful"]), region("quality", 2, rating=5)]),
        task("none.wav", [choice("Happy"), {"from_name": "stars", "value": {"rating": 4}}]),
        task("two.wav", [choice("Happy"), choice("Sad", "Angry", question="second emotion")]),
    )  # fmt: skip
    table = read_bytes(json.dumps([whole, one, two, several]).encode(), "ls.json")
    assert table.problems == ()
    assert [(row.file_name, row.emotion, dict(row.extra)) for row in table.rows] == [
        ("w.wav", "Happy", {"Second emotion": "Sad", "Intensity": "2"}),
        ("r.wav", "Happy", {"Second emotion": "Fearful"}),
        ("r.wav", "Angry", {"Intensity": "3"}),
        ("none.wav", "Happy", {}),
        ("two.wav", "Happy", {"Second emotion": "Sad, Angry"}),
    ]
    least = [{"audio": "c.wav", "id": 1, "second_emotion": "Sad", "mood": "Happy", "intensity": 2}]
    (row,) = read_bytes(json.dumps(least).encode(), "min.json").rows
    assert (row.emotion, dict(row.extra)) == ("Happy", {"second_emotion": "Sad", "intensity": "2"})


def test_label_studios_cleaned_names_find_their_file() -> None:
    found = FileIndex(["intervju #3.wav"]).find("/data/upload/1/aa86fe77-intervju_3.wav")
    assert isinstance(found, FileMatch)
    assert "intervju #3.wav" in found.remark


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_esd_speaker_tables_and_emotion_folders(tmp_path: Path, encoding: str) -> None:
    words = {
        "生气": "anger",
        "快乐": "joy",
        "中立": "neutral",
        "伤心": "sadness",
        "惊喜": "surprise",
    }
    lines = [
        f"0001_{n:06d}\t打远一看，它们的确很是美丽，\t{word}" for n, word in enumerate(words, 1)
    ]
    put(tmp_path / "flat", *(f"0001/0001_{n:06d}.wav" for n in range(1, 6)))
    (tmp_path / "flat" / "0001" / "0001.txt").write_bytes("\r\n".join(lines).encode(encoding))
    reading = read(tmp_path / "flat")
    assert list(clips(reading).values()) == list(words.values())
    assert {clip.speaker for clip in reading.clips} == {"0001"}
    put(tmp_path / "esd", "0011/Angry/train/0011_1.wav", "0011/Sad/0011_2.wav", "0012/Angry/x.wav")
    reading = read(tmp_path / "esd")
    assert {(c.speaker, c.emotion) for c in reading.clips} == {
        ("0011", "anger"), ("0011", "sadness"), ("0012", "anger"),
    }  # fmt: skip


def test_audiofolders_and_folders_named_by_emotion(tmp_path: Path) -> None:
    put(tmp_path / "hub", "train/a.wav", "test/b.wav")
    (tmp_path / "hub" / "train" / "metadata.jsonl").write_text(
        '{"file_name": "a.wav", "emotion": "happy"}\n'
    )
    (tmp_path / "hub" / "test" / "metadata.csv").write_text("file_name,emotion\nb.wav,sad\n")
    assert clips(read(tmp_path / "hub")) == {"train/a": "joy", "test/b": "sadness"}
    put(tmp_path / "kinds", "train/Happy/a.wav", "test/Sad/b.wav", "Other/c.wav")
    reading = read(tmp_path / "kinds")
    assert set(clips(reading).values()) == {"joy", "sadness"}
    assert [problem.kind for problem in reading.problems] == ["no-emotion"]


@pytest.mark.parametrize("word", ["None", "nan", "other", "unknown", "xxx", "", "<unk>"])
def test_a_word_for_no_emotion_is_never_neutral(tmp_path: Path, word: str) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "t.csv").write_text(f"Filename,Emotion\na.wav,{word}\n")
    reading = read(tmp_path)
    assert reading.clips == ()
    assert [problem.kind for problem in reading.problems] == ["no-emotion"]


def test_words_of_another_scheme_are_mapped_once_and_kept_with_the_corpus(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "t.csv").write_text("Filename,Emotion\na.wav,exc\nb.wav,fru\nc.wav,生气/angry\n")
    assert clips(read(tmp_path)) == {"c": "anger"}
    words = parse_mapping(parse_pairs("exc = happy, fru = -"))
    keep_mapping(tmp_path, words, lambda path, data: path.write_bytes(data))
    reading = read(tmp_path)
    assert clips(reading) == {"a": "joy", "c": "anger"}
    assert [problem.kind for problem in reading.problems] == ["no-emotion"]
    with pytest.raises(TableError, match="pair"):
        parse_pairs("exc")


def test_a_word_with_a_comma_is_mapped_as_the_hint_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from label_store.__main__ import main

    table = tmp_path / "mine.csv"
    table.write_text('file,emotion\na.wav,"joy, great"\nb.wav,fru\n')
    home = {"SER_HOME": str(tmp_path / "home")}
    assert main(["import", str(table), "--dry-run"], home) == 0
    assert '"joy, great"=EMOTION' in capsys.readouterr().out
    words = ["--map", "joy, great=joy", "fru=-"]
    assert main(["import", str(table), *words, "--dry-run"], home) == 0
    said = capsys.readouterr().out
    assert "1 new" in said
    assert "unknown emotion" not in said


def test_a_hint_is_never_an_opposite_or_of_another_language() -> None:
    assert emotions.canonical("cheerful") == "joy"
    assert emotions.nearest("Joyy") == "joy"
    assert emotions.nearest("angyr") == "anger"
    for word in ("unfearful", "merry", "tearful", "angstlos", "displeased", "frustrated"):
        assert emotions.nearest(word) is None, word


def test_archives_loose_tables_and_wrong_places(tmp_path: Path) -> None:
    root = tmp_path / "corpora"
    root.mkdir()
    with zipfile.ZipFile(root / "mine.zip", "w") as archive:
        archive.writestr("mine/labels.csv", "Filename,Emotion\na.wav,joy\n")
        archive.writestr("mine/a.wav", b"sound")
    (reading,) = read_all(root, cache=tmp_path / "cache")
    assert clips(reading) == {"a": "joy"}
    with zipfile.ZipFile(root / "flat.zip", "w") as archive:
        archive.writestr("labels.csv", "Filename,Emotion,Speaker\nb.wav,joy,ann\nc.wav,,ann\n")
        archive.writestr("b.wav", b"sound")
        archive.writestr("c.wav", b"sounds")
    flat, _ = read_all(root, cache=tmp_path / "cache")
    assert (flat.corpus, flat.clips[0].corpus, flat.clips[0].person) == ("flat", "flat", "flat/ann")
    assert {one.corpus for one in (*flat.problems, *flat.unlabelled)} == {"flat"}
    (root / "flat.zip").unlink()
    put(root, "u1.wav")
    (root / "labels.csv").write_text("Filename,Emotion\nu1.wav,fear\n")
    loose = read_all(root, cache=tmp_path / "cache")[0]
    assert clips(loose) == {"u1": "fear"}
    (root / "u1.wav").unlink()
    misplaced = read_all(root, cache=tmp_path / "cache")[0]
    assert "folder of its own" in misplaced.problems[0].reason


def test_two_tables_are_one_corpus_and_rows_keep_what_they_say(tmp_path: Path) -> None:
    put(tmp_path / "c", "a.wav", "18010.mp3")
    (tmp_path / "c" / "train.csv").write_text("Filename,Emotion\na.wav,joy\nwrongname.mp3,Joy\n")
    (tmp_path / "c" / "test.csv").write_text("Filename,Emotion\n18010.mp3,Joyy\n")
    reading = read(tmp_path / "c")
    assert clips(reading) == {"a": "joy"}
    said = {(p.file_name, p.emotion, p.kind, p.path) for p in reading.problems}
    assert ("wrongname.mp3", "Joy", "missing-file", None) in said
    assert ("18010.mp3", "Joyy", "unknown-emotion", tmp_path / "c" / "18010.mp3") in said
    lines = summary(reading.problems)
    assert any("1 × unknown emotion" in line and "Did you mean “joy”?" in line for line in lines)
    lookup = FileLookup.of_readings([reading])
    found = lookup.find("c", "18010.wav")
    assert isinstance(found, FoundFile)
    assert found.path == tmp_path / "c" / "18010.mp3"
