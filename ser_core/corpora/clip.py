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
            across copies of a corpus in other containers.
        emotion: canonical emotion.
        speaker: who speaks, unique within ``family``; "" where it is not known.
        sex: "f", "m" or "".
        sentence: identifier of the text that is spoken, or "".
        family: corpora that share people share a family (RAVDESS speech and song).
        votes: how many listeners chose each canonical emotion, where the corpus has votes.
    """

    path: Path
    corpus: str
    key: str
    emotion: str
    speaker: str = ""
    sex: str = ""
    sentence: str = ""
    family: str = ""
    votes: Mapping[str, int] | None = field(default=None, compare=False)

    @property
    def person(self) -> str:
        """Who speaks, unique across corpora (``ravdess/01``); "" where it is not known."""
        return f"{self.family or self.corpus}/{self.speaker}" if self.speaker else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a corpus that was not taken as it is, and why.

    Attributes:
        name: the file or table row, as a person would look for it.
        kind: ``unknown-emotion``, ``unreadable-name``, ``missing-file``, ``duplicate``,
            ``conflicting-duplicate``, ``broken-audio``, ``silent``, ``unsafe-path`` ...
        reason: one sentence.
    """

    name: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found: the clips that can be used and what was left out, with reasons."""

    corpus: str
    clips: tuple[Clip, ...]
    problems: tuple[Problem, ...] = ()
