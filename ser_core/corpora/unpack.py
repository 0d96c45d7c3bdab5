"""Unpack zip archives of unknown origin without letting anything out of their folder."""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ser_core.corpora.base import content_hash
from ser_core.errors import CorpusError

MAX_FILES = 200_000
MAX_BYTES = 32 * 2**30
MAX_RATIO = 300.0
_SMALL = 2**20  # below this a high ratio is harmless, and common in files of text or silence
_CHUNK = 2**20

Ticker = Callable[[int, int], None]


def unpack(
    archive: Path,
    cache: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    max_ratio: float = MAX_RATIO,
    progress: Ticker | None = None,
) -> Path:
    """Unpack a zip archive into a folder of its own under ``cache``.

    Nothing is written before every entry's name, kind and stated size have been checked, and the
    bytes are counted again while they are written. An archive that was unpacked before is not
    unpacked again.

    Args:
        archive: a zip file.
        cache: folder that may be written to; made where it is missing.
        max_files: most entries.
        max_bytes: most bytes after unpacking.
        max_ratio: most bytes after unpacking for each byte of a file larger than 1 MiB.
        progress: called with the files done and the files in all.

    Returns:
        The folder with the contents, named after the archive and its content.

    Raises:
        CorpusError: no zip archive, a damaged one, or one with an entry that would leave the
            folder, is a link, is encrypted, or breaks a bound.
    """
    if not archive.is_file():
        raise CorpusError(f"{archive}: expected a zip archive, found no file. Check the path.")
    target = cache / f"{archive.stem}-{content_hash(archive)[:12]}"
    if target.is_dir():
        return target
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(archive, opened.infolist(), max_files, max_bytes, max_ratio)
            cache.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(cache)
            working = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=cache))
            try:
                _write(archive, opened, entries, working, max_bytes, progress)
                working.replace(target)
            finally:
                shutil.rmtree(working, ignore_errors=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise CorpusError(
            f"{archive}: can't be unpacked ({error}). It is damaged or no zip archive; fetch it "
            "again."
        ) from error
    except OSError as error:
        if target.is_dir():  # another process was faster with the same archive
            return target
        raise CorpusError(
            f"{archive}: can't be unpacked into {cache} ({error.strerror})."
        ) from error
    return target


def _remove_abandoned(cache: Path) -> None:
    """Remove what unpackings that were killed an hour ago or more have left."""
    for left in cache.glob(".unpacking-*"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - 3600:
                shutil.rmtree(left)


def safe_path(name: str) -> PurePosixPath | None:
    """Return a name from outside as a path that stays in its folder, or None.

    >>> safe_path("Actor_01/a.wav"), safe_path("../a.wav"), safe_path("C:\\\\a.wav")
    (PurePosixPath('Actor_01/a.wav'), None, None)
    """
    if not name or "\0" in name or len(name) > 1000:
        return None
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or not path.parts:
        return None
    if any(part == ".." or ":" in part or len(part.encode()) > 255 for part in path.parts):
        return None
    return path


def _checked(
    archive: Path,
    entries: Sequence[zipfile.ZipInfo],
    max_files: int,
    max_bytes: int,
    max_ratio: float,
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    def refuse(entry: zipfile.ZipInfo, why: str) -> CorpusError:
        return CorpusError(
            f"{archive}: refused, nothing was unpacked: the entry “{entry.filename[:120]}” {why}."
        )

    if len(entries) > max_files:
        raise CorpusError(
            f"{archive}: refused: {len(entries)} entries, at most {max_files} are read."
        )
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise CorpusError(
            f"{archive}: refused: {total / 2**30:.1f} GiB after unpacking, at most "
            f"{max_bytes / 2**30:.1f} GiB are allowed."
        )
    checked: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    seen: set[str] = set()
    for entry in entries:
        # ZipInfo cuts names at a NUL; the name as it was stored is what has to be judged.
        path = safe_path(entry.orig_filename)
        if path is None:
            raise refuse(entry, "would be written outside its folder, or has no usable name")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise refuse(entry, "is a link or a device, not a file")
        if entry.is_dir() or kind == stat.S_IFDIR:
            continue
        if entry.flag_bits & 0x1:
            raise refuse(entry, "is encrypted")
        if entry.file_size > _SMALL and entry.file_size > max_ratio * max(1, entry.compress_size):
            raise refuse(entry, f"grows more than {max_ratio:.0f} times when unpacked")
        folded = path.as_posix().casefold()
        if folded in seen:
            raise refuse(entry, "is there twice (names that differ in case count as one)")
        seen.add(folded)
        checked.append((entry, path))
    for entry, path in checked:
        if any(parent.as_posix().casefold() in seen for parent in path.parents):
            raise refuse(entry, "lies in a folder that is a file as well")
    return checked


def _write(
    archive: Path,
    opened: zipfile.ZipFile,
    entries: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]],
    folder: Path,
    max_bytes: int,
    progress: Ticker | None,
) -> None:
    written = 0
    for done, (entry, path) in enumerate(entries, start=1):
        target = folder.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(entry) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > max_bytes:
                    raise CorpusError(
                        f"{archive}: refused: it holds more than it says, over "
                        f"{max_bytes / 2**30:.1f} GiB."
                    )
                sink.write(chunk)
        if progress is not None:
            progress(done, len(entries))
