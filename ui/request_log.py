"""Log lines as JSON, each with the id of its request, and nothing that tells who asked for what.

No address, name, session, query or file name is logged; a path is cut to the route it belongs to.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""Id of the request that is being answered; "" outside of one."""

HEADER = b"x-request-id"

_KNOWN = ("gradio_api/queue/join", "gradio_api/queue/data", "gradio_api/call/v2")


def new_request() -> str:
    """Give the current request an id and return it."""
    found = secrets.token_hex(6)
    REQUEST.set(found)
    return found


def route_of(path: str) -> str:
    """Return the route of a path without what stands for a person, a session or a file.

    >>> route_of("/gradio_api/heartbeat/ab12"), route_of("/gradio_api/file=/tmp/gradio/x/me.wav")
    ('/gradio_api/heartbeat', '/gradio_api/file')
    >>> route_of("/gradio_api/queue/join"), route_of("/login"), route_of("/")
    ('/gradio_api/queue/join', '/login', '/')
    """
    plain = path.partition("=")[0].strip("/")
    for known in _KNOWN:
        if plain.startswith(known):
            return f"/{known}"
    parts = plain.split("/")
    return "/" + "/".join(parts[:2] if parts[0] == "gradio_api" else parts[:1])


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; a traceback is one string in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "request": REQUEST.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trouble"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in line.items() if value}, ensure_ascii=False)


def set_up(*, every_call: bool) -> None:
    """Let the studio's own log go to the error stream as JSON.

    Args:
        every_call: also calls that went well, where others than its owner use the page.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("studio", "label_store"):
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.setLevel(logging.INFO if every_call else logging.WARNING)
        log.propagate = False
