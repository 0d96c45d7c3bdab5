"""What a person can mend; the text of each error is one sentence for the page."""

from __future__ import annotations


class PageError(Exception):
    """Something a person can mend; the base of the page's own errors."""


class GoneError(PageError):
    """The clip's file went away."""
