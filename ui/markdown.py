"""Markdown by others that stays inside the page."""

from __future__ import annotations

import re


def contained(text: str) -> str:
    """Return Markdown that stays inside the page: no markup, nothing loaded.

    A model card comes with a checkpoint, from whoever made it. A tag is shown as it is written (an
    invisible space parts its bracket from its name, in code too), and an image, which would tell
    its server who reads it, becomes a link.

    >>> contained("a < b <form> ![x](https://evil.example)").encode("ascii", "replace")
    b'a < b <?form> !?[x](https://evil.example)'
    """
    return re.sub(r"<(?=[A-Za-z/!?])", "<\u200b", text).replace("![", "!\u200b[")
