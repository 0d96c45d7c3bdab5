"""Fetch the corpora that their owners offer openly; say where to ask for the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from ser_core.corpora.fetch import DownloadError, Fetched, NotThereError, Ticker, client, fetch
from ser_core.corpora.registry import READERS
from ser_core.corpora.sources import CORPORA_INFO, SOURCES, Archive, CorpusInfo, Part, PartLister
from ser_core.corpora.unpack import safe_path, unpack
from ser_core.files import write_json

__all__ = [
    "CORPORA_INFO",
    "LOCK",
    "SOURCES",
    "Archive",
    "CorpusInfo",
    "DownloadError",
    "Downloaded",
    "Part",
    "PartLister",
    "download",
]

LOCK = "downloads.lock.json"
"""File beside the corpora: address, size and SHA-256 of what was fetched first."""

_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A corpus that is there now.

    Attributes:
        folder: where it lies, to be read under its name.
        clips: how many clips its reader takes.
        expected: how many the complete corpus has.
        missing: names that the owners list but no address had.
    """

    folder: Path
    clips: int
    expected: int
    missing: tuple[str, ...] = ()


def download(
    name: str,
    root: Path,
    *,
    accept: Callable[[CorpusInfo], bool],
    progress: Ticker | None = None,
    http: httpx.Client | None = None,
    sources: Mapping[str, Archive | PartLister] = SOURCES,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Downloaded:
    """Fetch a corpus into ``root/<name>``, going on from what an earlier attempt left behind.

    Args:
        name: a name in CORPORA_INFO.
        root: folder of the corpora; what is incomplete lies in its folder ``.downloads``.
        accept: shown the corpus with its licence; only a yes fetches anything.
        progress: called with what is done and what is to do: bytes of an archive, else files.
        http: the client; a fresh one where not given.
        sources: where corpora come from.
        clock: tells the time for the lock file.

    Raises:
        DownloadError: an unknown corpus, one to be asked for (the message says where), a licence
            that was not accepted, or a file that is not what its owners published or what was
            fetched first.
        CorpusError: an archive that can't be unpacked safely.
    """
    info = CORPORA_INFO.get(name)
    if info is None:
        known = ", ".join(CORPORA_INFO)
        raise DownloadError(f"“{name}” is not a corpus that can be fetched. Known are: {known}.")
    source = sources.get(name)
    if source is None:
        raise DownloadError(f"{info.title} ({info.licence}) is not offered openly: {info.how}.")
    folder = root / name
    if folder.exists():
        raise DownloadError(f"{folder} is there already. Move it away to fetch {info.title} anew.")
    if not accept(info):
        raise DownloadError(
            f"{info.title} was not fetched: its licence ({info.licence}, see {info.url}) was not "
            "accepted."
        )
    working = root / ".downloads" / name
    working.mkdir(parents=True, exist_ok=True)
    lock = Lock(root / LOCK, clock)
    with client() if http is None else nullcontext(http) as opened:
        if isinstance(source, Archive):
            content = _fetch_archive(opened, source, name, working, lock, progress)
            missing: tuple[str, ...] = ()
        else:
            content, missing = _fetch_parts(opened, source(opened), name, working, lock, progress)
    content.replace(folder)
    shutil.rmtree(working, ignore_errors=True)
    return Downloaded(folder, len(READERS[name].read(folder).clips), info.clips, missing)


def _fetch_archive(
    http: httpx.Client,
    source: Archive,
    name: str,
    working: Path,
    lock: Lock,
    progress: Ticker | None,
) -> Path:
    fetched = fetch(
        http,
        [source.url],
        working / f"{name}.zip",
        size=source.size,
        checksum=source.checksum,
        progress=progress,
    )
    lock.compare(name, {f"{name}.zip": fetched}, published=bool(source.checksum))
    content = unpack(fetched.path, working / "unpacked")
    inside = sorted(content.iterdir())
    if source.wrapped:
        if len(inside) != 1 or not inside[0].is_dir():
            raise DownloadError(
                f"{source.url}: expected one folder in it, found {len(inside)} entries."
            )
        return inside[0]
    return content


def _fetch_parts(
    http: httpx.Client,
    parts: Sequence[Part],
    name: str,
    working: Path,
    lock: Lock,
    progress: Ticker | None,
) -> tuple[Path, tuple[str, ...]]:
    folder = working / "files"
    for part in parts:
        if safe_path(part.path) is None:
            raise DownloadError(
                f"{name}: the owners' list has an unsafe name: {part.path[:120]!r}."
            )

    def one(part: Part) -> Fetched | None:
        try:
            return fetch(
                http, part.urls, folder / part.path, size=part.size, checksum=part.checksum
            )
        except NotThereError:
            return None

    fetched: dict[str, Fetched] = {}
    missing: list[str] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for done, (part, result) in enumerate(
                zip(parts, pool.map(one, parts), strict=True), start=1
            ):
                if result is None:
                    missing.append(part.path)
                else:
                    fetched[part.path] = result
                if progress is not None:
                    progress(done, len(parts))
        finally:  # after an error, or Ctrl-C, what has not begun is not begun
            pool.shutdown(cancel_futures=True)
    if not fetched:
        raise DownloadError(f"{name}: none of its {len(parts)} files is at its owners' addresses.")
    lock.compare(name, fetched, published=all(part.checksum for part in parts))
    return folder, tuple(missing)


class Lock:
    """What was fetched first, so that a silent change at the source is noticed the next time.

    Args:
        path: the lock file, JSON.
        clock: tells the time.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self.path = path
        self.clock = clock

    def compare(self, name: str, files: Mapping[str, Fetched], *, published: bool) -> None:
        """Record files that are new here, and refuse those that have changed since.

        Args:
            name: the corpus.
            files: what has arrived, by path.
            published: whether the owners' own checksums have vouched for all of it.

        Raises:
            DownloadError: a file differs from what was fetched first, or the lock file is damaged.
        """
        entries = self._read()
        known = entries.get(name, {}).get("files", {})
        changed = [path for path, one in files.items() if known.get(path, one.sha256) != one.sha256]
        if changed and not published:
            raise DownloadError(
                f"{name}: {len(changed)} files, such as {changed[0]}, differ from those fetched on "
                f"{entries[name]['fetched']}. If that is meant, remove “{name}” from {self.path} "
                "and download it again."
            )
        entries[name] = {
            "fetched": self.clock().isoformat(timespec="seconds"),
            "bytes": sum(one.size for one in files.values()),
            "files": known | {path: one.sha256 for path, one in files.items()},
        }
        write_json(self.path, dict(sorted(entries.items())))

    def _read(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DownloadError(
                f"{self.path}: not JSON ({error}). Repair it, or remove it to trust anew."
            ) from error
        if not isinstance(entries, dict):
            raise DownloadError(f"{self.path}: expected an object by corpus. Remove it.")
        return entries
