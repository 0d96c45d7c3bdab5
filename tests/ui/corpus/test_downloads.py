"""Corpora fetched from the page: what comes appears, what fails is said and can be tried again."""

from __future__ import annotations

import errno
import functools
import http.server
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from label_store.corpus_rows import TableQuery
from ser_core.corpora.download import Archive, Downloaded, download
from ui.corpus.downloads import STOPPED, CorpusDownloads, DownloadState
from ui.corpus.downloads_panel import OPEN, watched
from ui.corpus.session import CorpusTableService
from ui.errors import PageError
from ui.identity import LOCAL_NAME, Annotator, Identity
from ui.services import AppSettings, Services

ME = Annotator(LOCAL_NAME, may_write=True, may_train=True, may_suggest=True)
NAMES = [info.name for info in OPEN]


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(AppSettings(home=tmp_path / "home"))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server that has EMO-DB with two clips."""
    folder = tmp_path / "served"
    folder.mkdir()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        for name in ("03a01Fa", "03a02Wb"):
            packed.writestr(f"wav/{name}.wav", b"RIFF" + name.encode())
    (folder / "emodb.zip").write_bytes(held.getvalue())
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/emodb.zip"
        running.shutdown()


def fetcher(address: str, **stated: Any) -> Callable[..., Downloaded]:
    def fetch(name: str, root: Path, **how: Any) -> Downloaded:
        with httpx.Client(trust_env=False) as client:
            sources = {"emodb": Archive(address, **stated)}
            return download(name, root, http=client, sources=sources, **how)

    return fetch


def ended(downloads: CorpusDownloads, name: str = "emodb") -> DownloadState:
    until = threading.Event()
    for _ in range(1000):
        if not downloads.state(name).busy:
            break
        until.wait(0.02)
    return downloads.state(name)


def test_a_corpus_comes_after_a_failed_try_and_stands_in_the_table(
    services: Services, address: str
) -> None:
    table = CorpusTableService(services)
    assert table.page(TableQuery()).rows == ()
    wrong = CorpusDownloads(services, fetcher(address, checksum="md5:00"))
    wrong.start("emodb", ME)
    failed = ended(wrong)
    assert failed.phase == "failed"
    assert "its owners state 00" in failed.message
    shown = watched(wrong, ME)
    assert "its owners state 00" in shown[NAMES.index("emodb")]
    assert shown[len(OPEN) + NAMES.index("emodb")]["interactive"], "it can be tried again"
    right = CorpusDownloads(services, fetcher(address))
    right.start("emodb", ME)
    assert ended(right).message == "EMO-DB: 2 of 535 clips are in the corpus."
    assert {row.emotion for row in table.page(TableQuery()).rows} == {"joy", "anger"}
    assert not watched(right, ME)[len(OPEN) + NAMES.index("emodb")]["interactive"]
    with pytest.raises(PageError, match="in the corpus already"):
        right.start("emodb", ME)


def test_one_at_a_time_with_its_progress_until_somebody_stops_it(services: Services) -> None:
    seen, asked = threading.Event(), threading.Event()

    def endless(name: str, root: Path, *, progress: Callable[[int, int], None], **_: Any) -> Any:
        while True:
            progress(3_000_000, 40_000_000)
            seen.set()
            asked.wait(0.01)

    downloads = CorpusDownloads(services, endless)
    downloads.start("emodb", ME)
    assert seen.wait(20)
    shown = watched(downloads, ME)
    assert "3 of 40 MB" in shown[NAMES.index("emodb")]
    assert shown[-1].active
    with pytest.raises(PageError, match="EMO-DB is being downloaded"):
        downloads.start("tess", ME)
    downloads.stop(ME)
    assert (ended(downloads).phase, ended(downloads).message) == ("stopped", STOPPED)
    with pytest.raises(PageError, match="No corpus is being"):
        downloads.stop(ME)


def test_a_disk_without_room_is_said_before_and_while_it_fills(services: Services) -> None:
    with pytest.raises(PageError, match="EMO-DB needs 81 MB, and 50 MB are free"):
        CorpusDownloads(services, free=lambda _: 50_000_000).start("emodb", ME)

    def full(*_: Any, **__: Any) -> Downloaded:
        raise OSError(errno.ENOSPC, "No space left on device")

    downloads = CorpusDownloads(services, full)
    downloads.start("emodb", ME)
    assert ended(downloads).message.startswith("The files can't be written (No space left")


@pytest.mark.parametrize(
    ("identity", "who"),
    [
        (Identity(space=True, owner="ada"), Annotator("eve", may_write=True, may_train=True)),
        (Identity(host="0.0.0.0"), Annotator("visitor", may_suggest=True)),
    ],
)
def test_others_may_not_fill_the_disk(
    services: Services, identity: Identity, who: Annotator
) -> None:
    services.identity = identity
    downloads = CorpusDownloads(services)
    for act in (lambda: downloads.start("emodb", who), lambda: downloads.stop(who)):
        with pytest.raises(PageError, match="Only whoever runs this page"):
            act()
    assert "Only whoever runs this page" in watched(downloads, who)[-2]
    assert not (services.home / "corpora").exists()
