"""Settings on the command line: flags, their help and their values, made from the settings."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainer.presets import SETTINGS_PRESETS
from trainer.settings import ALIASES, Spec, spec, specs

_METAVARS: dict[type, str] = {
    bool: "{yes,no}",
    int: "N",
    float: "X",
    dict: "JSON",
    tuple: "A,B",
    str: "TEXT",
}


def add_settings(parser: argparse.ArgumentParser, preset: str = "") -> None:
    """Add a flag for each setting, in groups; its help shows type, range, default and sentence.

    Args:
        parser: of a verb.
        preset: whose values are the verb's defaults.
    """
    groups: dict[str, Any] = {}
    defaults = SETTINGS_PRESETS.get(preset, {})
    for held in specs():
        one = dataclasses.replace(held, default=defaults.get(held.name, held.default))
        if one.group not in groups:
            groups[one.group] = parser.add_argument_group(one.group)
        groups[one.group].add_argument(
            _flag(one.name), dest=one.name, metavar=_metavar(one), help=help_of(one)
        )
    for former, name in ALIASES.items():
        parser.add_argument(_flag(former), dest=name, help=argparse.SUPPRESS)


def help_of(one: Spec) -> str:
    """Return a setting's line of help.

    >>> help_of(spec("warm_up"))
    'share of all steps in which the rate rises (0 to 0.9; default 0.1)'
    """
    span = "" if one.low is None else f"{one.low:.12g} to {one.high:.12g}; "
    text = f"{one.help} ({span}default {shown(one.default)})"
    return text.replace("%", "%%")


def shown(value: Any) -> str:
    """Return a default as one would type it.

    >>> shown(True), shown(0.0005), shown(())
    ('yes', '0.0005', 'none')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        parts = [one["name"] if isinstance(one, dict) else shown(one) for one in value]
        return ", ".join(parts) or "none"
    return str(value) if value or isinstance(value, int) else "none"


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives, in their types.

    What can't be read stays text: the settings then say what is expected.
    """
    values = {one.name: getattr(args, one.name, None) for one in specs()}
    return {name: read_text(name, text) for name, text in values.items() if text is not None}


def read_text(name: str, text: str) -> Any:
    """Read a setting's text in its type.

    >>> read_text("epochs", "3"), read_text("trim_silence", "yes"), read_text("names", "a, b")
    (3, True, ('a', 'b'))
    """
    held = spec(name)
    if held.kind in (bool, int, float):
        try:
            return TypeAdapter(held.kind).validate_python(text)
        except ValidationError:
            return text
    if held.kind is dict or (held.kind is tuple and text.lstrip()[:1] == "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    if held.kind is tuple and name not in ("augment", "feature_augment"):
        parts = tuple(part.strip() for part in text.split(",") if part.strip())
        return parts if held.items != "a list of numbers" else _numbers(parts)
    return text


def _numbers(parts: tuple[str, ...]) -> Any:
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        return parts


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _metavar(one: Spec) -> str:
    if one.choices:
        return f"{{{','.join(one.choices)}}}"
    if one.name in ("augment", "feature_augment"):
        return "RECIPE"
    return _METAVARS[one.kind]
