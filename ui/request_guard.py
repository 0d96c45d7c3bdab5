"""What a request must look like before Gradio sees it: from this page, and not too much of it.

Gradio echoes every Origin with credentials when it is not on localhost, sets its cookie with
SameSite=None, and bounds neither uploads nor tries to sign in. This ASGI middleware stands in
front: a page on another site can neither write nor read here, nobody can ask without end, and
what a page has in its session (the clip on it, a table to import) answers to its own browser alone.

Sources: https://fetch.spec.whatwg.org/#origin-header, https://w3c.github.io/webappsec-fetch-metadata/
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ui.identity import LOOPBACK
from ui.language import chosen, translated
from ui.request_log import HEADER, new_request, route_of
from ui.session_owner import COOKIE, SessionOwners, browser_of, new_cookie, sessions_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("studio.requests")

FOREIGN = "This request comes from another site. Open the studio itself and try again."
FOREIGN_HOST = (
    "This studio is open for its own machine alone, as http://127.0.0.1 or http://localhost. "
    "Set SER_HOST and SER_USERS to open it to others."
)
TOO_MANY_TRIES = "Too many tries to sign in. Wait a minute and try again."
TOO_MANY_FILES = "At most {most} files can be sent at once. Send them in several goes."
TOO_MUCH = "That is more than can be taken in a minute. Wait a minute and send the rest."
NOT_YOURS = "This page was opened by somebody else, or before you signed in. Load it again."
TOO_LONG = "The request is longer than any that the page sends."
UNREADABLE = "The request is none that this page knows."


@dataclass(frozen=True)
class RequestLimits:
    """How much one visitor may ask for.

    Attributes:
        sign_ins: tries to sign in within a minute, for one address.
        sign_ins_in_all: the same for all addresses together.
        files: files in one upload.
        upload_bytes: bytes uploaded within a minute, for one address.
        body_bytes: bytes of one request that is not an upload.
    """

    sign_ins: int = 10
    sign_ins_in_all: int = 100
    files: int = 200
    upload_bytes: int = 600 * 2**20
    body_bytes: int = 64 * 2**20


@dataclass
class _Minute:
    """What was counted within the last minute, by key; as many keys as there are callers in it."""

    clock: Callable[[], float]
    _counted: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, key: str, amount: int = 1) -> int:
        """Count, and return the sum of this key's last minute."""
        now = self.clock()
        with self._lock:
            for stale in [k for k, seen in self._counted.items() if seen[-1][0] < now - 60]:
                del self._counted[stale]
            seen = self._counted.setdefault(key, deque())
            seen.append((now, amount))
            while seen[0][0] < now - 60:
                seen.popleft()
            return sum(count for _, count in seen)


class TooMuchError(Exception):
    """An upload goes over a limit; its text is for the page."""


class RequestGuard:
    """ASGI middleware in front of the page.

    Args:
        app: what answers.
        local: only this machine may ask (no other Host is answered).
        proxied: a proxy stands in front (a Space), whose X-Forwarded-For names the visitor.
        same_site_cookies: cookies are made SameSite=Lax; not inside an iframe of another site.
        limits: see `RequestLimits`.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        app: App,
        *,
        local: bool = False,
        proxied: bool = False,
        same_site_cookies: bool = True,
        limits: RequestLimits = RequestLimits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self.local, self.proxied = app, local, proxied
        self.same_site_cookies, self.limits = same_site_cookies, limits
        self._tries, self._bytes = _Minute(clock), _Minute(clock)
        self._owners, self._clock = SessionOwners(), clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = self._logged(scope, send)
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if self.local and _name(headers.get("host", "")) not in LOOPBACK:
            await _refuse(scope, send, 403, FOREIGN_HOST)
            return
        if _is_foreign(headers, scope["method"]):
            LOG.warning("refused %s %s: another site", scope["method"], route_of(scope["path"]))
            await _refuse(scope, send, 403, FOREIGN)
            return
        caller = self._caller(scope, headers)
        if scope["method"] == "POST" and scope["path"].rstrip("/").endswith("/login"):
            mine, all_of_them = self._tries.add(caller), self._tries.add("all of them")
            if mine > self.limits.sign_ins or all_of_them > self.limits.sign_ins_in_all:
                LOG.warning("refused a try to sign in: %d within a minute", mine)
                await _refuse(scope, send, 429, TOO_MANY_TRIES)
                return
        if scope["method"] == "POST" and scope["path"].rstrip("/").endswith("/upload"):
            await self._bounded(scope, receive, send, caller)
            return
        body = b""
        if scope["method"] == "POST" and _is_call(scope["path"]):
            held = await self._body(receive)
            if held is None:
                await _refuse(scope, send, 413, TOO_LONG)
                return
            body, receive = held, _again(held, receive)
        try:
            sessions = sessions_of(scope, body)
        except (ValueError, RecursionError):
            await _refuse(scope, send, 400, UNREADABLE)
            return
        if not all(self._owners.is_of(session, browser_of(headers)) for session in sessions):
            LOG.warning("refused %s: the session of another browser", scope["method"])
            await _refuse(scope, send, 403, NOT_YOURS)
            return
        await self._answered(scope, receive, self._answering(send, new_cookie(scope, headers)))

    def _logged(self, scope: Message, send: Send) -> Send:
        """Give a request an id, which its answer names, and log how a call went."""
        request, begun = new_request(), self._clock()

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (HEADER, request.encode())]
                if scope["method"] == "POST":
                    LOG.info(
                        "%s %d in %.0f ms", route_of(scope["path"]), message["status"],
                        1000 * (self._clock() - begun),
                    )  # fmt: skip
            await send(message)

        return naming

    async def _answered(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the page answer; a call that it can't make sense of is one line of log."""
        begun = False

        async def noticing(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noticing)
        except Exception as error:
            if begun or not _is_call(scope["path"]):
                raise
            LOG.warning("refused a call that fits no listener: %s", type(error).__name__)
            await _refuse(scope, send, 400, UNREADABLE)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the whole body, None where it is too long."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the other end has gone
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = bool(message.get("more_body"))
            if size > self.limits.body_bytes:
                return None
        return b"".join(parts)

    def _caller(self, scope: Message, headers: dict[str, str]) -> str:
        if self.proxied and headers.get("x-forwarded-for"):
            return headers["x-forwarded-for"].split(",")[0].strip()
        return str((scope.get("client") or ("",))[0])

    async def _bounded(self, scope: Message, receive: Receive, send: Send, caller: str) -> None:
        files, tail, begun = 0, b"", False

        async def counting() -> Message:
            nonlocal files, tail
            message = await receive()
            body = message.get("body", b"")
            seen = tail + body
            files += seen.lower().count(_PART)
            tail = seen[-len(_PART) + 1 :]
            if files > self.limits.files:
                raise TooMuchError(TOO_MANY_FILES.format(most=self.limits.files))
            if not self.local and self._bytes.add(caller, len(body)) > self.limits.upload_bytes:
                raise TooMuchError(TOO_MUCH)
            return message

        async def noticing(message: Message) -> None:
            nonlocal begun
            begun = True
            await self._answering(send)(message)

        try:
            await self.app(scope, counting, noticing)
        except TooMuchError as error:
            LOG.warning("refused an upload: %s", error)
            if not begun:
                await _refuse(scope, send, 413, str(error))

    def _answering(self, send: Send, cookie: str = "") -> Send:
        fresh = []
        if cookie:
            # Inside a frame of another site a browser takes no other cookie than this kind.
            site = "" if self.same_site_cookies else "; SameSite=None; Secure; Partitioned"
            fresh = [(b"set-cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly{site}".encode())]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), *fresh]
                if self.same_site_cookies:
                    headers = [
                        (name, _lax(value) if name.lower() == b"set-cookie" else value)
                        for name, value in headers
                    ]
                message["headers"] = headers
            await send(message)

        return answer


def _is_call(path: str) -> bool:
    """Say whether a POST to this path is one of Gradio's calls, which are JSON.

    >>> _is_call("/gradio_api/queue/join"), _is_call("/gradio_api/mcp/"), _is_call("/login")
    (True, False, False)
    """
    inside = path.partition("/gradio_api/")[2]
    return bool(inside) and not inside.startswith("mcp")


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, then whatever else comes."""
    waiting = [body]

    async def give() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return give


_PART = b"content-disposition: form-data"


def _lax(cookie: bytes) -> bytes:
    """Return a Set-Cookie header that no other site's request carries along.

    >>> _lax(b"a=b; Path=/; SameSite=none; Secure")
    b'a=b; Path=/; Secure; SameSite=Lax'
    """
    kept = [part for part in cookie.split(b";") if not part.strip().lower().startswith(b"samesite")]
    return b";".join([*kept, b" SameSite=Lax"])


def _name(host: str) -> str:
    """Return a Host header without its port.

    >>> _name("127.0.0.1:7860"), _name("[::1]:7860"), _name("evil.example")
    ('127.0.0.1', '::1', 'evil.example')
    """
    return (urlsplit(f"//{host}").hostname or "") if host.isascii() else ""


def _is_foreign(headers: dict[str, str], method: str) -> bool:
    """Say whether a page of another origin made the browser send this.

    Programs other than browsers send neither header and pass. A link from elsewhere may open the
    page (a navigation by GET), and nothing more.
    """
    origin = headers.get("origin")
    if origin is not None:
        place = urlsplit(origin).netloc.lower()
        here = {headers.get(key, "").lower() for key in ("host", "x-forwarded-host")} - {""}
        return not place or place not in here
    site = headers.get("sec-fetch-site", "none").lower()
    opened = headers.get("sec-fetch-mode", "").lower() == "navigate" and method in ("GET", "HEAD")
    return site not in ("none", "same-origin") and not opened


async def _refuse(scope: Message, send: Send, status: int, text: str) -> None:
    asked = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    body = json.dumps({"detail": translated(text, chosen(asked))}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
