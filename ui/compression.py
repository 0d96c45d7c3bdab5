"""The page's own document, compressed: Gradio sends it as it is, seven times as long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

DOCUMENTS = frozenset({"/", "/config"})
"""Paths of what is compressed: the page with its components, texts and styles. Sound and pictures
are compressed by their own formats, and Gradio's scripts on disk."""


class CompressedPage:
    """ASGI middleware that compresses the documents for browsers that ask for it.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=1000, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        whole = scope["type"] == "http" and scope["path"] in DOCUMENTS
        await (self._compressed if whole else self._plain)(scope, receive, send)
