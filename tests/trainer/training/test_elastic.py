"""The README's recipe for several machines: one goes away, and the others finish its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from scripts.ports import free_port
from ser_core.checkpoints import checkpoint
from ser_core.home import Home
from trainer.__main__ import main
from trainer.lifecycle import versions

PATIENCE = 200.0
EPOCHS = 30


@pytest.fixture
def bucket(tiny_corpora: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The tiny corpora in a made-up S3 that other processes reach."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="speech")
    for path in tiny_corpora.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "speech", f"corpora/{path.relative_to(tiny_corpora)}")
    yield "s3://speech/corpora"
    server.stop()


class Machine:
    """A machine of its own as far as torchrun can tell: an agent with one process."""

    def __init__(
        self, repository: Path, log: Path, port: int, words: list[str], *, first: bool
    ) -> None:
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2"]
        command += ["--nproc_per_node=1", "--max-restarts=4", "--rdzv-id=test"]
        command += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}"]
        # Both are started at once, and the dead one is given up after a few seconds.
        quick = f"is_host={int(first)},last_call_timeout=8,keep_alive_interval=1"
        command += [f"--rdzv-conf={quick}"]
        command += ["--local-addr=127.0.0.1", "-m", "trainer", *words]
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=repository,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it as a power cut does, with the process that it started."""
        agent = self.process.pid
        os.kill(agent, signal.SIGSTOP)  # so that it starts no other process meanwhile
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(agent)], capture_output=True, text=True
        )
        for pid in (*map(int, listed.stdout.split()), agent):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.mark.slow
def test_a_machine_goes_away_and_the_run_ends_as_if_it_had_not(
    flags: list[str], bucket: str, tmp_path: Path, repository: Path
) -> None:
    # No batch normalisation and no dropout: the only ways in which the runs may differ.
    common = ["fit", *flags, "--backbone", "pooling", "--backbone-parameters", '{"dropout": 0.0}']
    common += ["--feature-augment", "", "--epochs", str(EPOCHS), "--corpora", bucket]
    port = free_port()
    words = [*common, "--home", str(tmp_path / "home"), "--version", "shared"]
    words += ["--push", "s3://speech/models/shared"]
    first = Machine(repository, tmp_path / "first.log", port, words, first=True)
    second = Machine(repository, tmp_path / "second.log", port, words, first=False)
    try:
        until(lambda: "epoch 2/" in first.said() + second.said(), first, second)
        second.kill()
        assert first.process.wait(PATIENCE) == 0, first.said()[-3000:]
    finally:
        for machine in (first, second):
            if machine.process.poll() is None:
                machine.kill()
    assert "going on from epoch" in first.said()
    assert [found.name for found in versions.versions(tmp_path / "home")] == ["shared"]
    assert main([*common, "--home", str(tmp_path / "other"), "--version", "alone"]) == 0
    one = checkpoint.load(Home(tmp_path / "other").models / "alone")
    two = checkpoint.load(Home(tmp_path / "home").models / "shared")
    before = one.model.state_dict()
    for name, value in two.model.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-3), name


def until(true: object, *machines: Machine) -> None:
    """Wait for something that the machines bring about."""
    assert callable(true)
    end = time.monotonic() + PATIENCE
    while not true():
        for machine in machines:
            assert machine.process.poll() is None, machine.said()[-3000:]
        assert time.monotonic() < end, machines[0].said()[-3000:]
        threading.Event().wait(0.01)
