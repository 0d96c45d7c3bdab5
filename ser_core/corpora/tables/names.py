"""Find the file that a table means, though the table was written elsewhere."""

from __future__ import annotations

import difflib
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.tables.addresses import file_of

_MOST_HINTED = 5000
"""Files up to which a misspelt name is compared with each of them."""


@dataclass(frozen=True, slots=True)
class FileMatch:
    """The file that a name means.

    Attributes:
        name: one of the index's names, as it was given.
        shared: parts, from the end, in which both agree; 0 where only the spelling is alike.
        whole: whether the shorter of both was matched to its end.
        remark: a sentence where the file has another ending or spelling, else "".
        ending: whether that remark is about the ending.
    """

    name: str
    shared: int
    whole: bool
    remark: str = ""
    ending: bool = False


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why a name means no file.

    Attributes:
        kind: ``missing-file`` or ``ambiguous-name``.
        reason: one sentence.
        options: the files that might be meant.
    """

    kind: str
    reason: str
    options: tuple[str, ...] = ()


def fold_name(name: str) -> str:
    """Return a name as it is compared: case and Unicode form aside.

    >>> fold_name("Fear/Ä.WAV") == fold_name("fear/A\\u0308.wav")
    True
    """
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold()


class FileIndex:
    """Audio files, to be found by the longest tail that a table's name shares with theirs.

    Args:
        names: paths of the files, POSIX, relative to a common folder.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._exact = set(self._names)
        self._parts: dict[str, tuple[str, ...]] = {}
        self._stems: dict[str, list[str]] = defaultdict(list)
        self._cleaned: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            parts = tuple(fold_name(name).split("/"))
            self._parts[name] = parts
            stem = _stem(parts[-1])
            self._stems[stem].append(name)
            self._cleaned[_cleaned(stem)].append(name)

    def __len__(self) -> int:
        return len(self._names)

    def find(self, written: str) -> FileMatch | NoMatch:
        """Return the file that a name means, or why none or several.

        Relative or absolute, with either slash, a drive, another letter case, Unicode form or
        ending: the file that shares the longest tail is meant, where it is the only one.
        """
        name = file_of(written)
        if name in self._exact:
            return FileMatch(name, name.count("/") + 1, True)
        expected = tuple(fold_name(name).split("/"))
        if not expected[-1]:
            return NoMatch("missing-file", "the row names no file.")
        stem = _stem(expected[-1])
        near = self._stems.get(stem) or self._stems.get(expected[-1], [])
        if near:
            return self._best(expected, near)
        # Label Studio drops what a web address can't hold from an upload's name.
        cleaned = self._cleaned.get(_cleaned(stem), [])
        if len(cleaned) == 1:
            return FileMatch(cleaned[0], 0, False, f"the file is called {cleaned[0]}.")
        if cleaned:
            return _several(cleaned)
        close = []
        if len(self._stems) <= _MOST_HINTED:
            close = difflib.get_close_matches(stem, self._stems, n=1, cutoff=0.8)
        hint = f" Did you mean {self._stems[close[0]][0]}?" if close else ""
        return NoMatch("missing-file", f"no such file is there.{hint}")

    def _best(self, expected: tuple[str, ...], near: list[str]) -> FileMatch | NoMatch:
        ranked = sorted(((self._rank(expected, name), name) for name in near), reverse=True)
        top = ranked[0][0]
        best = [name for rank, name in ranked if rank == top]
        if len(best) > 1:
            return _several(best)
        (folders, same_ending), name = top, best[0]
        parts = self._parts[name]
        whole = folders + 1 >= min(len(parts), len(expected))
        had = PurePosixPath(expected[-1]).suffix in AUDIO_ENDINGS
        other = had and not same_ending
        remark = f"the file is {PurePosixPath(name).name}; that one is used." if other else ""
        return FileMatch(name, folders + 1, whole, remark, other)

    def _rank(self, expected: tuple[str, ...], name: str) -> tuple[int, bool]:
        """Return how many folders agree, from the end, and whether the ending does too."""
        parts = self._parts[name]
        folders = 0
        for one, other in zip(reversed(expected[:-1]), reversed(parts[:-1]), strict=False):
            if one != other:
                break
            folders += 1
        return folders, parts[-1] == expected[-1]


def _several(names: list[str]) -> NoMatch:
    options = tuple(sorted(names))
    shown = ", ".join(options[:3]) + (" …" if len(options) > 3 else "")
    reason = f"{len(options)} files fit: {shown}. Name the folder too."
    return NoMatch("ambiguous-name", reason, options)


def _stem(name: str) -> str:
    stem, ending = posixpath.splitext(name)
    return stem if ending in AUDIO_ENDINGS else name


def _cleaned(stem: str) -> str:
    return re.sub(r"[^-\w.]", "", stem.strip().replace(" ", "_"))
