"""The Dockerfile and compose.yaml say what the README promises; nothing is built here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def last_stage() -> str:
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-1]


def test_the_image_has_no_compiler_no_root_and_a_volume() -> None:
    stage = last_stage()
    assert "build-essential" not in stage
    assert re.search(r"^USER studio$", stage, re.MULTILINE)
    assert re.search(r"^VOLUME /data$", stage, re.MULTILINE)
    assert "SER_HOME=/data" in stage
    assert stage.index("\nUSER studio") < stage.index("\nCMD ")


def test_the_torch_packages_come_from_the_given_index_and_are_the_pinned_ones() -> None:
    pattern = re.search(r"grep -E '(.+?)' /tmp/requirements.txt", DOCKERFILE)[1]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [line.split("==")[0] for line in lines if re.search(pattern, line)]
    assert sorted(found) == ["torch", "torchaudio", "torchvision"]
    assert "ARG TORCH_INDEX=" in DOCKERFILE


def test_the_health_check_asks_the_page_and_fails_without_one() -> None:
    command = re.search(r'CMD \["python", "-c", "(import urllib.+?)"\]', DOCKERFILE)[1]
    assert "/health" in command
    elsewhere = command.replace(":7860", ":9")  # nobody listens there
    done = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, check=False)
    assert done.returncode != 0


def test_page_and_trainer_share_one_home_and_have_time_to_end() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services.keys() == {"page", "trainer"}
    for service in services.values():
        assert service["volumes"] == ["home:/data"]
        assert service["stop_grace_period"] == "15s"
    assert services["trainer"]["command"][:3] == ["python", "-m", "trainer"]
    assert services["page"]["ports"][0].startswith("127.0.0.1:")


def test_nothing_private_gets_into_the_image() -> None:
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {"data", "runs", ".git", ".venv"} <= set(left_out)
