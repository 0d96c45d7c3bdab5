"""What a checkpoint's weights come from, and under which licences."""

from __future__ import annotations

from collections.abc import Iterable

from ser_core.checkpoints.specification import Specification
from ser_core.corpora import READERS

_MIT = (
    "MIT licence, Copyright (c) 2022 OpenAI: permission is granted, free of charge, to deal in it "
    "without restriction, provided that this notice is kept; it comes “as is”, without warranty "
    "of any kind"
)


def licences(specification: Specification, corpora: Iterable[str]) -> list[str]:
    """Return the card's lines on licences, Markdown.

    Args:
        specification: of the model.
        corpora: names of those it learned from.
    """
    lines = ["", "## Licences", ""]
    if specification.frontend in ("encoder", "wav2vec2"):
        parameters = specification.frontend_parameters
        source, kept = str(parameters.get("source", "")), int(parameters.get("keep_layers", 0))
        part = f"the first {kept} layers" if kept else "all layers"
        terms = _MIT if "whisper" in source else "its owners' licence"
        lines.append(f"- The speech encoder inside is {part} of {source} ({terms}).")
    lines.append(
        "- What was learned on top is CC BY-NC-SA 4.0, as the most restrictive of its corpora asks."
    )
    for name in corpora:
        if name in READERS:
            reader = READERS[name]
            lines.append(f"- {reader.title}: {reader.licence}. {reader.citation}.")
    return lines
