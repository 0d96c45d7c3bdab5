"""Background scoring: one quiet thread predicts the clips that nobody was shown yet.

It rests while somebody waits for an answer, and as long as it worked after each clip. What it
learns lies on disk by model version and clip, so that it goes on where it stopped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ser_core.errors import SerError
from ui.catalogue import Source
from ui.clip_cache import read_bytes
from ui.errors import GoneError
from ui.predictions import PredictionCache, predict_clip
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

MOST = 20_000
"""Most clips that are asked about between a start of the studio and the next."""

LONGEST = 60.0
"""Seconds; of a longer clip the model is asked when somebody is shown it."""

IDLE = 30.0


class BackgroundScoring:
    """The background scoring of one home.

    Args:
        services: model and home.
        clips: the clips that may be shown, by hash.
        most: stop after this many clips.
        quiet: seconds without anybody's question before a clip is taken.
        draws: whether the queue's order goes by draws from the model, so that they are made too.
        wait: waits some seconds or until it is stopped, and says which; None = for real.
    """

    def __init__(
        self,
        services: Services,
        clips: Callable[[], dict[str, Source]],
        *,
        most: int = MOST,
        quiet: float = 3.0,
        draws: Callable[[], bool] = lambda: False,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._services = services
        self._clips = clips
        self._left = most
        self._quiet = quiet
        self._draws = draws
        self._stop = threading.Event()
        self._wait = wait or (lambda seconds: self._stop.wait(seconds))
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._refused: set[str] = set()
        self.trouble = ""
        """Why it does not go on, "" while it does."""

    @property
    def running(self) -> bool:
        """Whether it is at work, or waits for quiet."""
        return self._thread is not None and self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Begin, or go on; one that is at work is left alone."""
        with self._lock:
            if self.running:
                return
            if self._thread is not None:
                self._thread.join()  # it was asked to stop and ends after its clip
            self._stop.clear()
            self._thread = threading.Thread(
                target=self.work, name="background scoring", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End after the clip that is being scored."""
        self._stop.set()

    def work(self) -> None:
        """Score clips until asked to stop, or until as many were scored as are allowed."""
        todo: Iterator[tuple[str, Source]] = iter(())
        asked: tuple[str, bool] | None = None
        pause = 0.0
        while self._left > 0 and not self._wait(pause):
            if self._services.quiet_seconds() < self._quiet:
                pause = self._quiet
                continue
            now = (self._services.champion()["version"], self._draws())
            following = next(todo, None) if now == asked else None
            if following is None:
                asked, todo = now, self._unscored(*now)
                following = next(todo, None)
            if following is None:
                pause = IDLE
                continue
            begun = time.monotonic()
            try:
                recognizer = self._services.resting.recognizer
            except SerError as error:  # no model: the page says so too, wherever one is needed
                self.trouble, pause = str(error), IDLE
                continue
            self._score(recognizer, *following, draws=now[1])
            pause = time.monotonic() - begun

    def _unscored(self, version: str, draws: bool) -> Iterator[tuple[str, Source]]:
        known = {
            sha
            for sha, one in PredictionCache(self._services, version).all().items()
            if one.information is not None or not (draws and one.probabilities)
        }
        clips = self._clips()
        return iter(
            [
                (sha, one)
                for sha, one in clips.items()
                if sha not in known and sha not in self._refused
            ]
        )

    def _score(self, recognizer: Recognizer, sha: str, source: Source, *, draws: bool) -> None:
        from ser_core import audio

        self._left -= 1
        try:
            clip = audio.load(
                read_bytes(self._services, sha, source),
                name=source.name,
                sample_rate=recognizer.specification.sample_rate,
                max_seconds=LONGEST,
                max_bytes=self._services.settings.max_bytes,
            )
            predict_clip(self._services, sha, clip, recognizer=recognizer, draws=draws)
            self.trouble = ""
        except (SerError, GoneError) as error:  # the page says so when it is shown
            self._refused.add(sha)
            self.trouble = str(error)
