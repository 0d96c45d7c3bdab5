"""Downloads go on where they broke off, and only what its owners published becomes a corpus."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from ser_core.corpora import READERS
from ser_core.corpora.download import (
    CORPORA_INFO,
    LOCK,
    SOURCES,
    Archive,
    Downloaded,
    Part,
    download,
)
from ser_core.corpora.fetch import DownloadError, NotThereError, fetch
from ser_core.corpora.sources import cremad_parts, tess_parts

BIG = bytes(range(256)) * 4000
ROOT_NAMES = ("Actor_01/03-01-05-01-02-01-01.wav", "Actor_02/03-01-04-01-02-01-02.wav")


class Server(ThreadingHTTPServer):
    """Serves files from a dict, and misbehaves as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etags = True
        self.ranges = True
        self.break_after: list[int] = []
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range", "")
        server.asked.append((self.path, asked))
        if server.statuses:
            self._head(server.statuses.pop(0), 0)
            return
        data = server.files.get(self.path.lstrip("/"))
        if data is None:
            self._head(404, 0)
            return
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        start = 0
        extra: dict[str, str] = {"ETag": etag} if server.etags else {}
        condition = self.headers.get("If-Range", etag)
        if asked and server.ranges and condition == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self._head(416, 0, {"Content-Range": f"bytes */{len(data)}"})
                return
            extra["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(206 if start else 200, len(data) - start, extra)
        if server.break_after:
            self.wfile.write(data[start : start + server.break_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    def _head(self, status: int, length: int, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the loopback interface."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client that asks no proxy for the loopback interface."""
    with httpx.Client(follow_redirects=True, timeout=5, trust_env=False) as opened:
        yield opened


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def archive(*names: str, wrap: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(wrap + name), name.encode())
    return file.getvalue()


def no_wait(_: float) -> None:
    """Retry at once."""


def test_a_file_is_fetched_with_progress_and_checked(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["a"] = BIG
    seen: list[tuple[int, int]] = []
    got = fetch(
        http,
        [server.url("a")],
        tmp_path / "a",
        size=len(BIG),
        checksum=md5(BIG),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert got.path.read_bytes() == BIG
    assert got.sha256 == hashlib.sha256(BIG).hexdigest()
    assert seen[-1] == (len(BIG), len(BIG))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("etags", [True, False])
def test_a_broken_transfer_goes_on_where_it_broke(
    server: Server, http: httpx.Client, tmp_path: Path, etags: bool
) -> None:
    server.files["a"], server.etags, server.break_after = BIG, etags, [300_000, 200_000]
    got = fetch(
        http, [server.url("a")], tmp_path / "a", checksum=md5(BIG), sleep=no_wait, size=len(BIG)
    )
    assert got.path.read_bytes() == BIG
    starts = [int(asked[6:-1]) for _, asked in server.asked if asked]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(BIG)


def test_a_later_run_goes_on_too(server: Server, http: httpx.Client, tmp_path: Path) -> None:
    server.files["a"], server.break_after = BIG, [300_000]
    with pytest.raises(DownloadError, match="download it again to go on"):
        fetch(http, [server.url("a")], tmp_path / "a", sleep=no_wait, tries=0)
    assert not (tmp_path / "a").exists()
    assert fetch(http, [server.url("a")], tmp_path / "a").path.read_bytes() == BIG
    assert server.asked[-1][1].startswith("bytes=")


def test_a_server_that_is_not_there_is_said_to_be_out_of_reach(
    http: httpx.Client, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="can't be reached"):
        fetch(http, ["http://127.0.0.1:1/a"], tmp_path / "a", sleep=no_wait)


def test_a_server_without_ranges_is_asked_from_the_start(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["a"], server.ranges, server.break_after = BIG, False, [300_000]
    got = fetch(http, [server.url("a")], tmp_path / "a", checksum=md5(BIG), sleep=no_wait)
    assert got.path.read_bytes() == BIG


def test_halves_of_two_versions_are_never_joined(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["a"], server.break_after = BIG, [300_000]
    with pytest.raises(DownloadError):
        fetch(http, [server.url("a")], tmp_path / "a", sleep=no_wait, tries=0)
    server.files["a"] = BIG[::-1]
    assert fetch(http, [server.url("a")], tmp_path / "a").path.read_bytes() == BIG[::-1]


def test_a_leftover_that_is_too_long_is_started_anew(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["a"] = b"short"
    (tmp_path / "a.part").write_bytes(BIG)
    (tmp_path / "a.part.json").write_text(json.dumps({"url": server.url("a"), "validator": ""}))
    got = fetch(http, [server.url("a")], tmp_path / "a", checksum=md5(b"short"), sleep=no_wait)
    assert got.path.read_bytes() == b"short"


def test_what_is_not_what_was_published_does_not_stay(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files |= {"a": BIG, "p": b"version https://git-lfs.github.com/spec/v1\noid x\n"}
    with pytest.raises(DownloadError, match="its md5 is"):
        fetch(http, [server.url("a")], tmp_path / "a", checksum=md5(b"other"))
    with pytest.raises(DownloadError, match="owners state 17"):
        fetch(http, [server.url("a")], tmp_path / "a", size=17)
    with pytest.raises(DownloadError, match="at most"):
        fetch(http, [server.url("a")], tmp_path / "a", max_bytes=1000)
    with pytest.raises(NotThereError, match="Git LFS pointer"):
        fetch(http, [server.url("p")], tmp_path / "p")
    assert list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried_and_busy_servers_are_asked_again(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files |= {"b": BIG, "p": b"version https://git-lfs.github.com/spec/v1\noid x\n"}
    urls = [server.url(name) for name in ("gone", "p", "b")]
    assert fetch(http, urls, tmp_path / "x").url == server.url("b")
    server.statuses = [503, 429]
    assert fetch(http, urls[2:], tmp_path / "y", sleep=no_wait).size == len(BIG)
    with pytest.raises(NotThereError):
        fetch(http, urls[:1], tmp_path / "z")
    server.statuses = [403]
    with pytest.raises(DownloadError, match="status 403"):
        fetch(http, urls[2:], tmp_path / "z")


def get(server: Server, root: Path, http: httpx.Client, **changes: Any) -> Downloaded:
    """Fetch RAVDESS from the local server."""
    sources = changes.pop("sources", None) or {"ravdess": Archive(server.url("r.zip"))}
    arguments: dict[str, Any] = {"accept": lambda _: True} | changes
    return download("ravdess", root, http=http, sources=sources, **arguments)


def test_an_archive_becomes_a_corpus(server: Server, http: httpx.Client, tmp_path: Path) -> None:
    data = server.files["r.zip"] = archive(*ROOT_NAMES)
    source = Archive(server.url("r.zip"), len(data), md5(data))
    got = get(server, tmp_path, http, sources={"ravdess": source})
    assert (got.folder, got.clips, got.expected) == (tmp_path / "ravdess", 2, 1440)
    assert len(READERS["ravdess"].read(got.folder).clips) == 2
    lock = json.loads((tmp_path / LOCK).read_text())
    assert lock["ravdess"]["files"] == {"ravdess.zip": hashlib.sha256(data).hexdigest()}
    with pytest.raises(DownloadError, match="there already"):
        get(server, tmp_path, http)


def test_a_folder_around_the_corpus_is_taken_off(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["r.zip"] = archive(*ROOT_NAMES, wrap="repository-main/")
    got = get(
        server, tmp_path, http, sources={"ravdess": Archive(server.url("r.zip"), wrapped=True)}
    )
    assert (got.folder / ROOT_NAMES[0]).is_file()


def test_nothing_is_asked_for_before_the_licence_is_accepted(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    shown = []
    with pytest.raises(DownloadError, match=r"CC BY-NC-SA 4\.0.*not\s+accepted"):
        get(server, tmp_path, http, accept=lambda info: bool(shown.append(info)))
    assert [info.name for info in shown] == ["ravdess"]
    assert server.asked == []


def test_a_hostile_archive_leaves_no_corpus(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["r.zip"] = archive("../../evil.wav")
    with pytest.raises(Exception, match="outside its folder"):
        get(server, tmp_path / "root", http)
    assert not list(tmp_path.rglob("*.wav"))
    assert not (tmp_path / "root" / "ravdess").exists()


def test_a_change_at_the_source_is_noticed(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    server.files["r.zip"] = archive(*ROOT_NAMES)
    clock = datetime(2024, 5, 1, tzinfo=UTC)
    get(server, tmp_path, http, clock=lambda: clock).folder.rename(tmp_path / "old")
    server.files["r.zip"] = archive(*ROOT_NAMES, "Actor_03/03-01-04-01-02-01-03.wav")
    with pytest.raises(DownloadError, match="differ from those fetched on 2024-05-01"):
        get(server, tmp_path, http)
    assert not (tmp_path / "ravdess").exists()


def test_a_corpus_that_is_offered_file_by_file(
    server: Server, http: httpx.Client, tmp_path: Path
) -> None:
    for name in ROOT_NAMES:
        server.files[name] = name.encode()
    parts = [Part(name, (server.url(name),)) for name in (*ROOT_NAMES, "Actor_03/gone.wav")]
    seen: list[tuple[int, int]] = []
    got = get(
        server,
        tmp_path,
        http,
        sources={"ravdess": lambda _: parts},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (got.clips, got.missing) == (2, ("Actor_03/gone.wav",))
    assert seen[-1] == (3, 3)
    with pytest.raises(DownloadError, match="unsafe name"):
        get(
            server,
            tmp_path / "other",
            http,
            sources={"ravdess": lambda _: [Part("../x.wav", (server.url("x"),))]},
        )


def test_the_lists_of_the_owners_are_understood(server: Server, http: httpx.Client) -> None:
    server.files["SentenceFilenames.csv"] = b'"Stimulus_Number","Filename"\n1,"1001_IEO_NEU_XX"\n'
    clip = cremad_parts(http, server.url("").rstrip("/"), ("http://one", "http://two"))[-1]
    assert clip.path == "AudioWAV/1001_IEO_NEU_XX.wav"
    assert clip.urls == ("http://one/1001_IEO_NEU_XX.wav", "http://two/1001_IEO_NEU_XX.wav")
    file = {"id": 7, "filename": "OAF_back_angry.wav", "filesize": 12, "md5": "ab"}
    listed = {"data": {"latestVersion": {"files": [{"directoryLabel": "TESS", "dataFile": file}]}}}
    address = "api/datasets/:persistentId/?persistentId=doi:x"
    server.files[address] = json.dumps(listed).encode()
    (part,) = tess_parts(http, server.url("").rstrip("/"), "doi:x")
    assert (part.path, part.size, part.checksum) == ("TESS/OAF_back_angry.wav", 12, "md5:ab")
    server.files[address] = b"{}"
    with pytest.raises(DownloadError, match="can't be read"):
        tess_parts(http, server.url("").rstrip("/"), "doi:x")


@pytest.mark.parametrize("name", ["savee", "urdu"])
def test_what_is_not_open_says_where_to_ask(name: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"not offered openly: (register|ask).*https?://"):
        download(name, tmp_path, accept=lambda _: True)


def test_an_unknown_corpus_is_met_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Known are: emodb"):
        download("iemocap", tmp_path, accept=lambda _: True)


def test_every_corpus_is_either_open_or_to_be_asked_for() -> None:
    assert {info.name for info in CORPORA_INFO.values() if info.open} == set(SOURCES)
    for info in CORPORA_INFO.values():
        assert info.licence
        assert info.citation
        assert info.url.startswith("http")
        assert info.clips > 0
