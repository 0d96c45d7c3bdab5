"""The house: imports go down and never in a circle, one name for one thing, no name of old."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ser_core", "label_store", "trainer", "ui")
MAY_IMPORT = {
    "ser_core": {"ser_core"},
    "label_store": {"label_store"},
    "trainer": {"trainer", "label_store", "ser_core"},
    "ui": {"ui", "trainer", "label_store", "ser_core"},
}

ENTRIES = {"label_store.__main__"}
"""Entries that may put every package together, as app.py does."""

OLD_NAMES = (
    *("FoldOpinions", "run_opinions", "read_opinions", "write_opinions", "label_opinions"),
    *("Desk", "CorpusDesk", "Bench", "Shelf", "Pool", "Sitting", "Shown", "Choice", "Crew"),
    *("Listening", "Listener", "Heard", "Observed", "Judged", "Hearing", "Draw", "Blend"),
    *("calibrating", "sitting", "sittings", "crew"),
)
"""Names that stood for things which have their field's own name now, as whole identifiers."""

OLD_VARIABLES = ("told", "said", "wanted", "unheard", "never_heard", "fair", "votes", "voters")
"""Words of old that no variable, parameter or attribute of the packages is called by."""

OLD_PHRASES = (
    "sitting",
    "sittings",
    "Look again",
    "Turn them down",
    "seed systems",
    "fold opinions",
    "never heard",
    "is wanted",
    "is no (?!longer|more|worse)(?<!here is no )[a-z]+",
)
"""Words of old in docstrings, messages and on the page."""

OLD_MODULES = (
    *("opinions", "desk", "label_desk", "corpus_desk", "hearing", "observe", "draws", "blend"),
    *("fresh", "complete", "calibrating", "parts", "label_parts", "label_ahead"),
    *("label_shown", "label_pool", "label_folds", "people", "fold_opinions", "vad", "verbs"),
)


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    return {
        module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources(*PACKAGES)
    }


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a module takes, wherever in it the import stands."""
    known = trees()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def test_imports_go_down_only() -> None:
    wrong = [
        f"{name} -> {other}"
        for name, tree in trees().items()
        if name not in ENTRIES
        for other in imports(name, tree)
        if (top := other.partition(".")[0]) in {*PACKAGES, "app"}
        and top not in MAY_IMPORT[name.partition(".")[0]]
    ]
    assert not wrong


def test_no_tab_imports_another() -> None:
    wrong = [
        f"{name} -> {other}"
        for name, tree in trees().items()
        for other in imports(name, tree)
        if name.count(".") == 2
        and name.startswith("ui.")
        and other.count(".") == 2
        and other.startswith("ui.")
        and name.split(".")[1] != other.split(".")[1]
    ]
    assert not wrong


def test_no_files_import_each_other_in_a_circle() -> None:
    """A package's ``__init__`` that only hands names on is on the way to its own modules."""
    graph = {
        name: {other for other in imports(name, tree) if other in trees() and other != name}
        for name, tree in trees().items()
    }
    circles: list[str] = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            circles.append(" -> ".join([*way[way.index(name) :], name]))
            return
        if name in done:
            return
        for other in sorted(graph[name]):
            visit(other, [*way, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    assert not circles


def test_every_public_class_and_every_name_of_a_type_is_defined_once() -> None:
    """A class has one name, and no alias of a type takes it; typing's own shorthands may repeat."""
    classes: dict[str, list[str]] = {}
    aliases: dict[str, list[str]] = {}
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes.setdefault(node.name, []).append(module)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                aliases.setdefault(node.targets[0].id, []).append(module)
    assert not {name: found for name, found in classes.items() if len(found) > 1}
    assert not {name: (found, aliases[name]) for name, found in classes.items() if name in aliases}


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the identifiers of a file; docstrings and comments may use English as it is."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string


@pytest.mark.parametrize("folder", [*PACKAGES, "tests", "benchmarks", "scripts"])
def test_no_name_of_old(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sources(folder)
        if path != Path(__file__)
        for line, word in words(path)
        if word in OLD_NAMES or (folder in PACKAGES and word in OLD_VARIABLES)
    ]
    assert not found
    assert not [path for path in sources(folder) if path.stem in OLD_MODULES]


@pytest.mark.parametrize("phrase", OLD_PHRASES)
def test_no_phrase_of_old_where_people_read(phrase: str) -> None:
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in [*texts, *sources(*PACKAGES), *sorted((ROOT / "ui").rglob("*.js"))]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(rf"\b{phrase}\b", line)
    ]
    assert not found
