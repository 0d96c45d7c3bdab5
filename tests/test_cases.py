"""Small inputs that went wrong for other people, where they are at hand: each gives its answer.

They are made by scripts that lie beside the real corpora (``SER_TEST_CASES`` names the folder);
every kind is tested without them, too, with inputs that the tests make.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from label_store.__main__ import main
from label_store.consensus import consensus
from label_store.store import LabelStore
from ser_core import audio
from ser_core.corpora import Reading, read_all, summary
from ser_core.corpora.base import content_hash
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.corpora.tables import read_table
from ser_core.errors import AudioError, SerError
from trainer.data import batches
from trainer.data.corrections import join
from trainer.data.labelled_clips import finder
from trainer.data.prepare import prepare, require_sides
from trainer.errors import DataError
from trainer.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.corpora]

ROOT = Path(__file__).resolve().parents[1]
VOICE_SECONDS = 1.9
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def make(corpora_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A function that makes one case and returns its folder."""
    cases = Path(os.environ.get("SER_TEST_CASES", ROOT.parent / "shared" / "cases"))
    if not (cases / "mkvoices.py").is_file():
        pytest.skip(f"no cases at {cases} (set SER_TEST_CASES to use another folder)")
    out = tmp_path_factory.mktemp("cases")
    # The scripts' own helper, but for how a voice becomes a WAV: a process a clip takes minutes.
    found = importlib.util.spec_from_file_location("mkvoices", cases / "mkvoices.py")
    assert found is not None
    assert found.loader is not None
    helper = importlib.util.module_from_spec(found)
    found.loader.exec_module(helper)
    helper.C, helper.OUT = corpora_root, out

    def wav(source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        clip = audio.load(corpora_root / source, sample_rate=16_000)
        target.write_bytes(audio.to_wav_bytes(audio.mono(clip.samples), 16_000))

    helper.wav = wav

    def made(name: str) -> Path:
        (folder,) = cases.glob(f"{name}-*")
        target = out / folder.name
        if target.exists():
            return target
        if (folder / "make.py").is_file():
            sys.modules["mkvoices"] = helper
            runpy.run_path(str(folder / "make.py"))
            return target
        if shutil.which("ffmpeg") is None:
            pytest.skip("the case is made with the program ffmpeg")
        # Without sox a script ends early; what it had made by then is looked at.
        kept = os.environ | {"CASES_OUT": str(out), "SER_TEST_CORPORA": str(corpora_root)}
        subprocess.run(
            ["bash", str(folder / "make.sh")], env=kept, capture_output=True, check=False
        )
        return target

    return made


def decoded(folder: Path) -> dict[str, audio.Audio]:
    found, refused = {}, []
    for path in sorted(folder.iterdir()):
        try:
            found[path.name] = audio.load(path, sample_rate=16_000)
        except AudioError:
            refused.append(path.suffix)
    # Samples without any header can't be told from anything.
    assert set(refused) <= {".ulaw", ".sln", ".vox"}
    return found


def emotions(reading: Reading) -> Counter[str]:
    return Counter(clip.emotion for clip in reading.clips)


def test_01_broadcast_wave(make: Make) -> None:
    found = decoded(make("01"))
    assert set(found) == {"rf64.wav", "bw64.wav", "bwf.wav", "sony.w64"}
    assert all(abs(clip.seconds - VOICE_SECONDS) < 0.1 for clip in found.values())


def test_03_telephone_codecs_are_heard_and_played(make: Make) -> None:
    folder = make("03")
    found = decoded(folder)
    assert len(found) > 8
    for name, clip in found.items():
        assert clip.seconds > VOICE_SECONDS - 0.2, name
        data, kind = audio.playable((folder / name).read_bytes(), clip)
        assert kind in {"audio/wav", "audio/ogg"}
        assert audio.load(data).seconds == pytest.approx(clip.seconds, abs=0.05)


def test_05_mp3_behind_junk(make: Make) -> None:
    found = decoded(make("05"))
    assert len(found) >= 8
    assert all(clip.seconds > VOICE_SECONDS - 0.6 for clip in found.values())


def test_07_floats_beyond_full_scale_are_the_same_voice(make: Make) -> None:
    found = decoded(make("07"))
    voice = found["case-voice.wav"].samples[0]
    for name, clip in found.items():
        assert np.abs(clip.samples).max() <= 1, name
        assert np.corrcoef(clip.samples[0], voice)[0, 1] > 0.99, name
    assert found["over_full_scale.wav"].notes
    assert not found["plain_float.wav"].notes


def test_09_audformat_and_its_segments(make: Make) -> None:
    mine, segments = read_all(make("09") / "corpora")
    assert len(mine.clips) == 8
    assert len({clip.speaker for clip in mine.clips}) > 2
    long = [clip for clip in segments.clips if "long" in clip.key]
    assert [(clip.start, clip.end, clip.emotion) for clip in long] == [
        (0.0, 0.8, "anger"), (0.8, 1.5, "neutral"),
    ]  # fmt: skip
    assert emotions(segments) == Counter(anger=1, neutral=1, fear=1, boredom=1)


def test_10_label_studio(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make("10")
    lookup = FileLookup.of_folder(folder / "corpora")
    table = read_table(folder / "ls.json")
    means = {}
    for row in table.rows:
        place = lookup.find("", row.file_name)
        means[row.line] = place.name if isinstance(place, FoundFile) else ""
    assert [means[line] for line in (1, 2, 3, 4)] == ["happy + loud.wav"] * 2 + ["call_01.wav"] * 2
    assert [means[line] for line in (5, 6, 7, 9)] == [
        "intervju #3.wav", "50% sure.wav", "a&b.wav", "a&b.wav",
    ]  # fmt: skip
    assert {problem.kind for problem in table.problems} >= {"cancelled"}
    regions = read_table(folder / "ls_regions.csv").rows
    assert [(row.start, row.end, row.emotion) for row in regions] == [
        (0.0, 0.9, "happy"), (0.9, 1.5, "sad"),
    ]  # fmt: skip
    assert [problem.kind for problem in read_table(folder / "ls_multi.csv").problems] == [
        "several-emotions"
    ]
    home = tmp_path / "home"
    shutil.copytree(folder / "corpora", home / "corpora")
    env = {"SER_HOME": str(home)}
    assert main(["import", str(folder / "ls_two_people.json"), "--keep-annotators"], env) == 0
    (view,) = LabelStore(home).state().clips()
    assert sorted(view.whole().values()) == ["joy", "sadness"]
    assert main(["adjudicate"], env) == 0
    assert "1 joy, 1 sadness" in capsys.readouterr().out


def test_12_speaker_tables_in_two_encodings(make: Make) -> None:
    (found,) = read_all(make("12") / "corpora")
    assert emotions(found) == dict.fromkeys(["anger", "joy", "neutral", "sadness", "surprise"], 4)
    assert {clip.speaker for clip in found.clips} == {"0001", "0011"}
    for name in ("0001_utf16.txt", "table_gbk.csv", "table_gbk_en.csv"):
        assert len(read_table(make("12") / name).rows) == 10


def test_13_words_of_other_schemes_are_mapped_or_left_out_with_a_sentence(make: Make) -> None:
    found = {one.corpus: one for one in read_all(make("13") / "corpora")}
    assert emotions(found["meld"]).total() == emotions(found["emotion2vec"]).total() == 7
    assert set(emotions(found["mitesh"]).values()) == {2}
    assert {clip.sex for clip in found["mitesh"].clips} == {"f", "m"}
    for name in ("msp", "numbers", "codes"):
        assert not found[name].clips
        assert "map it once" in " ".join(summary(found[name].problems))
    for one in found.values():
        kinds = Counter(problem.kind for problem in one.problems)
        rows = list(csv.reader((make("13") / "corpora" / one.corpus / "labels.csv").open()))
        assert len(one.clips) + kinds["unknown-emotion"] + kinds["no-emotion"] == len(rows) - 1
    cheerful = next(p for p in found["more"].problems if p.emotion == "contempt")
    assert "joy" not in cheerful.reason


def test_15_paths_from_elsewhere(make: Make) -> None:
    for one in read_all(make("15") / "corpora"):
        if one.corpus == "none":
            assert not one.clips
            assert "None" in " ".join(summary(one.problems))
        else:
            assert set(emotions(one).values()) == {2}, one.corpus
            assert len(one.clips) == 16, one.corpus


def test_16_imported_labels_of_corpus_clips_train(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(make("16") / "home", home)
    env = {"SER_HOME": str(home)}
    assert main(["import", str(make("16") / "labels.csv")], env) == 0
    assert "Saved 70 events" in capsys.readouterr().out
    assert main(["status"], env) == 0
    said = capsys.readouterr().out
    settings = Settings(corpora=str(home / "corpora"))
    prepared = prepare(settings, home / "cache" / "decoded")
    tested = len(prepared.sides["test"])
    assert f"{70 - tested} of 70 labels will train." in said
    assert f"{tested} × a clip of a test speaker" in said
    found = consensus(LabelStore(home))
    made = join(
        prepared, found, weight=3.0, session=lambda clip: clip, find=finder(home / "corpora")
    )
    assert made.replaced == 70 - tested
    given = {label.clip_hash: label.emotion for label in (*found.labels, *found.without_file)}
    for side in ("train", "validation"):
        for item in made.prepared.sides[side]:
            assert item.clip.emotion == given[content_hash(item.clip.path)]


def test_17_corpora_that_are_too_small_say_what_is_missing(make: Make, tmp_path: Path) -> None:
    said = {}
    for folder in sorted(make("17").iterdir()):
        settings = Settings(corpora=str(folder / "corpora"))
        try:
            made = prepare(settings, tmp_path / folder.name)
            require_sides(made, settings.scheme)
            batches.check(made.sides["train"], made.emotions)
        except (DataError, SerError) as error:
            said[folder.name] = f"{error}"
    assert "it holds no corpus" in said["empty"]
    assert "of 1 speaker (" in said["one_speaker"]
    assert "--scheme random" in said["one_speaker"]
    assert "of 2 speakers" in said["two_speakers"]
    assert "3 or more are needed" in said["few"]
    assert "kfold" in said["speaker_is_class"]
    assert "all training clips are anger" in said["one_class"]
    assert "one_speaker_nocolumn" not in said
    made = prepare(
        dataclasses.replace(
            Settings(corpora=str(make("17") / "speaker_is_class" / "corpora")), emotions=()
        ),
        tmp_path / "again",
    )
    assert any("joy: 10 clips left out" in note for note in made.notes)
