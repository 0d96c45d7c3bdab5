"""The requirements list what is imported and no more, each with an upper bound."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

OF_IMPORT = {
    "PIL": "pillow",
    "axe_playwright_python": "axe-playwright-python",
    "botocore": "boto3",
    "charset_normalizer": "charset-normalizer",
    "gradio_client": "gradio",
    "ignite": "pytorch-ignite",
    "imblearn": "imbalanced-learn",
    "mcp": "gradio",
    "pydantic_core": "pydantic",
    "silero_vad": "silero-vad",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Names that are imported -> the package that brings them."""

NOT_IMPORTED = {
    "audioop-lts": "pydub imports it on Python 3.13",
    "onnx": "torch.onnx writes its graphs with it",
    "wandb": "imported by its name (--track)",
    "trackio": "imported by its name (--track)",
    "tensorboard": "torch.utils.tensorboard imports it",
    "pandas-stubs": "for mypy",
    "pytest-timeout": "a plugin",
    "pytest-xdist": "a plugin",
    "ruff": "a program",
    "mypy": "a program",
    "moto": "a program, moto_server",
}

ELSEWHERE = {"spaces": "is there on a Space only, and looked for"}


def listed(file: str) -> dict[str, str]:
    """Return package -> bounds of one file, lower case."""
    found = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-r")):
            match = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?\s*([^;]*)", line)
            assert match, line
            found[match[1].lower()] = match[2].strip()
    return found


def imported(*tops: str) -> set[str]:
    """Return the packages that Python files import, whether at their top or in a function."""
    own = {"app", "benchmarks", "label_store", "scripts", "ser_core", "tests", "trainer", "ui"}
    names: set[str] = set()
    for top in tops:
        path = ROOT / top
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {one.name.partition(".")[0] for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.partition(".")[0])
    foreign = names - own - set(sys.stdlib_module_names)
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    return {OF_IMPORT.get(name, name).lower() for name in foreign - local}


FILES = ("requirements.txt", "requirements-extra.txt", "requirements-dev.txt")
CODE = ("app.py", "ser_core", "label_store", "trainer", "ui")


@pytest.mark.parametrize("file", FILES)
def test_every_line_has_an_upper_bound(file: str) -> None:
    for name, bounds in listed(file).items():
        assert "<" in bounds or bounds.startswith("=="), name


def test_what_the_code_imports_is_required() -> None:
    required = {**listed(FILES[0]), **listed(FILES[1])}
    assert imported(*CODE) - set(required) - set(ELSEWHERE) == set()


def test_what_tests_and_scripts_import_is_required() -> None:
    everything = {name for file in FILES for name in listed(file)}
    assert imported("tests", "scripts", "benchmarks") - everything - set(ELSEWHERE) == set()


def test_nothing_else_is_required() -> None:
    used = imported(*CODE, "tests", "scripts", "benchmarks") | set(NOT_IMPORTED)
    for file in FILES:
        assert set(listed(file)) - used == set(), file
