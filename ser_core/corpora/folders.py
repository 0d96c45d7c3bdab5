"""A folder an emotion: ``Happy/a.wav``, also under speakers (``0011/Happy``) and ``train/``."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from ser_core import emotions
from ser_core.corpora.base import ParsedName, Reader, Refused, require_folder
from ser_core.corpora.clip import Reading
from ser_core.corpora.tables.words import is_emotion, read_mapping, read_word
from ser_core.errors import UnknownEmotionError

_PARTS = frozenset(
    [
        *("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"),
        *("evaluation", "audio", "wav", "wavs", "data", "dataset", "speech", "clips", "audios"),
    ]
)
"""Folders that divide or hold a corpus, and name nobody."""


class Folders(Reader):
    """Emotions as the names of folders; the folder above is taken for the speaker."""

    name = "folders"
    title = "a folder an emotion"
    licence = "your own"
    url = ""
    citation = ""
    description = "folders named by emotion (Happy/, Sad/), also under speakers and train/, test/"

    def parse(self, relative: PurePosixPath) -> ParsedName:
        return _found(relative, {})

    def read(self, folder: Path) -> Reading:
        """Read every audio file in a folder named by an emotion, or by a word of the map beside.

        Raises:
            CorpusError: it is not a folder, holds no audio, or its map of words can't be read.
        """
        require_folder(folder)
        read = super().read(folder)
        words = read_mapping(folder)
        if not words:
            return _named(read, folder)
        mapped = _Mapped(words)
        return _named(mapped.read_mapped(folder), folder)


class _Mapped(Folders):
    def __init__(self, words: dict[str, str]) -> None:
        self.words = words

    def parse(self, relative: PurePosixPath) -> ParsedName:
        return _found(relative, self.words)

    def read_mapped(self, folder: Path) -> Reading:
        return Reader.read(self, folder)


def _found(relative: PurePosixPath, words: dict[str, str]) -> ParsedName:
    parents = list(relative.parts[:-1])
    for place in reversed(range(len(parents))):
        word = parents[place]
        if not (is_emotion(word) or emotions.fold(word) in words or emotions.is_none(word)):
            continue
        try:
            meaning = read_word(word, words)
        except UnknownEmotionError:
            continue
        if not meaning.emotion:
            raise Refused("no-emotion", f"its folder “{word}” names no emotion.")
        others = [part for part in parents[:place] + parents[place + 1 :] if not _part(part)]
        return ParsedName(meaning.emotion, others[-1] if others else "", meaning.sex)
    raise Refused("unknown-emotion", "none of its folders is named by an emotion.")


def _part(folder: str) -> bool:
    return re.sub(r"[\W\d_]+", "", folder.casefold()) in _PARTS


def _named(reading: Reading, folder: Path) -> Reading:
    """Return the reading under its folder's name: corpora of this kind share no speakers."""
    from dataclasses import replace

    clips = tuple(replace(clip, corpus=folder.name, family=folder.name) for clip in reading.clips)
    return Reading(folder.name, clips, reading.problems)
