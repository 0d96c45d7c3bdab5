"""Tracking, search and the command line: asked for, refused, in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ser_core.checkpoints import checkpoint
from ser_core.home import Home
from trainer.__main__ import main
from trainer.errors import (
    DivergedError,
    TrackingError,
    TuningError,
)
from trainer.experiments import tune
from trainer.lifecycle import versions
from trainer.training.tracking import build_tracker


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="known are"):
        build_tracker("mlflow", project="p", run="r", settings={}, folder=tmp_path)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, trainer.cli; heavy = {'wandb', 'trackio', 'tensorboard', 'optuna', 'boto3', "
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
    made = checkpoint.load(Home(tmp_path).models / "one")
    assert (first["action"], first["version"]) == ("fit", "one")
    assert first["data_hash"] == made.specification.data_hash
    assert first["figures"]["uar"] == pytest.approx(made.metrics["uar"])
    assert (first["seed"], first["settings"]["epochs"], first["parent"]) == (3, 1, "")
    assert first["settings"]["corpora"] == Path(flags[flags.index("--corpora") + 1]).name
    assert first["versions"]["torch"]
    assert second["folder"] == str(tmp_path / "elsewhere")
    assert list(Home(tmp_path).runs.iterdir()) == [Home(tmp_path).progress]
