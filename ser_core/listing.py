"""Tables of everything that can be named: for the command line and the README."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from ser_core.augment import EFFECTS, FEATURE_EFFECTS, RECIPES
from ser_core.backbones import BACKBONES
from ser_core.corpora.registry import READERS
from ser_core.emotions import ALIASES, EMOTIONS
from ser_core.frontends import FRONTENDS, PRESETS
from ser_core.frontends.normalisations import NORMALISATIONS


@dataclass(frozen=True)
class ReferenceTable:
    """A title, column heads and rows of text."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _first_sentence(kind: type) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    return text.rstrip(".")


def tables() -> tuple[ReferenceTable, ...]:
    """Return the tables of emotions, corpora, augmentations, front-ends and backbones."""
    effects = [*EFFECTS.values(), *FEATURE_EFFECTS.values()]
    return (
        ReferenceTable(
            "Emotions",
            ("emotion", "also read as"),
            tuple((emotion, ", ".join(ALIASES[emotion])) for emotion in EMOTIONS),
        ),
        ReferenceTable(
            "Corpora",
            ("name", "what", "licence"),
            tuple((name, reader.title, reader.licence) for name, reader in READERS.items()),
        ),
        ReferenceTable(
            "Augmentations",
            ("name", "what it does", "parameters (range; default)"),
            tuple(
                (
                    effect.name,
                    effect.summary,
                    ", ".join(
                        f"{p.name} {p.low:g} to {p.high:g} {p.unit}".rstrip() + f"; {p.default:g}"
                        for p in effect.parameters
                    ),
                )
                for effect in effects
            ),
        ),
        ReferenceTable(
            "Recipes",
            ("name", "steps"),
            tuple((name, ", ".join(s["name"] for s in steps)) for name, steps in RECIPES.items()),
        ),
        ReferenceTable(
            "Front-ends",
            ("name", "what", "presets"),
            tuple(
                (name, _first_sentence(kind), ", ".join(PRESETS.get(name, {})))
                for name, kind in FRONTENDS.items()
            ),
        ),
        ReferenceTable("Normalisations", ("name", "what"), tuple(NORMALISATIONS.items())),
        ReferenceTable(
            "Backbones",
            ("name", "what"),
            tuple((name, _first_sentence(kind)) for name, kind in BACKBONES.items()),
        ),
    )


def text() -> str:
    """Return the tables as plain text in columns."""
    parts = []
    for table in tables():
        rows: Sequence[Sequence[str]] = table.rows
        wide = [
            max(len(row[i]) for row in [table.heads, *rows]) for i in range(len(table.heads) - 1)
        ]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, wide, strict=False)), row[-1]])
            for row in rows
        ]
        parts.append("\n".join([table.title, *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def markdown() -> str:
    """Return the tables as Markdown."""
    parts = []
    for table in tables():
        rows = [table.heads, ("---",) * len(table.heads), *table.rows]
        body = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
        parts.append("\n".join([f"### {table.title}", "", *body]))
    return "\n\n".join(parts)
