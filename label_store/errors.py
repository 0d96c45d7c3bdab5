"""The errors that label_store raises on purpose; each text is fit for the page."""

from __future__ import annotations


class StoreError(Exception):
    """Base of every error that label_store raises on purpose."""


class EventError(StoreError, ValueError):
    """An event, a file name or a clip that can't be stored as it is."""


class SaveError(StoreError):
    """The disk did not take what was to be saved; nothing of it was kept."""


class ConflictError(StoreError):
    """Somebody else changed the clip since it was shown.

    Attributes:
        latest: id of the event that changed it.
    """

    def __init__(self, message: str, latest: str) -> None:
        super().__init__(message)
        self.latest = latest


class NothingToUndoError(StoreError):
    """The annotator has no event left that could be undone."""


class LabelTableError(StoreError):
    """A table or an archive that can't be read as a whole."""


class SyncError(StoreError):
    """A shard that could not be sent to the Hub or taken from it."""
