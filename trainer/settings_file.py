"""Settings as a TOML file, out and in."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.errors import SettingsError
from trainer.settings import Settings


def to_toml(settings: Settings) -> str:
    """Return the settings that differ from the defaults as a TOML file for ``--config``.

    >>> print(to_toml(Settings(epochs=3, names=("emodb",), backbone_parameters={"dropout": 0.3})))
    names = ["emodb"]
    backbone_parameters = { dropout = 0.3 }
    epochs = 3
    """
    default = Settings().to_json()
    return "\n".join(
        f"{name} = {_toml_value(value)}"
        for name, value in settings.to_json().items()
        if value != default[name]
    )


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items())
        # A plain key needs no quotes.
        return re.sub(r'"([A-Za-z0-9_-]+)" =', r"\1 =", f"{{ {inside} }}") if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the settings of a TOML file; ``preset = "name"`` in it is left to the caller.

    Raises:
        SettingsError: the file can't be read.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} can't be read as TOML: {error}.") from error
