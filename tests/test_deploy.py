"""scripts/deploy.py against a Hub over HTTP, through the real client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from scripts.deploy import ROOT, DeployError, Plan, deploy, main, tracked_files
from tests.fake_hub import FakeHub, Repository, fake_hub


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("app.py", "README.md", "models/default/weights.safetensors", "tests/test_x.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + name.encode())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "voice.wav").write_bytes(b"private")
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / ".gitignore").write_text("data/\n")
    subprocess.run([*git, "add", "."], check=True)
    return tmp_path


def api(hub: FakeHub, token: str = "hf_test") -> HfApi:
    return HfApi(endpoint=hub.address, token=token)


PLAN = Plan(
    "ada/studio",
    labels="ada/labels",
    clips=True,
    users=("ben", "eve"),
    secrets={"HF_TOKEN": "hf_secret"},
)


def test_the_space_stands_with_settings_secrets_and_a_private_data_set(hub, checkout) -> None:
    done = deploy(api(hub), PLAN, checkout)
    space = hub.repositories["spaces/ada/studio"]
    assert hub.repositories["datasets/ada/labels"].private
    assert space.settings["sdk"] == "gradio"
    assert space.settings["variables"] == {
        "SER_SYNC": "hf://datasets/ada/labels",
        "SER_SYNC_CLIPS": "1",
        "SER_SYNC_MODELS": "0",
        "SER_USERS": "ben,eve",
    }
    assert space.settings["secrets"] == {"HF_TOKEN": "hf_secret"}
    assert space.settings["hardware"]["flavor"] == "cpu-upgrade"
    assert sorted(space.files) == [
        ".gitattributes",
        ".gitignore",
        "README.md",
        "app.py",
        "models/default/weights.safetensors",
    ]
    assert b"*.safetensors filter=lfs" in space.files[".gitattributes"]
    assert "hf_secret" not in "\n".join(done)
    asked = [one for one in hub.requests if one.startswith("POST")]
    assert asked.index("POST /api/spaces/ada/studio/secrets") < asked.index(
        "POST /api/spaces/ada/studio/commit/main"
    )


def test_doing_it_again_updates_the_same_space(hub: FakeHub, checkout: Path) -> None:
    deploy(api(hub), PLAN, checkout)
    (checkout / "app.py").write_bytes(b"newer")
    deploy(api(hub), PLAN, checkout)
    assert hub.repositories["spaces/ada/studio"].files["app.py"] == b"newer"
    assert len(hub.repositories) == 2


def test_a_public_data_set_is_refused_before_anything_is_uploaded(hub, checkout) -> None:
    hub.repositories["datasets/ada/labels"] = Repository(private=False)
    with pytest.raises(DeployError, match="is public"):
        deploy(api(hub), PLAN, checkout)
    assert "spaces/ada/studio" not in hub.repositories


def test_what_is_not_tracked_stays_here(checkout: Path, tmp_path_factory) -> None:
    assert "data/voice.wav" not in tracked_files(checkout)
    (checkout / "app.py").unlink()
    with pytest.raises(DeployError, match=r"app\.py is tracked and not there"):
        tracked_files(checkout)
    with pytest.raises(DeployError, match="not a git checkout"):
        tracked_files(tmp_path_factory.mktemp("elsewhere"))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["studio"], "OWNER/NAME is expected"),
        (["ada/studio", "--clips"], "need --labels"),
        (["ada/studio", "--secret", "HF_TOKEN"], "The secret HF_TOKEN has no value"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys, argv: list[str], words: str) -> None:
    assert main(argv, {}) == 1
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_refusal_of_the_hub_is_one_line(hub: FakeHub, capsys) -> None:
    assert main(["ada/studio"], {}, api(hub, "hf_wrong")) == 1
    told = capsys.readouterr().err
    assert "The Hub refused" in told
    assert "401" in told
    assert told.count("\n") == 1


def test_the_front_matter_lets_people_sign_in() -> None:
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert "hf_oauth: true\n" in head
    assert "sdk: gradio\n" in head
