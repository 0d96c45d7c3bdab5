"""The README and the files around the code tell the truth."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def updater(repository: Path) -> ModuleType:
    path = repository / "scripts" / "update_readme.py"
    spec = importlib.util.spec_from_file_location("update_readme", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_program_lists(readme: str, updater: ModuleType) -> None:
    current = updater.with_reference(readme, updater.reference())
    assert current == readme, "run: make readme"


def test_a_readme_without_its_markers_is_refused(updater: ModuleType) -> None:
    with pytest.raises(ValueError, match="lacks"):
        updater.with_reference("no markers", "table")


def test_the_front_matter_is_that_of_a_space(readme: str, repository: Path) -> None:
    matter = readme.split("---\n")[1]
    values = dict(line.split(": ", 1) for line in matter.strip().splitlines())
    assert readme.startswith("---\n")
    assert values["sdk"] == "gradio"
    assert (repository / values["app_file"]).is_file()
    assert values["license"] == "apache-2.0"
    assert len(values["short_description"]) <= 60
    assert values["python_version"].strip('"') in ("3.11", "3.12")
    wanted = values["sdk_version"].split(".")
    installed = importlib.metadata.version("gradio").split(".")
    assert wanted[0] == installed[0]
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (repository / "LICENSE").read_text(encoding="utf-8")[:200]


def test_every_setting_that_is_read_is_in_the_table(readme: str, repository: Path) -> None:
    sources = [repository / "app.py", *repository.glob("*/__main__.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert set(re.findall(r"SER_[A-Z_]+", code)) <= set(re.findall(r"`(SER_[A-Z_]+)`", readme))


def test_every_file_that_is_linked_is_there(readme: str, repository: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (repository / target).exists(), target


def test_every_command_that_is_shown_exists(readme: str, repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s]*(?:#|`|,|$))", readme, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for module in set(re.findall(r"python -m ([a-z_.]+)", readme)):
        path = repository.joinpath(*module.split("."))
        if path.is_dir():
            assert (path / "__main__.py").is_file(), module
        else:
            text = path.with_suffix(".py").read_text(encoding="utf-8")
            assert 'if __name__ == "__main__"' in text, module


def test_the_examples_are_few_small_and_reproducible(repository: Path) -> None:
    script = (repository / "scripts" / "make_examples.py").read_text(encoding="utf-8")
    clips = sorted((repository / "examples").glob("*.flac"))
    assert 3 <= len(clips) <= 10
    for clip in clips:
        assert clip.stat().st_size < 150_000
        assert f'"{clip.stem}"' in script


def test_the_set_up_refuses_where_there_is_no_python(repository: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "cat", "sed"):
        found = next(
            Path(folder) / name
            for folder in os.environ["PATH"].split(os.pathsep)
            if (Path(folder) / name).is_file()
        )
        (tools / name).symlink_to(found)
    done = subprocess.run(
        [tools / "bash", repository / "scripts" / "setup.sh"],
        env={"PATH": str(tools), "VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or 3.12 is needed")
    assert not (tmp_path / "venv").exists()
