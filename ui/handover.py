"""Clips that another tab hands to the Label tab of the same page."""

from __future__ import annotations

import itertools

from ui.catalogue import Source

MOST = 500
"""Pages for which a clip waits; a page that was closed doesn't say so."""


class Handover:
    """At most one waiting clip a page; nothing is stored until somebody labels it."""

    def __init__(self) -> None:
        self._waiting: dict[str, Source] = {}
        self._turns = itertools.count(1)
        self._turn: dict[str, int] = {}

    def put(self, page: str, source: Source) -> None:
        """Hand a clip over; it replaces the one that waited.

        Args:
            page: the page's session.
            source: the clip, with its hash.
        """
        self._waiting.pop(page, None)
        self._waiting[page] = source
        self._turn[page] = next(self._turns)
        while len(self._waiting) > MOST:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest], self._turn[oldest]

    def get(self, page: str) -> Source | None:
        """Return the clip that waits for a page, None where none does."""
        return self._waiting.get(page)

    def turn(self, page: str) -> int:
        """Return which clip waits for a page: another number each time one is handed over."""
        return self._turn.get(page, 0)

    def drop(self, page: str, sha: str) -> None:
        """Let a clip wait no longer, because it was labelled or taken back."""
        source = self._waiting.get(page)
        if source is not None and source.sha256 == sha:
            del self._waiting[page]
            self._turn.pop(page, None)
