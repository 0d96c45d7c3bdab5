"""Bring a corpus into the home: from S3, from an archive on the web, or say where to get it."""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ser_core.corpora import READERS, read
from ser_core.errors import SerError
from trainer import storage
from trainer.errors import StorageError

LARGEST = 100 * 2**30
"""Bytes that an archive may unpack to."""


def catalogue() -> str:
    """Return what corpora are known, with their licences and where to ask for them."""
    return "\n".join(f"{r.name}: {r.title}; {r.licence}; {r.url}" for r in READERS.values())


def download(
    location: str,
    folder: Path,
    *,
    reader: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Bring a corpus into a folder that appears whole or not at all.

    Args:
        location: ``s3://bucket/prefix``, an address of a .zip or .tar archive, or such a file.
        folder: where the corpus goes; must not exist.
        reader: name of its reader, where the folder's name doesn't say it.
        progress: called with bytes (or objects) done and in all (0 = unknown).

    Returns:
        One sentence on what was found in it.

    Raises:
        StorageError: it can't be had, is no archive, or holds unsafe names.
    """
    if folder.exists():
        raise StorageError(f"{folder} exists already; delete it or give another --name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    inside = partial / folder.name
    try:
        if storage.is_remote(location):
            storage.fetch(location, inside, progress=progress)
        elif "://" in location:
            archive = partial / "archive"
            _fetch_url(location, archive, progress)
            unpack(archive, inside)
        else:
            unpack(Path(location), inside)
        try:
            reading = read(inside, reader)
        except SerError as error:
            raise StorageError(f"{location} holds no corpus known here: {error}") from error
        inside.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return (
        f"{reading.corpus}: {len(reading.clips)} clips in {folder}, "
        f"{len(reading.problems)} files left out"
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar archive; names that point outside, links and devices are refused.

    Raises:
        StorageError: it is no archive, is damaged, or isn't safe.
    """
    folder.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _check_zip(packed, archive)
                packed.extractall(folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                if sum(member.size for member in tar) > LARGEST:
                    raise StorageError(f"{archive.name} unpacks to more than {LARGEST >> 30} GiB")
                tar.extractall(folder, filter="data")
        else:
            raise StorageError(f"{archive.name} is neither a .zip nor a .tar archive")
    except (OSError, zipfile.BadZipFile, tarfile.TarError, RuntimeError, EOFError) as error:
        raise StorageError(f"{archive.name} can't be unpacked: {error}") from error


def _check_zip(packed: zipfile.ZipFile, archive: Path) -> None:
    if sum(item.file_size for item in packed.infolist()) > LARGEST:
        raise StorageError(f"{archive.name} unpacks to more than {LARGEST >> 30} GiB")
    for item in packed.infolist():
        name = PurePosixPath(item.filename)
        linked = stat.S_ISLNK(item.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or linked:
            raise StorageError(
                f"{archive.name} holds the unsafe name “{item.filename}”; nothing of it was taken"
            )


def _fetch_url(url: str, target: Path, progress: Callable[[int, int], None] | None) -> None:
    if not url.startswith(("https://", "http://")):
        raise StorageError(f"“{url}” is no address; use https://, s3:// or a file")
    try:
        with urllib.request.urlopen(url, timeout=60) as source, target.open("wb") as file:
            total = int(source.headers.get("Content-Length") or 0)
            done = 0
            while block := source.read(1 << 20):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise StorageError(f"{url} can't be fetched: {error}") from error
    if total and done != total:
        raise StorageError(f"{url} broke off after {done} of {total} bytes; try again")
