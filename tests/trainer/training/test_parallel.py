"""Two processes take the steps that one process takes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scripts.ports import free_port
from ser_core.checkpoints import checkpoint
from ser_core.home import Home
from trainer.__main__ import main
from trainer.lifecycle import versions
from trainer.lifecycle.lock import only_one
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

_RUN = """
import json, sys
from pathlib import Path
from trainer.training import parallel
from trainer.training.fit import fit
from trainer.training.callbacks import Callbacks
from trainer.settings import Settings
settings = Settings().with_values(json.loads(Path(sys.argv[1]).read_text()))
home = Path(sys.argv[2])
with parallel.group():
    if parallel.world() != 2:
        sys.exit("not two processes")
    fit(settings, home / "two", home / "run", home / "cache", progress=Callbacks(lambda line: None))
"""


def torchrun(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run two processes on this machine."""
    port = free_port()
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_addr=127.0.0.1", f"--master_port={port}", *words]
    return subprocess.run(
        command,
        cwd=repository,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_two_processes_end_where_one_does(
    tiny_settings: Settings, tmp_path: Path, repository: Path
) -> None:
    # No batch normalisation and no dropout: the only ways in which the two may differ.
    settings = dataclasses.replace(
        tiny_settings, backbone="pooling", backbone_parameters={"dropout": 0.0}, feature_augment=()
    )
    one = fit(
        settings,
        tmp_path / "one",
        tmp_path / "r1",
        tmp_path / "cache",
        progress=Callbacks(lambda x: None),
    )
    script, file = tmp_path / "two.py", tmp_path / "settings.json"
    script.write_text(_RUN)
    file.write_text(json.dumps(settings.to_json()))
    ran = torchrun(repository, str(script), str(file), str(tmp_path))
    assert ran.returncode == 0, ran.stderr[-3000:]
    two = checkpoint.load(tmp_path / "two")
    assert two.metrics["test"]["cremad"]["uar"] == pytest.approx(
        one.figures["test"]["cremad"]["uar"], abs=0.02
    )
    before = checkpoint.load(tmp_path / "one").model.state_dict()
    for name, value in two.model.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-4), name


@pytest.mark.slow
def test_the_fit_verb_runs_in_two_processes_and_speaks_once(
    flags: list[str], tmp_path: Path, repository: Path
) -> None:
    words = [*flags, "--backbone", "pooling", "--backbone-parameters", '{"dropout": 0.0}']
    words += ["--home", str(tmp_path), "--feature-augment", "", "--version"]
    assert main(["fit", *words, "one"]) == 0
    ran = torchrun(repository, "-m", "trainer", "fit", *words, "two")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert sorted(v.name for v in versions.versions(tmp_path)) == ["one", "two"]
    assert ran.stderr.count("epoch 2/2:") == 1
    one, two = (checkpoint.load(Home(tmp_path).models / name) for name in ("one", "two"))
    assert two.metrics["uar"] == pytest.approx(one.metrics["uar"], abs=0.02)
    before = one.model.state_dict()
    for name, value in two.model.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-4), name
    with only_one(tmp_path, "another run"):
        ran = torchrun(repository, "-m", "trainer", "fit", *words, "three")
    assert ran.returncode != 0
    assert ran.stderr.count("another run (process") == 1
