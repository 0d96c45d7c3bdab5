"""Put the studio on a Hugging Face Space, and make the private data set that keeps its labels.

    python scripts/deploy.py OWNER/NAME --labels OWNER/NAME-labels --secret HF_TOKEN

Sign in first (``hf auth login``, or HF_TOKEN with a token that may write). Running it again brings
the Space up to date. A secret's value is read from the environment variable of the same name and
is never printed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HARDWARE = ("cpu-upgrade", "zero-a10g", "cpu-basic", "t4-small", "t4-medium", "l4x1", "a10g-small")
LEFT_OUT = ("tests/", "benchmarks/", ".ci/", "docs/")
"""Tracked files that a running Space has no use for."""

ATTRIBUTES = """\
*.safetensors filter=lfs diff=lfs merge=lfs -text
*.onnx filter=lfs diff=lfs merge=lfs -text
*.flac filter=lfs diff=lfs merge=lfs -text
*.wav filter=lfs diff=lfs merge=lfs -text
*.png filter=lfs diff=lfs merge=lfs -text
"""
"""The Space's .gitattributes: the Hub refuses larger binary files that are not in LFS (or Xet)."""

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")


class DeployError(Exception):
    """What was asked for can't be done; the text says what to change."""


@dataclass(frozen=True)
class Plan:
    """What shall stand on the Hub.

    Attributes:
        space: ``owner/name`` of the Space.
        hardware: what it asks for; None = leave it as it is.
        private: whether only its owner sees the Space.
        labels: ``owner/name`` of the data set that keeps labels; "" = none, they are lost.
        clips, models: whether recordings and the champion are kept there too.
        users: Hub names, beside the owner's, whose labels count.
        secrets: name -> value.
    """

    space: str
    hardware: str | None = "cpu-upgrade"
    private: bool = False
    labels: str = ""
    clips: bool = False
    models: bool = False
    users: Sequence[str] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the Space's variables, which anybody may read."""
        found = {}
        if self.labels:
            found["SER_SYNC"] = f"hf://datasets/{self.labels}"
            found["SER_SYNC_CLIPS"] = str(int(self.clips))
            found["SER_SYNC_MODELS"] = str(int(self.models))
        if self.users:
            found["SER_USERS"] = ",".join(self.users)
        return found


def tracked_files(root: Path) -> list[str]:
    """Return what goes to the Space: the files that git tracks, without tests and studies.

    Raises:
        DeployError: this is not a git checkout, or something tracked is missing.
    """
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise DeployError(
            f"{root} is not a git checkout ({error}); deploy from a clone."
        ) from error
    names = [name for name in done.stdout.split("\0") if name and not name.startswith(LEFT_OUT)]
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        raise DeployError(f"{missing[0]} is tracked and not there; restore it, or commit its end.")
    return [name for name in names if name != ".gitattributes"]


def deploy(api: Any, plan: Plan, root: Path = ROOT) -> list[str]:
    """Make or update the Space and its data set; return what was done, a line a step.

    Settings come before the files, so that the first start already has them.

    Args:
        api: a ``huggingface_hub.HfApi`` that may write.
        plan: what shall stand there.
        root: the checkout.

    Raises:
        DeployError: the plan makes no sense, or the data set is public.
        huggingface_hub.errors.HfHubHTTPError: the Hub refused a step.
    """
    from huggingface_hub import CommitOperationAdd

    names = tracked_files(root)
    done = []
    if plan.labels:
        api.create_repo(plan.labels, repo_type="dataset", private=True, exist_ok=True)
        if not api.repo_info(plan.labels, repo_type="dataset").private:
            raise DeployError(
                f"The data set {plan.labels} is public, and labels are personal data: make it "
                "private in its settings, or name another."
            )
        done.append(f"Labels are kept in the private data set {plan.labels}.")
    api.create_repo(
        plan.space, repo_type="space", space_sdk="gradio", private=plan.private, exist_ok=True
    )
    for name, value in plan.variables().items():
        api.add_space_variable(plan.space, name, value)
        done.append(f"Variable {name} = {value}")
    for name, value in plan.secrets.items():
        api.add_space_secret(plan.space, name, value)
        done.append(f"Secret {name} is set.")
    operations = [CommitOperationAdd(".gitattributes", ATTRIBUTES.encode())]
    operations += [CommitOperationAdd(name, root / name) for name in names]
    api.create_commit(plan.space, operations, commit_message="Update the studio", repo_type="space")
    done.append(f"{len(names)} files are there.")
    if plan.hardware:
        api.request_space_hardware(plan.space, plan.hardware)
        done.append(f"Hardware asked for: {plan.hardware}")
    return done


def read_plan(argv: Sequence[str] | None, env: Mapping[str, str]) -> Plan:
    """Return what the command line asks for.

    Raises:
        DeployError: a name is invalid, or a secret's value is not in the environment.
    """
    parser = argparse.ArgumentParser(
        prog="python scripts/deploy.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("space", metavar="OWNER/NAME")
    parser.add_argument("--hardware", choices=HARDWARE, default="cpu-upgrade")
    parser.add_argument("--private", action="store_true", help="only its owner sees the Space")
    parser.add_argument("--labels", metavar="OWNER/NAME", default="", help="data set for labels")
    parser.add_argument("--clips", action="store_true", help="keep recordings there too")
    parser.add_argument("--models", action="store_true", help="keep the champion there too")
    parser.add_argument("--users", nargs="+", default=(), metavar="NAME", help="whose labels count")
    parser.add_argument(
        "--secret", action="append", default=[], metavar="NAME", help="taken from the environment"
    )
    asked = parser.parse_args(argv)
    for name in filter(None, (asked.space, asked.labels)):
        if not _NAME.fullmatch(name):
            raise DeployError(f"“{name}” names nothing on the Hub; OWNER/NAME is expected.")
    if (asked.clips or asked.models) and not asked.labels:
        raise DeployError("--clips and --models need --labels, the data set that keeps them.")
    secrets = {}
    for name in asked.secret:
        if not _SETTING.fullmatch(name) or not env.get(name):
            raise DeployError(f"The secret {name} has no value: set the variable {name} first.")
        secrets[name] = env[name]
    return Plan(
        asked.space, asked.hardware, asked.private, asked.labels, asked.clips, asked.models,
        tuple(asked.users), secrets,
    )  # fmt: skip


def main(
    argv: Sequence[str] | None = None, env: Mapping[str, str] = os.environ, api: Any = None
) -> int:
    """Do it and say what was done; errors are one line on stderr and exit 1."""
    try:
        plan = read_plan(argv, env)
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            done = deploy(api or HfApi(), plan)
        except (HfHubHTTPError, OSError) as error:
            raise DeployError(f"The Hub refused: {str(error).strip().splitlines()[0]}") from error
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(done))
    if plan.labels and "HF_TOKEN" not in plan.secrets:
        print(
            f"Still to do: give the Space the secret HF_TOKEN, a token that may write to "
            f"{plan.labels} (or run this again with --secret HF_TOKEN)."
        )
    if not plan.labels:
        print("Without --labels every restart of the Space loses all labels.")
    print(f"https://huggingface.co/spaces/{plan.space}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
