"""Locks, versions, the periodic run, balancing, storage, tracking and search."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_store.errors import StoreError
from ser_core import checkpoint
from ser_core.audio import to_wav_bytes
from ser_core.calibration import Calibration
from ser_core.champion import models_folder, read_pointer
from ser_core.download import CORPORA_INFO, Downloaded
from ser_core.model import build
from ser_core.specification import Specification
from trainer import balance, storage, tune, versions
from trainer.__main__ import main
from trainer.download import download
from trainer.errors import (
    DataError,
    DivergedError,
    LockedError,
    SettingsError,
    StorageError,
    TrackingError,
    TuningError,
    VersionError,
)
from trainer.lock import only_one
from trainer.schedule import BUSY, parse_duration, periodic
from trainer.tracking import build_tracker

# -- the lock -----------------------------------------------------------------------------------


def test_a_killed_process_does_not_hold_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainer.lock import only_one\n"
        f"with only_one(Path({str(tmp_path)!r}), 'the other run'):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match="the other run"), only_one(tmp_path):
            pass
        other.kill()
        other.wait()
    with only_one(tmp_path):
        pass


# -- versions -----------------------------------------------------------------------------------


def put_version(home: Path, name: str, created: str) -> None:
    words = Specification(
        backbone="cnn", frontend_parameters={"n_mels": 16}, version=name, created=created
    )
    checkpoint.save(
        models_folder(home) / name, build(words), words, Calibration(), {"uar": 0.5}, ""
    )


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        put_version(tmp_path, f"v{number}", f"2024-01-0{number}")
    return tmp_path


def test_rollback_goes_back_one_step_each_time(three: Path) -> None:
    for name in ("v1", "v2", "v3"):
        versions.promote(three, name, "test")
    assert [versions.rollback(three) for _ in range(3)] == ["v2", "v1", ""]
    assert read_pointer(three) is None
    with pytest.raises(VersionError, match="nothing to roll back"):
        versions.rollback(three)


def test_pruning_keeps_the_newest_the_champion_and_the_one_before(three: Path) -> None:
    put_version(three, "v0", "2023-01-01")
    versions.promote(three, "v0", "test")
    versions.promote(three, "v1", "test")
    assert versions.prune(three, 1) == ["v2"]
    assert [version.name for version in versions.versions(three)] == ["v0", "v1", "v3"]


def test_a_damaged_version_is_not_promoted(three: Path) -> None:
    versions.promote(three, "v1", "test")
    (models_folder(three) / "v2" / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(VersionError, match="can't serve"):
        versions.promote(three, "v2", "test")
    with pytest.raises(VersionError, match="there is no version"):
        versions.promote(three, "../v1", "test")
    pointer = read_pointer(three)
    assert pointer is not None
    assert pointer["version"] == "v1"


def test_half_a_line_of_history_costs_no_other_line(tmp_path: Path) -> None:
    versions.record(tmp_path, "run", clock=lambda: 0.0, version="a")
    path = models_folder(tmp_path) / versions.HISTORY
    path.write_bytes(path.read_bytes() + b'{"time": "19')
    versions.record(tmp_path, "run", clock=lambda: 0.0, version="b")
    assert [row["version"] for row in versions.history(tmp_path)] == ["a", "b"]


# -- the periodic run ---------------------------------------------------------------------------


def test_the_periodic_run_waits_trains_and_survives() -> None:
    now, runs, lines = [0.0], [], []
    new = iter([3, 30, 30, 30, 0])
    statuses = iter([1, BUSY, 0])

    def run() -> int:
        runs.append(now[0])
        now[0] += 100.0
        return next(statuses)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    tally = periodic(
        run,
        lambda: next(new),
        every=3600.0,
        min_new=25,
        clock=lambda: now[0],
        sleep=sleep,
        log=lines.append,
        stop=lambda: now[0] >= 5 * 3600.0,
    )
    assert runs == [3600.0, 7200.0, 10800.0]
    assert (tally.rounds, tally.trained, tally.failed, tally.waited) == (5, 1, 1, 3)
    assert "3 new labels of 25 wanted: waiting" in lines


def test_labels_that_can_not_be_read_end_no_wait() -> None:
    now, lines = [0.0], []

    def count() -> int:
        raise StoreError("events-1.csv is damaged")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    tally = periodic(
        lambda: 0,
        count,
        every=10.0,
        min_new=1,
        clock=lambda: now[0],
        sleep=sleep,
        log=lines.append,
        stop=lambda: now[0] >= 30.0,
    )
    assert (tally.rounds, tally.failed) == (3, 3)
    assert "events-1.csv is damaged" in lines[0]


@pytest.mark.parametrize("text", ["", "6", "-1h", "0h", "6 weeks"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="length of time"):
        parse_duration(text)


# -- balancing ----------------------------------------------------------------------------------

LABELS = np.array([0] * 60 + [1] * 12 + [2] * 8, dtype=np.int64)
NAMES = ("joy", "fear", "anger")


def test_sampling_evens_the_emotions_inside_a_corpus(rng: np.random.Generator) -> None:
    chance = balance.sampling_weights(LABELS, NAMES)
    drawn = balance.balanced_indices(chance, 900, rng)
    assert np.bincount(LABELS[drawn]).tolist() == pytest.approx([300, 300, 300], abs=2)
    assert set(drawn.tolist()) == set(range(80))


def test_duplication_keeps_every_clip_and_evens_the_classes(rng: np.random.Generator) -> None:
    order = balance.duplicate_minority(LABELS, NAMES, rng)
    assert np.bincount(LABELS[order]).tolist() == [60, 60, 60]
    assert set(order.tolist()) == set(range(80))


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_made_up_rows_lie_between_rows_of_their_class(
    method: str, rng: np.random.Generator
) -> None:
    rows = rng.standard_normal((80, 3)) + LABELS[:, None]
    more, labels = balance.oversample(rows, LABELS, NAMES, method, rng)
    assert (more[:80] == rows).all()
    counts = np.bincount(labels)
    assert counts.min() > 0.8 * counts.max()
    for index in range(3):
        own, made = rows[index == LABELS], more[80:][labels[80:] == index]
        assert (made >= own.min(axis=0) - 1e-9).all()
        assert (made <= own.max(axis=0) + 1e-9).all()


def test_a_class_without_a_clip_is_named() -> None:
    with pytest.raises(DataError, match="no training clip for anger"):
        balance.class_weights(LABELS[:72], NAMES)


# -- storage ------------------------------------------------------------------------------------


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="speech")
    yield client
    server.stop()


def test_a_checkpoint_goes_to_s3_and_comes_back(s3: Any, three: Path, tmp_path: Path) -> None:
    folder = models_folder(three) / "v1"
    assert storage.push(folder, "s3://speech/models/v1") == 5
    back = storage.fetch_checkpoint("s3://speech/models/v1", tmp_path / "back")
    for file in folder.iterdir():
        assert (back / file.name).read_bytes() == file.read_bytes()
    s3.delete_object(Bucket="speech", Key="models/v1/specification.json")
    with pytest.raises(StorageError, match="no whole checkpoint"):
        storage.fetch_checkpoint("s3://speech/models/v1", tmp_path / "half")
    assert not (tmp_path / "half").exists()


def test_s3_is_fetched_once_and_never_outside_the_folder(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="speech", Key="emodb/wav/a.wav", Body=b"abc")
    assert storage.fetch("s3://speech/emodb", tmp_path / "emodb") == 1
    assert storage.fetch("s3://speech/emodb", tmp_path / "emodb") == 0
    s3.put_object(Bucket="speech", Key="bad/../../evil.wav", Body=b"abc")
    with pytest.raises(StorageError, match="unsafe name"):
        storage.fetch("s3://speech/bad", tmp_path / "bad")
    assert not (tmp_path / "evil.wav").exists()
    with pytest.raises(StorageError, match="nothing at"):
        storage.fetch("s3://speech/none", tmp_path / "none")
    with pytest.raises(StorageError, match="can't be used"):
        storage.fetch("s3://no-such-bucket/x", tmp_path / "x")


def test_an_archive_becomes_a_corpus_whole_or_not_at_all(tmp_path: Path) -> None:
    wav = to_wav_bytes(np.full((1, 800), 0.1, np.float32), 16_000)
    for name, inside in (
        ("good.zip", "AudioWAV/1001_DFA_ANG_XX.wav"),
        ("bad.zip", "../1001_DFA_ANG_XX.wav"),
        ("odd.zip", "readme.txt"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            packed.writestr(inside, wav)
    (tmp_path / "text.zip").write_text("no archive")
    root = tmp_path / "corpora"
    assert "1 clips" in download(str(tmp_path / "good.zip"), root / "good", reader="cremad")
    assert (root / "good" / "AudioWAV" / "1001_DFA_ANG_XX.wav").read_bytes() == wav
    with pytest.raises(StorageError, match="exists already"):
        download(str(tmp_path / "good.zip"), root / "good")
    for name in ("bad.zip", "odd.zip", "text.zip", "missing.zip"):
        with pytest.raises(StorageError, match=name):
            download(str(tmp_path / name), root / name)
    assert [path.name for path in root.iterdir() if path.name != ".downloads"] == ["good"]
    assert len(list(tmp_path.rglob("1001*.wav"))) == 1


def test_a_known_corpus_wants_its_licence_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["download", "ravdess", *home]) == 1
    said = capsys.readouterr().err
    assert "CC BY-NC-SA 4.0" in said
    assert "was not accepted" in said
    assert main(["download", "savee", "--accept-licence", *home]) == 1
    assert "register at" in capsys.readouterr().err
    assert main(["download", *home]) == 0
    assert "ravdess_song" in capsys.readouterr().out


def test_a_known_corpus_tells_what_its_owners_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def fetched(name: str, root: Path, *, accept: Any, progress: Any) -> Downloaded:
        assert accept(CORPORA_INFO[name])
        progress(1, 2)
        seen.append((name, root))
        return Downloaded(root / name, 7441, 7442, ("1076_MTI_SAD_XX.wav",))

    monkeypatch.setattr("ser_core.download.download", fetched)
    assert main(["download", "cremad", "--accept-licence", "--home", str(tmp_path)]) == 0
    assert seen == [("cremad", tmp_path / "corpora")]
    assert "1076_MTI_SAD_XX.wav" in capsys.readouterr().out


def test_corpora_in_s3_are_fetched_before_the_training(
    s3: Any, tmp_path: Path, tiny_corpora: Path, flags: list[str]
) -> None:
    for path in tiny_corpora.rglob("*.wav"):
        s3.upload_file(str(path), "speech", f"all/{path.relative_to(tiny_corpora).as_posix()}")
    flags += ["--home", str(tmp_path), "--corpora", "s3://speech/all", "--epochs", "1"]
    assert main(["fit", *flags, "--version", "one", "--push", "s3://speech/models/one"]) == 0
    listed = s3.list_objects_v2(Bucket="speech", Prefix="models/one/")["Contents"]
    assert "models/one/weights.safetensors" in {item["Key"] for item in listed}
    assert main(["evaluate", "s3://speech/models/one", *flags]) == 0


# -- tracking and search ------------------------------------------------------------------------


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="known are"):
        build_tracker("mlflow", project="p", run="r", settings={}, folder=tmp_path)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, trainer.verbs; heavy = {'wandb', 'trackio', 'tensorboard', 'optuna', 'boto3', "
        "'imblearn', 'sklearn', 'plotly'}; print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    seen: list[float] = []

    def fit(chosen: Any, report: Any) -> float:
        seen.append(chosen["x"])
        if len(seen) == 2:
            raise DivergedError("the loss is nan")
        return -abs(float(chosen["x"]) - 2.0)

    def search(trials: int) -> tune.Tuned:
        return tune.tune(
            fit,
            {"x": [0, 1, 2, 3]},
            tmp_path / "study.sqlite",
            trials=trials,
            sampler="grid",
            log=lambda line: None,
        )

    first = search(2)
    assert first.trials["fail"] == 1
    last = search(4)
    assert last.best == {"x": 2}
    assert last.value == 0.0
    assert sorted(seen) == [0, 1, 2, 3]
    count = len(seen)
    assert search(4).best == {"x": 2}
    assert len(seen) == count


def test_a_search_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="grid needs a list"):
        tune.check_space({"x": {"low": 0, "high": 1}}, "grid")
    with pytest.raises(TuningError, match="above 0"):
        tune.check_space({"x": {"low": 0, "high": 1, "log": True}}, "tpe")


# -- the command line ---------------------------------------------------------------------------


def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SER_MODEL", raising=False)
    home = ["--home", str(tmp_path / "home")]
    config = tmp_path / "odd.toml"
    config.write_text("learning_rat = 0.1\n")
    cases = [
        ["fit", *home],
        ["fit", *home, "--config", str(config)],
        ["fit", *home, "--epochs", "many"],
        ["fit", *home, "--backbone", "resnet"],
        ["evaluate", *home, "nowhere"],
        ["rollback", *home],
        ["promote", *home, "nowhere"],
        ["compare", *home],
        ["download", *home, str(tmp_path / "missing.zip")],
        [*home, "--default", str(tmp_path)],
    ]
    for words in cases:
        assert main(words) == 1, words
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.strip().splitlines()) == 1, said.err


def test_the_command_line_fits_evaluates_and_shows_history(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags += ["--home", str(tmp_path)]
    assert main(["fit", *flags, "--version", "first"]) == 0
    page = tmp_path / "report.html"
    assert main(["evaluate", "first", *flags, "--html", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert main(["promote", "first", "--anyway", *flags]) == 0
    capsys.readouterr()
    assert main(["history", "--home", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "* first" in told
    (line,) = [line for line in told.splitlines() if "  fit " in line]
    assert "first  UAR 0." in line or "first  UAR 1." in line


def test_a_fit_is_in_the_history_and_leaves_no_empty_folder(
    flags: list[str], tmp_path: Path
) -> None:
    words = ["fit", *flags, "--home", str(tmp_path), "--epochs", "1"]
    assert main([*words, "--version", "one"]) == 0
    assert main([*words, "--out", str(tmp_path / "elsewhere")]) == 0
    first, second = versions.history(tmp_path)
    made = checkpoint.load(models_folder(tmp_path) / "one")
    assert (first["action"], first["version"]) == ("fit", "one")
    assert first["data_hash"] == made.specification.data_hash
    assert first["figures"]["uar"] == pytest.approx(made.metrics["uar"])
    assert (first["seed"], first["settings"]["epochs"], first["parent"]) == (3, 1, "")
    assert first["settings"]["corpora"] == Path(flags[flags.index("--corpora") + 1]).name
    assert first["versions"]["torch"]
    assert second["folder"] == str(tmp_path / "elsewhere")
    assert list((models_folder(tmp_path) / "runs").iterdir()) == []
