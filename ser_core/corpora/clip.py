"""What every corpus reader yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled audio file of a corpus.

    Attributes:
        path: the audio file.
        corpus: the reader's name (``ravdess_song``), or the folder's name for a table.
        key: path relative to the corpus folder, POSIX, without the audio ending; stable
            across copies of a corpus in other containers. A segment's ends in its times.
        emotion: canonical emotion.
        speaker: who speaks, unique within ``family``; "" where it is not known.
        sex: "f", "m" or "".
        sentence: identifier of the text that is spoken, or "".
        family: corpora that share people share a family (RAVDESS speech and song).
        start, end: seconds of the labelled segment; None = from the beginning, to the end.
        annotations: how many annotators chose each canonical emotion, where the corpus says so.
    """

    path: Path
    corpus: str
    key: str
    emotion: str
    speaker: str = ""
    sex: str = ""
    sentence: str = ""
    family: str = ""
    start: float | None = None
    end: float | None = None
    annotations: Mapping[str, int] | None = field(default=None, compare=False)

    @property
    def person(self) -> str:
        """Who speaks, unique across corpora (``ravdess/01``); "" where it is not known."""
        return f"{self.family or self.corpus}/{self.speaker}" if self.speaker else ""


def segment_key(key: str, start: float | None, end: float | None) -> str:
    """Return a key that tells a segment from the others of its file.

    >>> segment_key("a", None, None), segment_key("a", 0.5, None), segment_key("a", 0.0, 1.25)
    ('a', 'a[0.5-]', 'a[0-1.25]')
    """
    if start is None and end is None:
        return key
    return f"{key}[{start or 0:g}-{'' if end is None else f'{end:g}'}]"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a corpus that was not taken as it is, and why.

    Attributes:
        name: the file or table row, as a person would look for it.
        kind: ``unknown-emotion``, ``other-emotion``, ``unreadable-name``, ``missing-file``,
            ``duplicate``, ``conflicting-duplicate``, ``broken-audio``, ``silent``,
            ``unsafe-path`` ...
        reason: one sentence.
        corpus, file_name, emotion, speaker: of a table's row, as written; "" for anything else.
        path: the file that the row means, where it is there.
        start, end: seconds of the segment that the row is about; None = the whole clip.
    """

    name: str
    kind: str
    reason: str
    corpus: str = ""
    file_name: str = ""
    emotion: str = ""
    path: Path | None = None
    speaker: str = ""
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found: the clips that can be used and what was left out, with reasons.

    Attributes:
        corpus: its name.
        clips: labelled clips.
        problems: what was left out.
        unlabelled: clips without an emotion of ours (``emotion`` is ""); a problem of the kind
            ``other-emotion`` or ``no-emotion`` names each. The latter wait to be labelled; all are
            of use where no label is needed.
    """

    corpus: str
    clips: tuple[Clip, ...]
    problems: tuple[Problem, ...] = ()
    unlabelled: tuple[Clip, ...] = ()
