"""Find a corpus's audio file by the name that a label or a table gives it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora import ARCHIVE_ENDINGS, open_corpus
from ser_core.corpora.base import audio_files
from ser_core.corpora.clip import Reading
from ser_core.corpora.tables.names import FileIndex, FileMatch, NoMatch
from ser_core.errors import CorpusError


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a corpus.

    Attributes:
        corpus, name: the corpus, and the path inside it, POSIX.
        path: the file.
        remark: a sentence where it is called otherwise than was asked for, else "".
    """

    corpus: str
    name: str
    path: Path
    remark: str = ""


class FileLookup:
    """The audio files of all corpora.

    Args:
        files: of every corpus.
    """

    def __init__(self, files: Iterable[FoundFile]) -> None:
        self._files = {f"{one.corpus}/{one.name}": one for one in files}
        corpora: dict[str, list[str]] = defaultdict(list)
        for full, one in self._files.items():
            corpora[one.corpus].append(full)
        self._corpora = {name: FileIndex(found) for name, found in corpora.items()}
        self._all = FileIndex(self._files)

    @classmethod
    def of_folder(cls, root: Path, cache: Path | None = None) -> FileLookup:
        """Return the files of a folder of corpora: of its folders, its archives, and its own.

        Args:
            root: the folder of corpora.
            cache: folder into which archives are unpacked; None leaves them out.
        """
        found = []
        for path in sorted(root.iterdir()) if root.is_dir() else []:
            if path.is_dir():
                folder, label = path, path.name
            elif cache is not None and path.suffix.casefold() in ARCHIVE_ENDINGS:
                try:
                    folder, label = open_corpus(path, cache), path.stem
                except CorpusError:  # whoever reads the corpora is told what is wrong with it
                    continue
            elif path.suffix.casefold() in AUDIO_ENDINGS:
                found.append(FoundFile(root.name, path.name, path))
                continue
            else:
                continue
            found += [
                FoundFile(label, one.relative_to(folder).as_posix(), one)
                for one in audio_files(folder)
            ]
        return cls(found)

    @classmethod
    def of_readings(cls, readings: Iterable[Reading]) -> FileLookup:
        """Return the files that readers found, also those that they could not take."""
        found = {}
        for reading in readings:
            for clip in reading.clips:
                key = clip.key
                if clip.start is not None or clip.end is not None:
                    key = key.rpartition("[")[0]
                found[clip.path] = FoundFile(clip.corpus, key + clip.path.suffix, clip.path)
            for problem in reading.problems:
                if problem.path is not None and problem.path not in found:
                    name = problem.file_name or problem.name
                    corpus = problem.corpus or reading.corpus
                    found[problem.path] = FoundFile(corpus, name, problem.path)
        return cls(found.values())

    def find(self, corpus: str, written: str) -> FoundFile | NoMatch:
        """Return the file that a name means: in its corpus first, then anywhere.

        Args:
            corpus: the corpus's name; "" or an unknown one looks everywhere.
            written: the name, as `ser_core.corpora.tables.names.FileIndex` takes it.
        """
        match: FileMatch | NoMatch = NoMatch("missing-file", "no such file is there.")
        if corpus in self._corpora:
            match = self._corpora[corpus].find(written)
        if isinstance(match, NoMatch) and match.kind == "missing-file":
            match = self._all.find(written)
        if isinstance(match, NoMatch):
            return match
        one = self._files[match.name]
        return FoundFile(one.corpus, one.name, one.path, match.remark)
