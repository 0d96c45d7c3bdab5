"""A result as a link: the figures travel in the address itself, the sound never does."""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from html import escape
from typing import Any

from ser_core.emotions import EMOTIONS
from ui import page_html
from ui.errors import PageError
from ui.language import say

MOST_BYTES = 64 * 1024
"""Most that an opened link may unpack to."""

MOST_CHANGES = 40
LONGEST_TEXT = 300
BROKEN = "This link holds no result that can be shown. Ask for it again."


def link(prediction: dict[str, Any]) -> str:
    """Return what a link carries to show a prediction again.

    Args:
        prediction: as ``Prediction.to_json`` gives it.

    Returns:
        Letters, digits, ``-`` and ``_`` alone.
    """
    shares = {name: round(share, 4) for name, share in prediction["probabilities"].items()}
    kept = {name: prediction[name] for name in ("emotion", "unsure", "conformal_set", "seconds")}
    kept |= {"confidence": round(prediction["confidence"], 4), "probabilities": shares}
    kept |= {"file": (prediction["file"] or "")[:LONGEST_TEXT], "summary": _short(prediction)}
    kept["model"] = {name: prediction["model"][name] for name in ("name", "version")}
    data = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


def _short(prediction: dict[str, Any]) -> dict[str, Any] | None:
    found = prediction.get("summary")
    return found and found | {"changes": found["changes"][:MOST_CHANGES]}


def opened(token: str) -> dict[str, Any]:
    """Return the prediction that a link carries, of which nothing is believed unchecked.

    Args:
        token: as `link` made it.

    Raises:
        PageError: it was not made by `link`, or was cut.
    """
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        unpacked = zlib.decompressobj()
        found = json.loads(unpacked.decompress(data, MOST_BYTES))
        return _checked(found)
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PageError(BROKEN) from error


def html(prediction: dict[str, Any]) -> str:
    """Return the card of a shared result, which says that it is one."""
    model = f"{prediction['model']['name']} {prediction['model']['version']}"
    note = say("A shared result of the model {model}. The sound was not shared.", model=model)
    card = page_html.answer(prediction)
    return card.replace("<section ", '<section data-shared="yes" ', 1).replace(
        "</section>", f'<p class="notice">{escape(note)}</p></section>'
    )


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    emotion = None if found["emotion"] is None else _emotion(found["emotion"])
    checked: dict[str, Any] = {
        "file": _text(found["file"]),
        "emotion": emotion,
        "confidence": _share(found["confidence"]),
        "probabilities": {_emotion(n): _share(v) for n, v in found["probabilities"].items()},
        "unsure": None if found["unsure"] is None else _text(found["unsure"]),
        "conformal_set": [_emotion(name) for name in found["conformal_set"]],
        "seconds": _seconds(found["seconds"]),
        "model": {name: _text(found["model"][name]) for name in ("name", "version")},
        "summary": None if found["summary"] is None else _summary(found["summary"]),
        "warnings": [],
        "windows": [],
    }
    return checked


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "speaking": _seconds(found["speaking"]),
        "silent": _seconds(found["silent"]),
        "unsure": _share(found["unsure"]),
        "unjudged": _share(found["unjudged"]),
        "emotions": [
            {
                "emotion": _emotion(one["emotion"]),
                "share": _share(one["share"]),
                "unsure": _share(one["unsure"]),
                "longest": {name: _seconds(one["longest"][name]) for name in ("start", "end")},
            }
            for one in found["emotions"]
        ],
        "changes": [
            {
                "at": _seconds(one["at"]),
                "before": _emotion(one["before"]),
                "after": _emotion(one["after"]),
            }
            for one in found["changes"][:MOST_CHANGES]
        ],
    }


def _emotion(value: Any) -> str:
    if value not in EMOTIONS:
        raise ValueError(value)
    return str(value)


def _share(value: Any) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError(value)
    return float(value)


def _seconds(value: Any) -> float:
    if not (math.isfinite(float(value)) and float(value) >= 0):
        raise ValueError(value)
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value[:LONGEST_TEXT]
