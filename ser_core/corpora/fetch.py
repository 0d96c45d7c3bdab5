"""Fetch one file over HTTP: resumed where it broke off, bounded, and checked before it counts."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from ser_core.errors import SerError

MAX_BYTES = 8 * 2**30
_CHUNK = 2**18
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_POINTER = b"version https://git-lfs.github.com/spec/"

Ticker = Callable[[int, int], None]


class DownloadError(SerError):
    """A download that was refused, broke off or is not what its owners published."""


class NotThereError(DownloadError):
    """None of a file's addresses has it."""


class _BrokenOffError(Exception):
    """The connection ended early; what has arrived is kept."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete file.

    Attributes:
        path: where it lies.
        url: which address gave it.
        size: bytes.
        sha256: of its content, in hexadecimal.
    """

    path: Path
    url: str
    size: int
    sha256: str


def client() -> httpx.Client:
    """Return an HTTP client that follows redirects and does not wait for ever."""
    return httpx.Client(
        follow_redirects=True,
        timeout=httpx.Timeout(60.0, connect=20.0),
        # Sizes and ranges are those of the file, so it must not be packed on the way.
        headers={"Accept-Encoding": "identity", "User-Agent": "speech-emotion-studio"},
    )


def fetch(
    http: httpx.Client,
    urls: Sequence[str],
    target: Path,
    *,
    size: int | None = None,
    checksum: str = "",
    max_bytes: int = MAX_BYTES,
    tries: int = 4,
    sleep: Callable[[float], None] = time.sleep,
    progress: Ticker | None = None,
) -> Fetched:
    """Fetch a file, going on from what an earlier attempt left behind.

    Args:
        http: the client.
        urls: addresses of the same file; the next is tried where one does not have it.
        target: where it shall lie; what is incomplete lies beside it as ``<name>.part``.
        size: bytes that its owners state, or None.
        checksum: ``md5:...`` or ``sha256:...`` that its owners state, or "".
        max_bytes: most bytes.
        tries: attempts in a row that bring nothing new before it gives up.
        sleep: waits between attempts, in seconds.
        progress: called with the bytes that are there and those in all (0: unknown).

    Raises:
        NotThereError: no address has the file.
        DownloadError: the connection keeps breaking, the file is too large, a Git LFS pointer, or
            differs from the stated size or checksum.
    """
    if target.is_file():
        return _check(target, target, urls[0], size, checksum)
    target.parent.mkdir(parents=True, exist_ok=True)
    missing: list[str] = []
    for url in urls:
        try:
            part = _persist(http, url, target, size, checksum, max_bytes, tries, sleep, progress)
            return _check(part, target, url, size, checksum)
        except NotThereError as error:
            missing.append(str(error))
    raise NotThereError(" ".join(missing))


def _persist(
    http: httpx.Client,
    url: str,
    target: Path,
    size: int | None,
    checksum: str,
    max_bytes: int,
    tries: int,
    sleep: Callable[[float], None],
    progress: Ticker | None,
) -> Path:
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            _attempt(http, url, part, size, bool(checksum), max_bytes, progress)
            return part
        except (_BrokenOffError, httpx.RequestError) as error:
            after = part.stat().st_size if part.is_file() else 0
            failures = 0 if after > before else failures + 1
            if failures >= tries:
                if not after:
                    raise DownloadError(
                        f"{url}: can't be reached ({error}). Check the network connection, then "
                        "download it again."
                    ) from error
                raise DownloadError(
                    f"{url}: broke off ({error}) after {after / 1e6:.1f} MB, {tries} times in a "
                    "row. What has arrived is kept: download it again to go on."
                ) from error
            sleep(min(30.0, 2.0**failures))


def _attempt(
    http: httpx.Client,
    url: str,
    part: Path,
    size: int | None,
    checked_later: bool,
    max_bytes: int,
    progress: Ticker | None,
) -> None:
    start, validator = _resumable(url, part, checked_later)
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and validator:
        headers["If-Range"] = validator
    with http.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416:
            # What lies here does not belong to the file that is offered now.
            _discard(part)
            raise _BrokenOffError("the server has no such range; starting anew")
        if answer.status_code in _RETRIED:
            raise _BrokenOffError(f"status {answer.status_code}")
        if answer.status_code in (404, 410):
            raise NotThereError(f"{url}: not there (status {answer.status_code}).")
        if answer.status_code not in (200, 206):
            raise DownloadError(f"{url}: refused with status {answer.status_code}.")
        if answer.status_code == 200 or not _continues(answer, start):
            if answer.status_code == 206:
                _discard(part)
                raise _BrokenOffError("the server sent another range than the one asked for")
            start = 0
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise DownloadError(f"{url}: packed on the way although that was declined.")
        total = _total(answer, start)
        if total is not None and total > max_bytes:
            raise DownloadError(
                f"{url}: {total / 1e9:.1f} GB, at most {max_bytes / 1e9:.1f} GB are fetched."
            )
        if size is not None and total and total != size:
            raise DownloadError(
                f"{url}: the server offers {total} bytes, its owners state {size}. "
                "It is not the file that was published; nothing was kept."
            )
        _require_room(part, (size or total or 0) - start)
        have = start
        with part.open("ab" if start else "wb") as sink:
            if not start:  # only now is the old part gone, so only now may its proof go
                _note(url, part, answer)
            for chunk in answer.iter_raw():  # as it comes: what breaks off is not lost
                have += len(chunk)
                if have > (size or max_bytes):
                    sink.close()
                    _discard(part)
                    raise DownloadError(f"{url}: more than {size or max_bytes} bytes; discarded.")
                sink.write(chunk)
                if progress is not None:
                    progress(have, size or total or 0)
        expected = size or total
        if expected and have < expected:
            raise _BrokenOffError(f"{have} of {expected} bytes")


def _resumable(url: str, part: Path, checked_later: bool) -> tuple[int, str]:
    """Return from which byte to go on, and what proves that the file is still the same."""
    note = _note_path(part)
    if not part.is_file():
        return 0, ""
    state: dict[str, str] = {}
    if note.is_file():
        with suppress(json.JSONDecodeError):  # torn by a crash: as good as none
            loaded = json.loads(note.read_text(encoding="utf-8"))
            state = loaded if isinstance(loaded, dict) else {}
    validator = state.get("validator", "") if state.get("url") == url else ""
    if validator or (checked_later and state.get("url") == url):
        return part.stat().st_size, validator
    _discard(part)
    return 0, ""


def _continues(answer: httpx.Response, start: int) -> bool:
    found = str(answer.headers.get("content-range", ""))
    return found.startswith(f"bytes {start}-")


def _total(answer: httpx.Response, start: int) -> int | None:
    whole = answer.headers.get("content-range", "").rpartition("/")[2]
    if whole.isdigit():
        return int(whole)
    length = answer.headers.get("content-length", "")
    return start + int(length) if length.isdigit() else None


def _note(url: str, part: Path, answer: httpx.Response) -> None:
    etag = answer.headers.get("etag", "")
    # A weak ETag may stand for other bytes, so it can't vouch for a range.
    validator = etag if etag and not etag.startswith("W/") else ""
    validator = validator or answer.headers.get("last-modified", "")
    _note_path(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _note_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _require_room(part: Path, expected: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if expected > free:
        raise DownloadError(
            f"{part.parent}: {expected / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free. "
            "Make room or choose another folder."
        )


def _check(path: Path, target: Path, url: str, size: int | None, checksum: str) -> Fetched:
    """Compare a complete file with what its owners state; a file that fails is removed."""
    kind, _, stated = checksum.partition(":")
    digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    if checksum and kind not in digests:
        raise DownloadError(f"{url}: “{kind}” is not a checksum known here; use md5 or sha256.")
    with path.open("rb") as file:
        pointer = file.read(len(_POINTER)) == _POINTER
        file.seek(0)
        while chunk := file.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    found = path.stat().st_size
    fault = ""
    if pointer:
        fault = "a Git LFS pointer came instead of the file"
    elif size is not None and found != size:
        fault = f"{found} bytes came, its owners state {size}"
    elif checksum and digests[kind].hexdigest() != stated.lower():
        fault = f"its {kind} is {digests[kind].hexdigest()}, its owners state {stated}"
    if fault:
        path.unlink()
        _discard(target.with_name(target.name + ".part"))
        # A pointer tells that this address lacks the content; another may have it.
        kind_of = NotThereError if pointer else DownloadError
        raise kind_of(f"{url}: {fault}. It was discarded; fetch it again, or report it.")
    path.replace(target)
    _note_path(target.with_name(target.name + ".part")).unlink(missing_ok=True)
    return Fetched(target, url, found, digests["sha256"].hexdigest())
