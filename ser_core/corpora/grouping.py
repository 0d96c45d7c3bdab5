"""Which clips belong together in a split: by person, by content, by name."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.base import Refused, content_hash, source_stem
from ser_core.corpora.clip import Clip
from ser_core.corpora.committed_sides import TABLES
from ser_core.corpora.registry import READERS
from ser_core.errors import CorpusError

# Names that many unrelated recordings share; only with their folder do they mean one recording.
_GENERIC = frozenset(
    [
        *("audio", "clip", "file", "microphone", "output", "record", "recording", "sample"),
        *("sound", "speech", "track", "untitled", "voice", "wav", "neu", "aufnahme"),
    ]
)
# A shorter name shared with a clip of a known speaker (SAVEE's a01) is taken for chance.
_TELLING = 5


@dataclass(frozen=True, slots=True)
class Group:
    """Clips that must stay on one side.

    Attributes:
        name: stable across runs and machines: the person, or ``corpus~name`` where nobody is known.
        family: corpora that share people.
        corpus: corpus of the first member.
        known: whether the group is a person.
        members: indices into the clips that were grouped.
    """

    name: str
    family: str
    corpus: str
    known: bool
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """All groups of some clips, and the ties that could not be settled by merging.

    Attributes:
        groups: disjoint; every clip is in one of them or in ``ambiguous``.
        ambiguous: index of a clip without speaker -> names of the several groups it may copy.
        same_content: indices of clips with the same bytes, where there are two or more.
    """

    groups: tuple[Group, ...]
    ambiguous: Mapping[int, frozenset[str]]
    same_content: tuple[tuple[int, ...], ...]


def clip_stem(clip: Clip) -> str:
    """Return the clip's name without folder, ending and marks of copies, in lower case."""
    name = PurePosixPath(clip.key).name
    if clip.start is not None or clip.end is not None:
        name = name.rpartition("[")[0]
    path = PurePosixPath(name)
    stem = path.stem if path.suffix.casefold() in AUDIO_ENDINGS else name
    return source_stem(stem).casefold()


@cache
def _person_in_name(stem: str) -> str:
    for reader in READERS.values():
        try:
            speaker = reader.parse(PurePosixPath(stem + ".wav")).speaker
        except Refused:
            continue
        if speaker in TABLES.get(reader.family or reader.name, {}):
            return f"{reader.family or reader.name}/{speaker}"
    return ""


def person_of(clip: Clip) -> str:
    """Return who speaks, from the clip or else from a known corpus's grammar; "" where unknown.

    A clip that somebody uploaded as ``03-01-05-01-02-01-12_noise.wav`` is RAVDESS's actor 12.
    """
    return clip.person or _person_in_name(clip_stem(clip))


def equal_contents(
    clips: Sequence[Clip], fingerprints: Mapping[Path, str] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Return the indices of clips that hold the same bytes, in tuples of two or more.

    Args:
        clips: the clips; only files of equal size are read.
        fingerprints: what stands for a file's content, by path, where that is known already:
            its SHA-256, or a hash of its decoded sound, which other containers share.

    Raises:
        CorpusError: a clip's file is gone.
    """
    paths: dict[Path, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        paths[clip.path].append(index)
    known = fingerprints or {}
    sizes: dict[int, list[Path]] = defaultdict(list)
    try:
        for path in paths:
            if path not in known:
                sizes[path.stat().st_size].append(path)
        hashes: dict[str, list[int]] = defaultdict(list)
        for same_size in sizes.values():
            for path in same_size:
                digest = str(path) if len(same_size) == 1 else content_hash(path)
                hashes[digest].extend(paths[path])
        for path, digest in known.items():
            hashes[digest].extend(paths.get(path, ()))
    except OSError as error:
        raise CorpusError(
            f"{error.filename}: the clip's file can't be read ({error.strerror}). Read the corpus "
            "again."
        ) from error
    return tuple(tuple(sorted(same)) for same in hashes.values() if len(same) > 1)


class _Union:
    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, index: int) -> int:
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self.parent[high] = low


def group(
    clips: Sequence[Clip],
    fingerprints: Mapping[Path, str] | None = None,
    *,
    by_content: bool = True,
) -> Grouping:
    """Group clips that may not be parted.

    A person's clips belong together. A clip of unknown speaker belongs to those with its bytes and
    to those with its name (without the marks of copies); where one of them is a person's, to that
    person.

    Args:
        clips: from any number of corpora.
        fingerprints: as in :func:`equal_contents`.
        by_content: whether files are read and compared; without, names alone decide.

    Raises:
        CorpusError: a clip's file is gone.
    """
    clips = list(clips)
    same_content = equal_contents(clips, fingerprints) if by_content else ()
    persons = [person_of(clip) for clip in clips]
    stems = [clip_stem(clip) for clip in clips]
    union = _Union(len(clips))
    ties: dict[int, set[str]] = defaultdict(set)

    by_stem: dict[str, set[str]] = defaultdict(set)
    for person, stem in zip(persons, stems, strict=True):
        if person and len(stem) >= _TELLING and stem not in _GENERIC:
            by_stem[stem].add(person)
    first_named: dict[tuple[str, str], int] = {}
    for index, clip in enumerate(clips):
        if persons[index]:
            continue
        near = (clip.family or clip.corpus, _near_name(clip, stems[index]))
        union.join(index, first_named.setdefault(near, index))
        ties[index] |= by_stem.get(stems[index], set())
    for same in same_content:
        strangers = [index for index in same if not persons[index]]
        for index in strangers:
            union.join(strangers[0], index)
            ties[index] |= {persons[other] for other in same if persons[other]}

    return _assemble(clips, persons, stems, union, ties, same_content)


def _near_name(clip: Clip, stem: str) -> str:
    if stem in _GENERIC:
        return f"{PurePosixPath(clip.key).parent.as_posix().casefold()}/{stem}"
    return stem


def _assemble(
    clips: Sequence[Clip],
    persons: Sequence[str],
    stems: Sequence[str],
    union: _Union,
    ties: Mapping[int, set[str]],
    same_content: tuple[tuple[int, ...], ...],
) -> Grouping:
    components: dict[int, list[int]] = defaultdict(list)
    members: dict[str, list[int]] = defaultdict(list)
    for index, person in enumerate(persons):
        if person:
            members[person].append(index)
        else:
            components[union.find(index)].append(index)
    ambiguous: dict[int, frozenset[str]] = {}
    strangers: dict[str, list[int]] = {}
    for component in components.values():
        owners = frozenset().union(*(ties.get(index, set()) for index in component))
        if len(owners) == 1:
            members[next(iter(owners))].extend(component)
        elif owners:
            ambiguous |= dict.fromkeys(component, owners)
        else:
            name = min(
                f"{clips[index].corpus}~{_near_name(clips[index], stems[index])}"
                for index in component
            )
            strangers[name] = component
    groups = [
        Group(name, name.rpartition("/")[0], clips[found[0]].corpus, True, tuple(sorted(found)))
        for name, found in members.items()
    ]
    for name, found in strangers.items():
        first = clips[found[0]]
        groups.append(Group(name, first.family or first.corpus, first.corpus, False, tuple(found)))
    groups.sort(key=lambda one: one.name)
    return Grouping(tuple(groups), ambiguous, same_content)


def rank(name: str, salt: str = "") -> float:
    """Return a number in [0, 1) that is the same for a name on every machine.

    >>> rank("ravdess/01") == rank("ravdess/01") != rank("ravdess/01", "7")
    True
    """
    digest = hashlib.sha256(f"{salt}|{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
