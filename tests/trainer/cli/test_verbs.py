"""Every verb of ``python -m trainer``, from the words to what is printed and written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from label_store.event import LabelEvent
from label_store.store import LabelStore
from ser_core.checkpoints.champion import read_pointer
from ser_core.corpora.committed_sides import TABLES
from ser_core.home import Home
from trainer.__main__ import main
from trainer.data.prepare import Prepared
from trainer.experiments import tune
from trainer.lifecycle import versions
from trainer.presets import SETTINGS_PRESETS
from trainer.settings import Settings
from trainer.training.fit import Trained

Captured = pytest.CaptureFixture[str]


def speakers(family: str, side: str) -> list[str]:
    return [speaker for speaker, held in sorted(TABLES[family].items()) if held == side]


@pytest.fixture(scope="module")
def two_corpora(speech: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of CREMA-D and of EMO-DB, with speakers of every side."""
    root = tmp_path_factory.mktemp("two")
    for family, write in (("cremad", speech.write_cremad), ("emodb", speech.write_emodb)):
        chosen = speakers(family, "train")[:3]
        chosen += speakers(family, "validation")[:1] + speakers(family, "test")[:2]
        write(root, chosen)
    return root


def test_a_model_is_judged_compared_promoted_and_rolled_back(
    flags: list[str], two_corpora: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = [*flags, "--home", str(tmp_path), "--corpora", str(two_corpora), "--augment", ""]
    one_epoch = [*words, "--epochs", "1", "--average", "0"]
    assert main(["fit", *words, "--version", "weak", "--epochs", "0", "--average", "0"]) == 0
    assert main(["fit", *words, "--version", "strong", "--epochs", "8", "--average", "0"]) == 0

    # evaluate: every study, in each of the three forms
    file = {ending: tmp_path / f"report.{ending}" for ending in ("json", "csv", "html")}
    studies = ["--robustness", "--cross-corpus", "--leave-one-out"]
    forms = [word for ending, path in file.items() for word in (f"--{ending}", str(path))]
    assert main(["evaluate", "strong", *one_epoch, *studies, *forms]) == 0
    report = json.loads(file["json"].read_text())
    assert set(report["cross_corpus"]) == {"cremad", "emodb"}
    assert set(report["cross_corpus"]["cremad"]) == {"cremad", "emodb"}
    assert set(report["leave_one_out"]) == {"cremad", "emodb"}
    assert all(len(row) == 3 for row in report["robustness"].values())
    assert report["evaluation"]["overall"]["uar"] > 0.5
    assert file["csv"].read_text().count("\n") > 10
    assert "plotly" in file["html"].read_text().lower()

    # compare: checkpoints and freshly trained backbones in one table
    capsys.readouterr()
    names = "cnn,attention,lstm,gru"
    assert main(["compare", "weak", "strong", "--backbones", names, *one_epoch]) == 0
    table = capsys.readouterr().out
    assert "epoch" not in table
    for name in ("weak", "strong", "cnn", "attention", "bilstm", "bigru"):
        assert any(name in line for line in table.splitlines()), name

    # promote: the better one serves, the worse one does not, and both leave a trace
    weak = ["--default", str(Home(tmp_path).models / "weak")]
    # So few clips say little about calibration.
    assert main(["promote", "strong", *weak, *words, "--calibration", "1"]) == 0
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer["version"] == "strong"
    assert main(["promote", "weak", *words]) == 3
    assert "weak not promoted: UAR" in capsys.readouterr().out
    assert read_pointer(tmp_path) == pointer
    assert main(["history", "--home", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "* strong" in told
    assert "promote  strong" in told
    assert main(["rollback", "--home", str(tmp_path)]) == 0
    assert "the shipped model serves again" in capsys.readouterr().out
    assert read_pointer(tmp_path) is None


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_search_trains_goes_on_and_tells_the_best(
    sampler: str, flags: list[str], tmp_path: Path, capsys: Captured
) -> None:
    space = tmp_path / "space.json"
    space.write_text(json.dumps({"learning_rate": [0.0001, 0.05], "label_smoothing": [0.0, 0.1]}))
    words = ["tune", *flags, "--home", str(tmp_path), "--sampler", sampler, "--space", str(space)]
    words += ["--epochs", "1", "--augment", ""]
    assert main([*words, "--trials", "2"]) == 0
    assert capsys.readouterr().out.count("trial ") == 2
    assert main([*words, "--trials", "3"]) == 0
    said = capsys.readouterr().out
    assert said.count("trial ") == 1
    assert "best validation UAR" in said
    assert "'complete': 3" in said


def test_trials_hear_what_their_settings_say(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[bool, bool]] = []

    def trained(settings: Settings, *_: object, prepared: Prepared, **__: object) -> Trained:
        heard.append((settings.trim_silence, prepared.decoded.trim))
        history = [{"middle_window_uar": 0.5, "epoch": 1.0}]
        return Trained(tmp_path, None, history, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr("trainer.cli.tune.fit", trained)
    space = tmp_path / "space.json"
    space.write_text(json.dumps({"trim_silence": [True, False]}))
    words = ["tune", *flags, "--home", str(tmp_path), "--sampler", "grid", "--space", str(space)]
    assert main(words) == 0
    assert sorted(heard) == [(False, False), (True, True)]


@pytest.mark.parametrize("space", [{"names": [["cremad"], ["emodb"]]}, {"seed": [0, 1]}])
def test_what_would_make_trials_incomparable_is_refused(
    space: dict[str, Any], flags: list[str], tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "space.json"
    path.write_text(json.dumps(space))
    assert main(["tune", *flags, "--home", str(tmp_path), "--space", str(path)]) == 1
    assert f"{next(iter(space))}: trials are compared" in capsys.readouterr().err


def test_a_trial_below_the_others_is_cut_short(tmp_path: Path) -> None:
    epochs: list[int] = []

    def fit(chosen: Any, report: Any) -> float:
        value = 0.1 if len(epochs) == 4 else 0.8
        epochs.append(0)
        for epoch in range(1, 6):
            epochs[-1] = epoch
            report(epoch, value)
        return value

    found = tune.tune(
        fit,
        {"x": {"low": 0.0, "high": 1.0}},
        tmp_path / "study.sqlite",
        trials=5,
        sampler="random",
        log=lambda line: None,
    )
    assert found.trials == {"complete": 4, "pruned": 1}
    assert epochs[:4] == [5] * 4
    assert epochs[4] < 5


def test_a_space_that_is_no_json_is_one_sentence(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "space.json").write_text("{learning_rate")
    words = ["tune", "--home", str(tmp_path), "--space", str(tmp_path / "space.json")]
    assert main(words) == 1
    assert "can't be read as JSON" in capsys.readouterr().err


def test_presets_toml_and_flags_go_over_each_other(
    flags: list[str], tmp_path: Path, capsys: Captured
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('preset = "quick"\nepochs = 1\nlearning_rate = 0.5\n')
    words = ["--home", str(tmp_path), "--config", str(config), "--version", "v"]
    at = {flag: flags[flags.index(flag) + 1] for flag in ("--corpora", "--seconds", "--threads")}
    words += [word for pair in at.items() for word in pair]
    words += ["--backbone", "cnn", "--workers", "0", "--learning-rate", "0.01"]
    assert main(["fit", *words, "--epoch-clips", "16", "--precision", "fp32"]) == 0
    metrics = json.loads((Home(tmp_path).models / "v" / "metrics.json").read_text())
    held = metrics["settings"]
    assert held["batch_size"] == SETTINGS_PRESETS["quick"]["batch_size"]
    assert (held["epochs"], held["learning_rate"], held["epoch_clips"]) == (1, 0.01, 16)


def test_the_same_words_go_on_with_a_run_that_was_stopped(
    flags: list[str], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["fit", *flags, "--home", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(
            "trainer.cli.console.Console.step",
            lambda self, done, total, loss: signal.raise_signal(signal.SIGTERM),
        )
        assert main(words) == 75
    assert versions.versions(tmp_path) == []
    assert main(words) == 0
    assert "going on from epoch 1, batch 2" in capsys.readouterr().err
    assert len(versions.versions(tmp_path)) == 1


@pytest.mark.slow
def test_the_periodic_process_waits_trains_when_labels_come_and_ends_when_told(
    flags: list[str], speech: ModuleType, tmp_path: Path, repository: Path
) -> None:
    from ser_core.audio import to_wav_bytes

    home = tmp_path / "home"
    assert main(["fit", *flags, "--home", str(home), "--out", str(tmp_path / "m")]) == 0
    command = [sys.executable, "-m", "trainer", "--every", "1s", "--min-new", "1", *flags]
    command += ["--home", str(home), "--default", str(tmp_path / "m")]
    with subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0 new labels of 1 wanted: waiting\n"
        store = LabelStore(home)
        data = to_wav_bytes(speech.tone(420.0, 0.6, np.random.default_rng(1))[None], 16_000)
        clip = store.keep_clip(data, ".wav")
        store.append(
            LabelEvent(
                action="label", annotator="ada", clip=clip, file_name="a.wav", emotion="anger"
            )
        )
        said = ""
        while "promoted:" not in said:
            said = process.stdout.readline()
            assert said, "the process ended by itself"
        (made,) = versions.versions(home)
        assert made.parent
        # A decision is followed by a round that finds nothing new; only then is it told to end.
        while "0 new labels of 1 wanted" not in said:
            said = process.stdout.readline()
            assert said
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not (home / "models" / "training.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["wandb-offline", "trackio", "tensorboard"])
def test_a_run_is_tracked_without_a_network(
    tracker: str,
    flags: list[str],
    tmp_path: Path,
    repository: Path,
) -> None:
    pytest.importorskip(tracker.partition("-")[0])
    command = [sys.executable, "-m", "trainer", "fit", *flags, "--home", str(tmp_path / "home")]
    ran = subprocess.run(
        [*command, "--track", tracker, "--version", "tracked"],
        cwd=repository,
        capture_output=True,
        text=True,
        env={**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "WANDB_SILENT": "true"},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    if tracker == "trackio":
        import sqlite3

        (database,) = (tmp_path / "trackio").glob("*.db")
        with sqlite3.connect(database) as opened:
            (count,) = opened.execute("select count(*) from metrics").fetchone()
        assert count == 2  # epochs
    elif tracker == "tensorboard":
        (events,) = (tmp_path / "home" / "tracking" / "tensorboard").rglob("events.out.*")
        assert b"train_loss" in events.read_bytes()
    else:
        (folder,) = (tmp_path / "home" / "tracking" / "wandb").glob("offline-run-*")
        assert any(path.suffix == ".wandb" for path in folder.iterdir())
