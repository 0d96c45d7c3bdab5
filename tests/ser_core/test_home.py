"""The paths of SER_HOME are a contract: an old home must be found as it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser_core.home import Home

LAYOUT = {
    "clips": "clips",
    "labels": "labels",
    "corpora": "corpora",
    "models": "models",
    "champion": "models/champion.json",
    "history": "models/history.jsonl",
    "training_lock": "models/training.lock",
    "training_holder": "models/training.json",
    "runs": "models/runs",
    "progress": "models/runs/progress.json",
    "run_log": "models/runs/page-run.log",
    "tuning": "studies.sqlite",
    "tracking": "tracking",
    "decoded": "cache/decoded",
    "report_cache": "cache/report",
    "out_of_fold_cache": "cache/opinions",
    "clip_hashes": "cache/clip-hashes.csv",
}


@pytest.mark.parametrize(("name", "path"), LAYOUT.items())
def test_each_path_is_where_it_always_was(name: str, path: str, tmp_path: Path) -> None:
    assert getattr(Home(tmp_path), name) == tmp_path / path


def test_named_paths_and_a_home_of_a_home(tmp_path: Path) -> None:
    home = Home(Home(str(tmp_path)))
    assert home == Home(tmp_path)
    assert home.version("v1") == tmp_path / "models" / "v1"
    assert home.run("fine-tune") == tmp_path / "models" / "runs" / "fine-tune"
    assert home.study("s") == tmp_path / "cache" / "studies" / "s"
    assert home.predictions("m") == tmp_path / "cache" / "opinions-m.jsonl"
    assert Path(home) == tmp_path
