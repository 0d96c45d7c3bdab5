"""The errors a person may meet. Each message says what was found and what to do."""

from __future__ import annotations


class SerError(Exception):
    """Base of every error that ser_core raises on purpose; its text is fit for the page."""


class AudioError(SerError):
    """A clip that can't be decoded or holds no usable sound."""


class UnknownEmotionError(SerError):
    """A label that no alias covers."""


class CorpusError(SerError):
    """A corpus folder or table that can't be read as a whole."""


class TableError(CorpusError):
    """A table of file names and emotions that can't be read as a whole."""


class ColumnError(TableError):
    """A table in which the file name or the emotion is in no column that can be told.

    Attributes:
        headings: the table's headings, to choose from.
    """

    def __init__(self, message: str, headings: tuple[str, ...]) -> None:
        super().__init__(message)
        self.headings = headings


class AugmentError(SerError):
    """An augmentation recipe with an unknown name or a parameter out of its range."""


class SpecificationError(SerError):
    """A front-end, a backbone or their pairing that can't be built."""


class CheckpointError(SerError):
    """A checkpoint folder that is incomplete, damaged or from another version."""
