"""Bring a corpus into the home: a known one from its owners, or any from S3 or an archive."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ser_core.corpora import download as owners
from ser_core.corpora import read
from ser_core.errors import SerError
from ser_core.corpora.fetch import Ticker, client, fetch
from ser_core.corpora.sources import CORPORA_INFO, CorpusInfo
from ser_core.corpora.unpack import unpack
from trainer.data import storage
from trainer.errors import StorageError

SHOWN = 5
"""Names of missing files that are told one by one."""


def catalogue() -> str:
    """Return what corpora are known, with their licences and where they come from."""
    return "\n".join(f"{i.name}: {i.title}; {i.licence}; {i.how}" for i in CORPORA_INFO.values())


def known(name: str, root: Path, *, accept: Callable[[CorpusInfo], bool], tick: Ticker) -> str:
    """Fetch a corpus by name from its owners; return what came, in sentences.

    Args:
        name: a name in ``CORPORA_INFO``.
        root: folder of the corpora.
        accept: shown the corpus with its licence; only a yes fetches anything.
        tick: called with what is done and what is to do.

    Raises:
        DownloadError: the licence was not accepted, it must be asked for (the message says where),
            or what came is not what its owners published.
    """
    got = owners.download(name, root, accept=accept, progress=tick)
    message = f"{name}: {got.clips} of {got.expected} clips in {got.folder}"
    if got.missing:
        some = ", ".join(got.missing[:SHOWN]) + (" ..." if len(got.missing) > SHOWN else "")
        message += f"\n{len(got.missing)} files are listed, but no address had them: {some}"
    return message


def download(
    location: str, folder: Path, *, reader: str | None = None, progress: Ticker | None = None
) -> str:
    """Bring a corpus into a folder that appears whole or not at all.

    A transfer that broke off goes on when the same command is given again.

    Args:
        location: ``s3://bucket/prefix``, an address of a .zip archive, or such a file.
        folder: where the corpus goes; must not exist.
        reader: name of its reader, where the folder's name doesn't say it.
        progress: called with bytes (or objects) done and in all (0 = unknown).

    Returns:
        One sentence on what was found in it.

    Raises:
        StorageError, SerError: it can't be had, is not a safe archive, or holds no known corpus.
    """
    if folder.exists():
        raise StorageError(f"{folder} exists already; delete it or give another --name")
    working = folder.parent / ".downloads" / folder.name
    archive, content = _transfer(location, working, folder.name, progress)
    try:
        if archive is not None:
            content.parent.mkdir(parents=True, exist_ok=True)
            unpack(archive, working / "unpacked").rename(content)
        reading = read(content, reader)
        if not reading.clips:
            raise StorageError(f"{location} holds no labelled clip")
        content.rename(folder)
    except SerError as error:
        raise StorageError(f"{location} holds no corpus known here: {error}") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return (
        f"{reading.corpus}: {len(reading.clips)} clips in {folder}, "
        f"{len(reading.problems)} files left out"
    )


def _transfer(
    location: str, working: Path, name: str, progress: Ticker | None
) -> tuple[Path | None, Path]:
    """Return the archive, or None where files came one by one, and where the files (shall) lie."""
    content = working / "content" / name
    if storage.is_remote(location):
        storage.fetch(location, content, progress=progress)
        return None, content
    if location.startswith(("https://", "http://")):
        with client() as http:
            got = fetch(http, [location], working / f"{name}.zip", progress=progress)
        return got.path, content
    if "://" in location:
        raise StorageError(f"“{location}” is not an address; use https://, s3:// or a file")
    return Path(location), content
