"""Published corpora fetched from the page: one at a time, in the background."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ser_core.corpora.download import Downloaded, download
from ser_core.corpora.sources import CORPORA_INFO, SOURCES, Archive, CorpusInfo
from ser_core.errors import SerError
from ser_core.home import Home
from ui.errors import PageError
from ui.identity import Annotator, Identity
from ui.services import Services

OPEN = tuple(info for info in CORPORA_INFO.values() if info.open)
"""Corpora that their owners offer openly."""

FOR_THE_OWNER = "Only whoever runs this page can download corpora to it."
STOPPED = "Stopped. What has arrived is kept: download it again to go on."
BROKEN = "The download ended unexpectedly; the studio's log says why. Try it again."


@dataclass(frozen=True)
class DownloadState:
    """How the download of a corpus stands.

    Attributes:
        phase: ``none``, ``running``, ``stopping``, ``stopped``, ``failed``, or ``here`` (its
            folder is there).
        done, total: bytes of an archive, else files; a total of 0 is not known yet.
        message: how it ended, in a sentence, or "".
    """

    phase: str = "none"
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def busy(self) -> bool:
        """Whether it is at work."""
        return self.phase in ("running", "stopping")


class _StoppedError(PageError):
    """Somebody asked for the end of the download."""


def free_bytes(folder: Path) -> int:
    """Return how much room there is on the disk of a folder."""
    return shutil.disk_usage(folder).free


class CorpusDownloads:
    """The downloads of this page into one home.

    Args:
        services: the settings; corpora go into their home.
        fetch: brings a corpus into a folder, as `ser_core.corpora.download.download` does.
        free: bytes that a folder's disk still takes.
    """

    def __init__(
        self,
        services: Services,
        fetch: Callable[..., Downloaded] = download,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.services, self._fetch, self._free = services, fetch, free
        self._root = Home(services.home).corpora
        self._lock = threading.Lock()
        self._states: dict[str, DownloadState] = {}

    def start(self, name: str, who: Annotator) -> None:
        """Begin to fetch a corpus; who asks for it accepts its licence.

        Raises:
            PageError: the person may not, another download is at work, the corpus is there or
                unknown, or the disk has no room for it.
        """
        self.require(who)
        info = next((one for one in OPEN if one.name == name), None)
        if info is None:
            raise PageError(f"“{name}” is not a corpus that can be downloaded.")
        with self._lock:
            busy = self._busy()
            if busy is not None:
                raise PageError(
                    f"{busy.title} is being downloaded. Wait for it to finish, or stop it."
                )
            if (self._root / name).exists():
                raise PageError(f"{info.title} is in the corpus already.")
            self._require_room(info)
            self._states[name] = DownloadState("running")
        threading.Thread(target=self._work, args=(info,), daemon=True).start()

    def stop(self, who: Annotator) -> None:
        """Ask the download to end; what has arrived is kept.

        Raises:
            PageError: the person may not, or none is at work.
        """
        self.require(who)
        with self._lock:
            busy = self._busy()
            if busy is None:
                raise PageError("No corpus is being downloaded.")
            self._states[busy.name] = replace(self._states[busy.name], phase="stopping")

    def state(self, name: str) -> DownloadState:
        """Return how the download of a corpus stands."""
        with self._lock:
            found = self._states.get(name, DownloadState())
        if not found.busy and (self._root / name).exists():
            return replace(found, phase="here")
        return found

    def require(self, who: Annotator) -> None:
        """Refuse those who may not fill this disk.

        Raises:
            PageError: with the reason.
        """
        if not may_download(self.services.identity, who):
            raise PageError(FOR_THE_OWNER)

    def _busy(self) -> CorpusInfo | None:
        return next((one for one in OPEN if self._states.get(one.name, DownloadState()).busy), None)

    def _require_room(self, info: CorpusInfo) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            free = self._free(self._root)
        except OSError as error:
            raise PageError(
                f"The folder of the corpora can't be used ({error.strerror})."
            ) from error
        # An archive lies there beside what is unpacked from it.
        needed = info.size * (2 if isinstance(SOURCES[info.name], Archive) else 1)
        if free < needed:
            raise PageError(
                f"{info.title} needs {megabytes(needed)} MB, and {megabytes(free)} MB are free. "
                "Make room, then download it again."
            )

    def _work(self, info: CorpusInfo) -> None:
        phase, message = "failed", BROKEN
        try:
            got = self._fetch(
                info.name,
                self._root,
                accept=lambda _: True,
                progress=lambda done, total: self._tick(info.name, done, total),
            )
            phase = "here"
            message = f"{info.title}: {got.clips} of {got.expected} clips are in the corpus."
        except _StoppedError:
            phase, message = "stopped", STOPPED
        except OSError as error:
            message = (
                f"The files can't be written ({error.strerror}). What has arrived is kept: "
                "make room, then download it again."
            )
        except SerError as error:
            message = str(error)  # begins with an address, or with the corpus
        finally:
            with self._lock:
                self._states[info.name] = DownloadState(phase, message=message)

    def _tick(self, name: str, done: int, total: int) -> None:
        with self._lock:
            if self._states[name].phase == "stopping":
                raise _StoppedError
            self._states[name] = DownloadState("running", done, total)


def may_download(identity: Identity, who: Annotator) -> bool:
    """Say whether somebody may download corpora: in a Space its owner alone, whose disk it is."""
    return who.may_write and (identity.mode != "space" or who.name == identity.owner)


def megabytes(size: int) -> str:
    """Return bytes as megabytes.

    >>> megabytes(40_600_000), megabytes(1_234_567_890)
    ('41', '1,235')
    """
    return f"{size / 1e6:,.0f}"
