"""The errors a person may meet when training. Each message says what was found and what to do."""

from __future__ import annotations

BUSY = 75
"""Exit status of a run that found another one at work, or was stopped (EX_TEMPFAIL)."""


class TrainerError(Exception):
    """Base of every error that trainer raises on purpose; its text is one sentence or two."""


class SettingsError(TrainerError):
    """A setting that is unknown, out of its range or contradicts another."""


class DataError(TrainerError):
    """Clips or labels that can't be trained or evaluated on: an empty split, a missing class ..."""


class DivergedError(TrainerError):
    """A loss that is no longer a number."""


class OutOfMemoryError(TrainerError):
    """Not even a single clip goes through the model in the memory that there is."""


class InterruptedRunError(TrainerError):
    """A run that a signal ended after it had saved; it can be resumed."""


class FirstFailedError(TrainerError):
    """The first of several processes failed, and has said why."""


class LockedError(TrainerError):
    """Another run that is alive holds the lock."""


class VersionError(TrainerError):
    """A version folder that is missing, incomplete or still serving."""


class TrackingError(TrainerError):
    """An experiment tracker that is unknown, not installed or can't start."""


class StorageError(TrainerError):
    """A place of corpora or checkpoints that can't be read or written."""


class TuningError(TrainerError):
    """A search space or a study that can't be used."""
