"""Whose browser a page's session belongs to.

Gradio keeps what a page holds (the clip on it, a table to import) under a name that the page
chooses, and answers whoever gives that name. Here the browser that used it first owns it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

COOKIE = "studio-browser"
"""Tells one browser from another; it says nothing else."""

SESSIONS = 20_000
"""Sessions of which it is remembered whose they are; the oldest is forgotten first."""


class SessionOwners:
    """Whose each session is: the browser's that used it first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, str] = OrderedDict()

    def is_of(self, session: str, browser: str) -> bool:
        """Say whether a session is this browser's; one that is new becomes so."""
        with self._lock:
            owner = self._known.setdefault(session, browser)
            self._known.move_to_end(session)
            while len(self._known) > SESSIONS:
                self._known.popitem(last=False)
            return owner == browser


def browser_of(headers: dict[str, str]) -> str:
    """Return what tells the browser, and who is signed in with it, from others; "" for neither."""
    from starlette.requests import cookie_parser

    held = [
        f"{name}={value}"
        for name, value in sorted(cookie_parser(headers.get("cookie", "")).items())
        if name == COOKIE or name.startswith("access-token")
    ]
    return hashlib.sha256(";".join(held).encode()).hexdigest() if held else ""


def sessions_of(scope: Mapping[str, Any], body: bytes) -> set[str]:
    """Return the page sessions that a request names: in its path, its query or its JSON.

    Args:
        scope: as ASGI gives it.
        body: what was sent, b"" for nothing.

    Raises:
        ValueError, RecursionError: the body is no JSON, so that Gradio could not read it either.
    """
    found = set(parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", []))
    parts = scope["path"].strip("/").split("/")
    for before, after in pairwise(parts):
        if before in ("heartbeat", "stream"):
            found.add(after)
    if body:
        held = json.loads(body)
        named = held.get("session_hash") if isinstance(held, dict) else None
        if isinstance(named, str):
            found.add(named)
    return found - {""}


def new_cookie(scope: Mapping[str, Any], headers: dict[str, str]) -> str:
    """Return a name for a browser that opens the page for the first time, else ""."""
    opens = scope["method"] == "GET" and scope["path"] in ("", "/")
    return (
        secrets.token_urlsafe(18) if opens and f"{COOKIE}=" not in headers.get("cookie", "") else ""
    )
