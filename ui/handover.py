"""Clips that another tab hands to the Label tab of the same page."""

from __future__ import annotations

from ui.catalogue import Source


class Handover:
    """At most one waiting clip a page; nothing is stored until somebody labels it."""

    def __init__(self) -> None:
        self._waiting: dict[str, Source] = {}

    def put(self, page: str, source: Source) -> None:
        """Hand a clip over; it replaces the one that waited.

        Args:
            page: the page's session.
            source: the clip, with its hash.
        """
        self._waiting[page] = source

    def get(self, page: str) -> Source | None:
        """Return the clip that waits for a page, None where none does."""
        return self._waiting.get(page)

    def drop(self, page: str, sha: str) -> None:
        """Let a clip wait no longer, because it was labelled or taken back."""
        source = self._waiting.get(page)
        if source is not None and source.sha256 == sha:
            del self._waiting[page]
