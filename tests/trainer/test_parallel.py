"""Two processes take the steps that one process takes."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ser_core import checkpoint
from trainer.fit import fit
from trainer.loop import Progress
from trainer.settings import Settings

_RUN = """
import json, sys
from pathlib import Path
from trainer import parallel
from trainer.fit import fit
from trainer.loop import Progress
from trainer.settings import Settings
settings = Settings().with_values(json.loads(Path(sys.argv[1]).read_text()))
home = Path(sys.argv[2])
with parallel.group():
    if parallel.world() != 2:
        sys.exit("not two processes")
    fit(settings, home / "two", home / "run", home / "cache", progress=Progress(lambda line: None))
"""


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
        progress=Progress(lambda x: None),
    )
    script, file = tmp_path / "two.py", tmp_path / "settings.json"
    script.write_text(_RUN)
    file.write_text(json.dumps(settings.to_json()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_addr=127.0.0.1", f"--master_port={port}", str(script), str(file)]
    ran = subprocess.run(
        [*command, str(tmp_path)],
        cwd=repository,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    two = checkpoint.load(tmp_path / "two")
    assert two.metrics["test"]["cremad"]["uar"] == pytest.approx(
        one.figures["test"]["cremad"]["uar"], abs=0.02
    )
    before = checkpoint.load(tmp_path / "one").model.state_dict()
    for name, value in two.model.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-4), name
