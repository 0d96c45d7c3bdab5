"""Log lines: one JSON object each, with the request's id and nobody's data."""

from __future__ import annotations

import json
import logging

import pytest

from tests.ui.test_request_guard import page, sign_in
from ui.request_log import REQUEST, JsonLines


def test_a_call_is_one_line_that_names_its_request_and_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "studio"):
        client = page()
        answer = sign_in(client)
        assert answer.status_code == 200
        body = {"fn_index": 0, "data": ["my words"], "session_hash": "page-1"}
        client.post("/gradio_api/run/echo?secret=1", json=body)
        refused = client.post("/gradio_api/run/echo", json=body, headers={"Cookie": ""})
        client.get("/gradio_api/heartbeat/page-1", headers={"Origin": "https://evil.example"})
    assert refused.headers["x-request-id"] != answer.headers["x-request-id"]
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("/login 200 in ") for line in lines)
    assert any(line.startswith("/gradio_api/run 4") for line in lines)
    for word in ("ada", "right", "my words", "secret", "page-1", "testclient"):
        assert word not in "\n".join(lines)


def test_a_line_is_json_also_with_a_traceback_in_it() -> None:
    token = REQUEST.set("abc123")
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record = logging.LogRecord(
            "studio.x", logging.ERROR, __file__, 1, "what %s", ("ü",),
            (ValueError, error, error.__traceback__),
        )  # fmt: skip
    text = JsonLines().format(record)
    REQUEST.reset(token)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["request"], line["message"]) == ("error", "abc123", "what ü")
    assert "two" in line["trouble"]
