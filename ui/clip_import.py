"""Clips brought in on the page: files, folders and zip archives become a corpus of the home."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from label_store.clips import write_whole
from ser_core.errors import CorpusError, SerError
from ser_core.home import Home
from ui.errors import PageError
from ui.identity import Annotator
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.audio import Audio
    from ser_core.corpora.tables.row import TableRow
    from ser_core.inference.pipeline import Progress

TABLE = "table.csv"
HEADINGS = ("Filename", "Emotion", "Speaker", "Start", "End")
MOST_FILES = 20_000
RECORDER = re.compile(r"(audio|recording|blob)(-\d+)?\.(wav|webm|mp3|ogg)", re.IGNORECASE)
"""What browsers call a recording; it says nothing, so it gets a name with its date."""


@dataclass(frozen=True)
class ImportOptions:
    """How clips are brought in.

    Attributes:
        corpus: name of the corpus that they become, or join.
        pattern: where the speaker stands in a file's name, such as ``{speaker}_*``; "" = nowhere.
        longest: seconds; longer recordings are cut at pauses into segments of at most this
            length. None keeps every recording whole.
    """

    corpus: str
    pattern: str = ""
    longest: float | None = None


@dataclass
class ImportResult:
    """What came of it.

    Attributes:
        corpus: the corpus's name.
        added: clips that are new.
        cut: recordings that were cut into segments.
        duplicates: names of files whose content was there already.
        refused: name of a file, and why it can't be used.
        labelled: clips of which a table or the name of a folder says the emotion.
        without_file: rows of a table that mean no file here; they stay, to be corrected.
    """

    corpus: str
    added: int = 0
    cut: int = 0
    duplicates: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    labelled: int = 0
    without_file: int = 0


def import_clips(
    services: Services,
    who: Annotator,
    paths: Sequence[Path],
    options: ImportOptions,
    *,
    now: Callable[[], datetime] = datetime.now,
    progress: Progress | None = None,
) -> ImportResult:
    """Copy clips into a corpus of the home, where they wait to be labelled.

    Args:
        services: home and limits.
        who: from ``Identity.annotator``, asked for this very request.
        paths: audio files, zip archives, folders of both, and tables that name the files.
        options: how.
        now: the time, for the names of recordings.
        progress: called with the files done and the files in all.

    Raises:
        PageError: the person may not, an option makes no sense, there is nothing to import, or
            the disk is full; the text says what to do.
    """
    if not who.may_write:
        raise PageError(who.reason or "Only annotators who may write can add clips.")
    from ser_core.corpora.tables.words import keep_mapping

    speaker_of = speaker_pattern(options.pattern)
    folder = Home(services.home).corpora / corpus_name(options.corpus)
    result = ImportResult(folder.name)
    with tempfile.TemporaryDirectory(prefix="import-") as working:
        try:
            brought = _gathered(paths, Path(working), result)
        except CorpusError as error:
            raise PageError(str(error)) from error
        files = brought.clips
        if not files and not result.refused:
            more = ""
            if brought.rows:
                more = " A table alone is taken under “Import and export” on the Corpus tab."
            raise PageError(
                f"There are no audio files in it. Choose audio files, or a zip of them.{more}"
            )
        if len(files) > MOST_FILES:
            raise PageError(f"{len(files):,} files at once; at most {MOST_FILES:,} are possible.")
        target = _Corpus(services, folder)
        try:
            for done, one in enumerate(files, 1):
                _import_one(services, target, one, now(), speaker_of, options, result)
                if progress is not None:
                    progress(done, len(files))
            if result.added or result.labelled:
                result.without_file = sum(target.add_row(row) for row in brought.rows)
                if brought.words:
                    keep_mapping(folder, brought.words, write_whole)
        except OSError as error:
            raise PageError(
                f"The disk did not take all clips ({error.strerror or error}). "
                f"{result.added} were added; make room, then add the rest."
            ) from error
        finally:
            target.save()
    return result


def corpus_name(text: str) -> str:
    """Return a corpus's name as the name of its folder.

    Raises:
        PageError: nothing of it can be a folder's name, or it is that of a known corpus.

    >>> corpus_name(" Interviews 2026/May ")
    'Interviews 2026-May'
    """
    from ser_core.corpora import READERS

    name = re.sub(r"[^\w .()-]+", "-", text.strip()).strip(" .-")[:80]
    if not name:
        raise PageError("Give the corpus a name, for instance “interviews”.")
    known = {word.casefold() for one in READERS.values() for word in (one.name, *one.folder_names)}
    if name.casefold() in known:
        raise PageError(f"“{name}” is the name of a published corpus. Choose another name.")
    return name


def speaker_pattern(pattern: str) -> Callable[[str], str]:
    """Return what finds the speaker in a file's name.

    In the pattern ``{speaker}`` stands for the speaker and ``*`` for anything; the file's ending
    is left out.

    Raises:
        PageError: there is no ``{speaker}`` in it, or more than one.

    >>> speaker_pattern("{speaker}_*")("anna_03.wav"), speaker_pattern("*-{speaker}")("a-ben.wav")
    ('anna', 'ben')
    >>> speaker_pattern("")("anna_03.wav")
    ''
    """
    if not pattern.strip():
        return lambda name: ""
    if pattern.count("{speaker}") != 1:
        raise PageError("Write {speaker} once in the pattern, for instance {speaker}_*.")
    before, after = (_as_regex(part) for part in pattern.strip().split("{speaker}"))
    whole = re.compile(f"{before}(?P<speaker>.+?){after}", re.DOTALL)

    def find(name: str) -> str:
        found = whole.fullmatch(PurePosixPath(name).stem)
        return found["speaker"].strip() if found else ""

    return find


def examples(names: Sequence[str], pattern: str, most: int = 5) -> list[tuple[str, str]]:
    """Return some file names with the speaker that a pattern finds in each.

    Raises:
        PageError: the pattern makes no sense.
    """
    find = speaker_pattern(pattern)
    return [(name, find(name)) for name in names[:most]]


def _as_regex(part: str) -> str:
    return ".*?".join(re.escape(piece) for piece in part.split("*"))


def _plain(name: str, now: datetime) -> str:
    """Return a name that says something: a recording's gets its date."""
    if RECORDER.fullmatch(name):
        return f"recording {now:%Y-%m-%d %H-%M-%S}{PurePosixPath(name).suffix.lower()}"
    return re.sub(r"[\x00-\x1f\x7f/\\:]+", "_", name)[-150:].lstrip(". ") or "clip.wav"


@dataclass(frozen=True)
class _BroughtClip:
    """An audio file, the name it is brought under, and what a table or its folder says of it."""

    path: Path
    name: str
    rows: tuple[TableRow, ...] = ()

    @property
    def labelled(self) -> bool:
        return any(row.emotion or row.start is not None for row in self.rows)


@dataclass
class _Brought:
    """Everything that was brought: clips, rows that mean none of them, and a map of words."""

    clips: list[_BroughtClip] = field(default_factory=list)
    rows: list[TableRow] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)


def _gathered(paths: Sequence[Path], working: Path, result: ImportResult) -> _Brought:
    """Return what files, folders and archives hold; what is of no use here is refused."""
    found = _Brought()
    together = working / "files"
    roots = [path for path in paths if path.is_dir()]
    archives = [path for path in paths if _is_archive(path)]
    for path in paths:
        if path in roots or path in archives:
            continue
        place = together / path.name
        while place.exists():
            place = place.parent / "again" / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())
    if together.is_dir():
        roots.append(together)
    while roots or archives:
        if archives:
            roots += _unpacked(archives.pop(0), working / "archives", result)
            continue
        archives += _read_folder(roots.pop(0), found, result)
    return found


def _is_archive(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".zip"


def _unpacked(archive: Path, working: Path, result: ImportResult) -> list[Path]:
    from ser_core.corpora.unpack import unpack

    try:
        return [unpack(archive, working)]
    except CorpusError as error:
        text = str(error).replace(f"{archive}: ", "")
        result.refused.append((archive.name, text[:1].upper() + text[1:]))
        return []


def _read_folder(root: Path, found: _Brought, result: ImportResult) -> list[Path]:
    """Take a folder's clips with what is said of them; return the archives in it."""
    from ser_core.audio import AUDIO_ENDINGS
    from ser_core.corpora.table import find_tables, rows_with_files
    from ser_core.corpora.tables.words import MAP_FILE, read_mapping

    rows_by_path: dict[Path, list[TableRow]] = {}
    rows = rows_with_files(root)
    for row, path in rows or _of_folders(root):
        if path is None:
            found.rows.append(row)
        else:
            rows_by_path.setdefault(path, []).append(row)
    used = {path for path, _ in find_tables(root)}
    archives = []
    for path in sorted(one for one in root.rglob("*") if one.is_file()):
        if _hidden(path, root) or path in used:
            continue
        if _is_archive(path):
            archives.append(path)
        elif path.suffix.lower() in AUDIO_ENDINGS:
            found.clips.append(_BroughtClip(path, path.name, tuple(rows_by_path.get(path, ()))))
        elif path == root / MAP_FILE:
            found.words |= read_mapping(root)
        else:
            result.refused.append((path.name, _of_no_use(path)))
    return archives


def _of_folders(root: Path) -> list[tuple[TableRow, Path | None]]:
    """Return what folders say that are named by emotions: ``Happy/a.wav``."""
    from ser_core.corpora import READERS
    from ser_core.corpora.tables.row import TableRow

    reader = READERS["folders"]
    if reader.detect(root) < 0.5:
        return []
    return [
        (TableRow(0, clip.path.name, clip.emotion, speaker=clip.speaker), clip.path)
        for clip in reader.read(root).clips
    ]


def _of_no_use(path: Path) -> str:
    from ser_core.corpora.tables import ENDINGS, read_table

    plain = "This is not an audio file, a zip archive or a table of file names and emotions."
    if path.suffix.lower() not in ENDINGS:
        return plain
    try:
        read_table(path)
    except SerError as error:
        return f"{plain} {str(error).replace(f'{path}: ', '').replace(str(path), path.name)}"
    return f"{plain} Few of its words are emotions, or another table lies above it."


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)


def _import_one(
    services: Services,
    target: _Corpus,
    brought: _BroughtClip,
    now: datetime,
    speaker_of: Callable[[str], str],
    options: ImportOptions,
    result: ImportResult,
) -> None:
    from ser_core import audio
    from ser_core.audio.segmentation import cut_at_pauses

    name, data = _plain(brought.name, now), brought.path.read_bytes()
    if target.has(data):
        result.duplicates.append(name)
        result.labelled += brought.labelled and target.label(data, brought.rows)
        return
    settings = services.settings
    try:
        clip = audio.load(
            data, name=name, max_seconds=settings.max_seconds, max_bytes=settings.max_bytes
        )
    except SerError as error:
        result.refused.append((name, str(error)))
        return
    speaker = speaker_of(name)
    if brought.labelled or options.longest is None or clip.seconds <= options.longest:
        target.add(name, data, speaker, brought.rows)
        result.added += 1
        result.labelled += brought.labelled
        return
    segments = cut_at_pauses(audio.mono(clip.samples), clip.sample_rate, longest=options.longest)
    if not segments:
        result.refused.append((name, "Nobody speaks in it, so there is nothing to label."))
        return
    target.mark(data)
    result.cut += 1
    for start, end in segments:
        piece = _piece(clip, start, end)
        if target.has(piece):
            continue
        stem = PurePosixPath(name).stem
        target.add(f"{stem} {start:.1f}-{end:.1f} s.wav", piece, speaker)
        result.added += 1


def _piece(clip: Audio, start: float, end: float) -> bytes:
    from ser_core.audio import to_wav_bytes

    rate = clip.sample_rate
    return to_wav_bytes(clip.samples[:, round(start * rate) : round(end * rate)], rate)


class _Corpus:
    """A corpus that grows: its files, and a table of them as it was written or with no emotion."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._folder = folder
        self._table = folder / TABLE
        self._rows: list[list[str]] = []
        catalogue = services.catalogue
        listed = catalogue.hashed(catalogue.listing().files)
        self._known = {*listed, *(one.sha256 for one in catalogue.kept())}
        self._own = {sha: one.name for sha, one in listed.items() if one.corpus == folder.name}
        self._names = {path.name.casefold() for path in folder.glob("*")}

    def has(self, data: bytes) -> bool:
        """Return whether a clip with this content is here, under whatever name."""
        return hashlib.sha256(data).hexdigest() in self._known

    def mark(self, data: bytes) -> None:
        """Count a recording as known that is here in segments."""
        self._known.add(hashlib.sha256(data).hexdigest())

    def add(self, name: str, data: bytes, speaker: str, rows: Sequence[TableRow] = ()) -> None:
        """Write a clip; one of another content and the same name gets a number."""
        stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
        number = 1
        while name.casefold() in self._names:
            number += 1
            name = f"{stem} ({number}){suffix}"
        write_whole(self._folder / name, data)
        self._names.add(name.casefold())
        self._known.add(hashlib.sha256(data).hexdigest())
        self._rows += [_cells(name, row, speaker) for row in rows] or [[name, "", speaker, "", ""]]

    def label(self, data: bytes, rows: Sequence[TableRow]) -> bool:
        """Take what a table says of a clip of this corpus that nothing was known of."""
        name = self._own.get(hashlib.sha256(data).hexdigest())
        if name is None or any(row[0] == name and row[1] for row in self._listed()):
            return False
        self._rows += [_cells(name, row) for row in rows]
        return True

    def add_row(self, row: TableRow) -> bool:
        """Keep a row that names no file here, so that its name can be corrected."""
        cells = _cells(row.file_name, row)
        if cells in self._listed() or cells in self._rows:
            return False
        self._rows.append(cells)
        return True

    def save(self) -> None:
        """Bring the new rows into the corpus's table; they take the place of empty ones."""
        if not self._rows:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        fresh = {row[0] for row in self._rows}
        kept = [row for row in self._listed() if row[1] or row[0] not in fresh]
        writer.writerows([HEADINGS, *kept, *self._rows])
        write_whole(self._table, text.getvalue().encode())
        self._rows.clear()

    def _listed(self) -> list[list[str]]:
        """Return the rows that the table has, their columns in the order of ours."""
        try:
            with self._table.open(encoding="utf-8-sig", newline="") as file:
                return [[row.get(head) or "" for head in HEADINGS] for row in csv.DictReader(file)]
        except FileNotFoundError:
            return []


def _cells(name: str, row: TableRow, speaker: str = "") -> list[str]:
    start, end = ("" if one is None else f"{one:g}" for one in (row.start, row.end))
    return [name, row.emotion, speaker or row.speaker, start, end]
