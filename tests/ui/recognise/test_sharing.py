"""A result goes into a link and comes out again; what else stands in a link is refused."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import pytest

from ui.errors import PageError
from ui.recognise import sharing

PREDICTION: dict[str, Any] = {
    "file": "<b>Grüße</b>.wav",
    "emotion": "fear",
    "confidence": 0.62345,
    "probabilities": {"fear": 0.62345, "joy": 0.37655},
    "unsure": None,
    "conformal_set": ["fear", "joy"],
    "seconds": 8.5,
    "model": {"name": "studio", "version": "0.3", "path": "/home/ada/models"},
    "windows": [{"start": 0, "end": 3, "emotion": "fear", "probabilities": {}}] * 200,
    "warnings": [],
    "sha256": "ab" * 32,
    "summary": {
        "speaking": 7.0, "silent": 1.5, "unsure": 0.1, "unjudged": 0.0,
        "emotions": [{"emotion": "fear", "share": 1.0, "unsure": 0.1,
                      "longest": {"start": 0.0, "end": 7.0}}],
        "changes": [{"at": 1.5, "before": "joy", "after": "fear"}] * 100,
    },
}  # fmt: skip


def packed(value: Any) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(value).encode())).decode()


def test_the_figures_come_back_and_nothing_else_goes_along() -> None:
    token = sharing.link(PREDICTION)
    assert re.fullmatch(r"[\w-]+", token)
    assert len(token) < 1200
    found = sharing.opened(token)
    assert found["probabilities"] == {"fear": 0.6234, "joy": 0.3765}
    assert len(found["summary"]["changes"]) == sharing.MOST_CHANGES
    assert "sha256" not in found
    assert "/home/ada" not in str(found)
    shown = sharing.html(found)
    assert "&lt;b&gt;Grüße" in shown
    assert "A shared result" in shown


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "%%%",
        packed([1, 2]),
        packed({}),
        packed(sharing.opened(sharing.link(PREDICTION)) | {"emotion": "<script>"}),
        packed(sharing.opened(sharing.link(PREDICTION)) | {"confidence": 7}),
        packed(sharing.opened(sharing.link(PREDICTION)) | {"seconds": float("nan")}),
        packed("a" * 10_000_000),
        sharing.link(PREDICTION)[:-20],
    ],
)
def test_what_no_result_is_gets_a_sentence(token: str) -> None:
    with pytest.raises(PageError, match="holds no result"):
        sharing.opened(token)
