"""What all corpus readers share: walking a folder, name grammars, and honest problems."""

from __future__ import annotations

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser_core import emotions
from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.one_look import remembered
from ser_core.errors import CorpusError, UnknownEmotionError

# In which container a recording is taken when it lies there in several; lossless first.
_PREFERENCE = (".wav", ".wave", ".flac", ".aiff", ".aif", ".opus", ".ogg", ".m4a", ".mp3")

_CHANGES = (
    "aug(?:mented|mentation)?|nois(?:e|y|ed)|(?:gaussian|white)[_-]?noise|gaussian|stretch(?:ed)?"
    "|(?:time|pitch)[_-]?(?:stretch(?:ed)?|shift(?:ed)?)|pitch(?:ed)?|shift(?:ed)?|speed|slow|fast"
    "|rate|reverb|(?:low|high)[_-]?pass|gain|loud|quiet|volume|mask(?:ed)?|mixup|copy|kopie"
    "|dup(?:licate)?|corrected|fixed|clean(?:ed)?|denoised|norm(?:ali[sz]ed)?|trim(?:med)?"
    "|resampled|mono|stereo|16k(?:hz)?|edit(?:ed)?"
)
_COPY_SUFFIX = re.compile(
    r"(?i)(?:\s*\(\d+\)"
    r"|\s*-\s*(?:copy|kopie)(?:\s*\(\d+\))?"
    rf"|[\s_.-]+(?:{_CHANGES})(?:[_-]?[x+-]?\d+(?:[._]\d+)?(?:db|hz|x|st|pct)?)?)$"
)


class Refused(Exception):  # noqa: N818 - never leaves the readers; it becomes a Problem
    """A file that a reader can't take, with the kind and the reason of its Problem."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class OtherEmotion(Refused):
    """A readable name whose emotion the corpus has and this program hasn't."""

    def __init__(self, word: str, speaker: str, sex: str, sentence: str) -> None:
        super().__init__(
            "other-emotion",
            f"“{word}” is not one of the emotions known here; of use only as unlabelled speech.",
        )
        self.found = ParsedName("", speaker, sex, sentence)


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What a file's name says.

    Attributes:
        emotion: canonical emotion.
        speaker: as in :class:`Clip`.
        sex: "f", "m" or "".
        sentence: identifier of the text, or "".
    """

    emotion: str
    speaker: str = ""
    sex: str = ""
    sentence: str = ""


def source_stem(stem: str) -> str:
    """Return a name without the marks of a copy, a correction or an augmentation.

    >>> source_stem("03a01Fa_noise"), source_stem("clip (1)"), source_stem("x_aug1_stretch0.9")
    ('03a01Fa', 'clip', 'x')
    """
    while (shorter := _COPY_SUFFIX.sub("", stem)) != stem and shorter.strip():
        stem = shorter
    return stem


def emotion_of_code(codes: Mapping[str, str], code: str) -> str:
    """Return the emotion of a corpus's own code, or refuse with the nearest that is known."""
    known = codes.get(code.casefold())
    if known is not None:
        return known
    near = emotions.nearest(code)
    hint = f" Did you mean “{near}”?" if near else ""
    expected = ", ".join(f"{key} ({value})" for key, value in codes.items())
    raise Refused(
        "unknown-emotion", f"“{code}” is not an emotion of this corpus.{hint} Expected: {expected}."
    )


def emotion_of_word(word: str) -> str:
    """Return the canonical emotion of a word in a name, or refuse with the nearest known."""
    try:
        return emotions.canonical(word)
    except UnknownEmotionError as error:
        raise Refused("unknown-emotion", str(error)) from None


def audio_files(folder: Path) -> Sequence[Path]:
    """Return every audio file under ``folder``, sorted; links to folders are not followed."""
    return remembered(("audio", folder), lambda: tuple(_audio_files(folder)))


def _audio_files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        place = Path(here)
        for name in sorted(names):
            if os.path.splitext(name)[1].casefold() in AUDIO_ENDINGS:  # noqa: PTH122 (many files)
                yield place / name


def name_inside(folder: Path, path: Path) -> str:
    """Return the path of a file inside a folder, POSIX; without the pains of ``relative_to``.

    >>> name_inside(Path("/corpora/mine"), Path("/corpora/mine/a/b.wav"))
    'a/b.wav'

    Args:
        folder: the folder.
        path: a file in it or deeper, as `audio_files` gives it: there may be very many.
    """
    return path.as_posix().removeprefix(f"{folder.as_posix().rstrip('/')}/")


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relative_key(relative: PurePosixPath) -> str:
    """Return a clip's key: its path inside the corpus without the ending."""
    return relative.with_suffix("").as_posix()


def require_folder(folder: Path) -> Path:
    """Return the folder, or say what is there instead."""
    if folder.is_dir():
        return folder
    found = "a file" if folder.exists() else "nothing"
    raise CorpusError(f"{folder}: expected a folder of a corpus, found {found}. Check the path.")


class Reader(ABC):
    """A corpus with a file-name grammar.

    Subclasses state the class attributes and :meth:`parse`; walking, problems and duplicates are
    the same for all.
    """

    name: str
    title: str
    language: str = ""
    """What is spoken; "" where the reader can't know."""
    licence: str
    url: str
    citation: str
    description: str
    family: str = ""
    folder_names: tuple[str, ...] = ()

    @abstractmethod
    def parse(self, relative: PurePosixPath) -> ParsedName:
        """Read what the name says.

        Args:
            relative: path inside the corpus; its stem has lost the marks of copies.

        Raises:
            Refused: the name does not follow the grammar.
        """

    def meta(self, folder: Path) -> Mapping[str, object]:
        """Read tables beside the audio that :meth:`refine` needs; none by default."""
        return {}

    def refine(self, clip: Clip, meta: Mapping[str, object]) -> Clip:
        """Add to a clip what the tables beside the audio say; nothing by default."""
        return clip

    def clip(self, path: Path, relative: PurePosixPath) -> Clip:
        """Return the clip that a file is, by its name.

        Raises:
            Refused: the name can't be read.
        """
        if relative.name.startswith("."):
            raise Refused(
                "hidden-file",
                "hidden, as the leavings of some archivers are; not taken for a recording.",
            )
        try:
            found = self.parse(relative)
        except OtherEmotion:
            raise
        except Refused:
            source = source_stem(relative.stem)
            if source == relative.stem:
                raise
            found = self.parse(relative.with_name(source + relative.suffix))
        return self._as_clip(path, relative, found)

    def _as_clip(self, path: Path, relative: PurePosixPath, found: ParsedName) -> Clip:
        return Clip(
            path=path,
            corpus=self.name,
            key=relative_key(relative),
            emotion=found.emotion,
            speaker=found.speaker,
            sex=found.sex,
            sentence=found.sentence,
            family=self.family or self.name,
        )

    def read(self, folder: Path) -> Reading:
        """Read every audio file under a folder.

        Args:
            folder: the corpus; deeper folders are read too.

        Raises:
            CorpusError: it is not a folder, or holds no audio at all.
        """
        require_folder(folder)
        clips: list[Clip] = []
        problems: list[Problem] = []
        unlabelled: list[Clip] = []
        for path in audio_files(folder):
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            try:
                clips.append(self.clip(path, relative))
            except Refused as refused:
                if isinstance(refused, OtherEmotion):
                    unlabelled.append(self._as_clip(path, relative, refused.found))
                problem = Problem(
                    relative.as_posix(), refused.kind, refused.reason, self.name, path=path
                )
                problems.append(problem)
        if not clips and not problems:
            raise CorpusError(
                f"{folder}: no audio files in it. Expected {self.title} ({self.description})"
            )
        kept, copies = drop_copies(clips)
        meta = self.meta(folder)
        refined = tuple(self.refine(clip, meta) for clip in kept)
        return Reading(self.name, refined, (*problems, *copies), tuple(unlabelled))

    def detect(self, folder: Path) -> float:
        """Return which share of a folder's audio names (300 of them, evenly) it can read.

        Args:
            folder: any folder.

        Returns:
            0 (none) to 1 (all).
        """
        sample = remembered(("sample", folder), lambda: _sample(folder))
        return sum(self._reads(path, folder) for path in sample) / max(1, len(sample))

    def _reads(self, path: Path, folder: Path) -> bool:
        try:
            self.clip(path, PurePosixPath(path.relative_to(folder).as_posix()))
        except OtherEmotion:
            return True
        except Refused:
            return False
        return True


def _sample(folder: Path) -> list[Path]:
    paths = [path for path in audio_files(folder) if not path.name.startswith(".")]
    return paths[:: max(1, len(paths) // 300)]


def _identity(clip: Clip) -> tuple[str, str, str, str]:
    stem = PurePosixPath(clip.key).name.casefold()
    return clip.family, clip.speaker, clip.emotion, stem


def _preference(clip: Clip) -> tuple[int, int, str]:
    ending = clip.path.suffix.casefold()
    rank = _PREFERENCE.index(ending) if ending in _PREFERENCE else len(_PREFERENCE)
    return rank, clip.key.count("/"), clip.key


def drop_copies(clips: list[Clip]) -> tuple[list[Clip], list[Problem]]:
    """Keep one of the recordings that lie in a corpus more than once under one name.

    The same bytes in nested folders, or one recording in two containers, count as copies. Files
    of one name and container that differ in their bytes are both kept.
    """
    groups: dict[tuple[str, str, str, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault(_identity(clip), []).append(clip)
    dropped: dict[Path, Problem] = {}
    for group in groups.values():
        if len(group) == 1:
            continue
        hashes: dict[str, Clip] = {}
        first, *rest = sorted(group, key=_preference)
        hashes[content_hash(first.path)] = first
        for clip in rest:
            digest = content_hash(clip.path)
            name = clip.key + clip.path.suffix
            if digest in hashes:
                same = hashes[digest]
                reason = f"the same bytes as {same.key}{same.path.suffix}; only that one is used."
            elif clip.path.suffix.casefold() != first.path.suffix.casefold():
                reason = (
                    f"the same recording as {first.key}{first.path.suffix} in another container; "
                    "only that one is used."
                )
            else:
                hashes[digest] = clip
                continue
            dropped[clip.path] = Problem(name, "duplicate", reason)
    return [clip for clip in clips if clip.path not in dropped], list(dropped.values())
