"""Several corpora side by side in one folder, as the Kaggle collections lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused
from ser_core.corpora.clip import Clip


class Kaggle(Reader):
    """Folders Crema, Ravdess, Savee, Tess; each clip is read, and named, by its own corpus."""

    name = "kaggle"
    title = "mixed Kaggle layout"
    licence = "that of each corpus"
    url = "https://www.kaggle.com/datasets/dmitrybabko/speech-emotion-recognition-en"
    citation = "cite each corpus"
    description = "folders Crema, Ravdess, Savee, Tess side by side, or any mixture of known names"
    folder_names = ("kaggle", "speech-emotion-recognition-en")

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = tuple(readers)

    def parse(self, relative: PurePosixPath) -> ParsedName:
        clip = self.clip(Path(relative), relative)
        return ParsedName(clip.emotion, clip.speaker, clip.sex, clip.sentence)

    def clip(self, path: Path, relative: PurePosixPath) -> Clip:
        first: Refused | None = None
        for reader in self._candidates(relative):
            try:
                return reader.clip(path, relative)
            except Refused as refused:
                if first is None or first.kind == "other-corpus":
                    first = refused
        if first is not None:
            raise first
        raise Refused(
            "unreadable-name", "no folder above it names a corpus, and no reader knows it."
        )

    def _candidates(self, relative: PurePosixPath) -> list[Reader]:
        for folder in reversed(relative.parts[:-1]):
            named = [reader for reader in self.readers if folder.casefold() in reader.folder_names]
            if named:
                # Speech and song of one corpus often share a folder.
                family = named[0].family
                return named + [
                    reader
                    for reader in self.readers
                    if family and reader.family == family and reader not in named
                ]
        return [reader for reader in self.readers if _can_read(reader, relative)]

    def meta(self, folder: Path) -> Mapping[str, object]:
        return {reader.name: reader.meta(folder) for reader in self.readers}

    def refine(self, clip: Clip, meta: Mapping[str, object]) -> Clip:
        reader = next(reader for reader in self.readers if reader.name == clip.corpus)
        own = meta[reader.name]
        return reader.refine(clip, own) if isinstance(own, Mapping) else clip


def _can_read(reader: Reader, relative: PurePosixPath) -> bool:
    try:
        reader.clip(Path(relative), relative)
    except Refused:
        return False
    return True
