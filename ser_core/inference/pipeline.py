"""The one way from sound to logits: speech, windows, batches across clips, network, mean.

Whoever asks a model about a clip comes through here: the page, the command line, the trainer. They
differ in what they hand in: the runtime (another device, precision or a changed feature map), the
batch size, the workers that decode ahead, and speech that was detected before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ser_core.audio import Audio, mono, stereo
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SerError
from ser_core.inference.runtime import Lengths, Runtime, Samples
from ser_core.inference.windows import SpeechActivity, WindowPlan, detect_speech, plan_windows

BATCH = 16
"""Windows that go through the network together."""

AHEAD_SECONDS = 900.0
"""Decoded sound that may wait for the network before no further clip is decoded."""

T = TypeVar("T")
_Fetched = tuple[Audio, SpeechActivity] | SerError
Progress = Callable[[int, int], None]
Detector = Callable[[T, Audio], SpeechActivity]


@dataclass(frozen=True, eq=False)
class WindowLogits:
    """What the network makes of one clip.

    Attributes:
        clip: the sound.
        activity: where somebody speaks in it, and why no answer can be given, if so.
        plan: its windows.
        by_window: logits ``[window, emotion]``; NaN where the network was not asked.
    """

    clip: Audio
    activity: SpeechActivity
    plan: WindowPlan
    by_window: NDArray[np.float64]

    @property
    def logits(self) -> NDArray[np.float64]:
        """Logits of the clip, ``[emotion]``: the mean over the windows that are judged."""
        mean: NDArray[np.float64] = self.by_window[list(self.plan.judged)].mean(axis=0)
        return mean

    def piece(self, place: int) -> Samples:
        """Return the sound of one window, ``[channel, time]``."""
        first, end = self.plan.bounds[place]
        return self.clip.samples[:, first:end]

    def asked(self, always: bool = False) -> list[int]:
        """Return which windows the network is asked about.

        Args:
            always: ask also about a clip that gets no answer.
        """
        if self.activity.abstention is not None and not always:
            return []
        return [place for place, judged in enumerate(self.plan.judged) if judged]


class Pipeline:
    """A network with everything in front of it and behind it, up to a clip's logits.

    Args:
        specification: of the model.
        runtime: runs the network.
        batch_size: windows that go through it together.
    """

    def __init__(
        self, specification: Specification, runtime: Runtime, *, batch_size: int = BATCH
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} windows; 1 or more are expected")
        self.specification, self.runtime = specification, runtime
        self.batch_size = batch_size

    def run(
        self,
        sources: Iterable[T],
        load: Callable[[T], Audio],
        *,
        detect: Detector[T] | None = None,
        workers: int = 0,
        always: bool = False,
        tolerant: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[tuple[T, WindowLogits | SerError]]:
        """Yield each source with its logits, or with the error that it failed with, in order.

        Args:
            sources: what clips are made from; taken only a little ahead of the network.
            load: source to sound ``[channel, time]`` at the model's rate; called by several
                threads where there are workers.
            detect: source and its sound to its speech, for those who remember it; None finds it.
            workers: threads that load and detect speech while the network is at work.
            always: ask the network also about clips that get no answer.
            tolerant: an error that nobody foresaw, too, is that clip's outcome.
            progress: called with the windows done and the windows known so far.
        """
        waiting: deque[_Waiting[T]] = deque()
        pieces: deque[tuple[_Waiting[T], WindowLogits, int]] = deque()
        done = known = 0

        def fetch(source: T) -> _Fetched:
            try:
                clip = load(source)
                return clip, detect(source, clip) if detect else detect_speech(clip)
            except SerError as error:
                return error
            except Exception as error:
                if not tolerant:
                    raise
                # Whatever a decoder stumbles over is that one clip's matter; the rest go on.
                return SerError(f"It can't be read ({type(error).__name__}: {error}).")

        def forward() -> None:
            nonlocal done
            batch = [pieces.popleft() for _ in range(min(self.batch_size, len(pieces)))]
            logits = self.runtime(*self.batch([found.piece(place) for _, found, place in batch]))
            for (entry, found, place), row in zip(batch, logits, strict=True):
                found.by_window[place] = row
                entry.left -= 1
            done += len(batch)
            if progress is not None:
                progress(done, known)

        for source, fetched in _ahead(fetch, sources, workers, self.batch_size):
            if isinstance(fetched, SerError):
                waiting.append(_Waiting((source, fetched)))
            else:
                found = self.planned(*fetched)
                asked = found.asked(always)
                entry = _Waiting((source, found), len(asked))
                waiting.append(entry)
                pieces.extend((entry, found, place) for place in asked)
                known += len(asked)
            while len(pieces) >= self.batch_size:
                forward()
            while waiting and waiting[0].left == 0:
                yield waiting.popleft().outcome
        while pieces:
            forward()
        yield from (entry.outcome for entry in waiting)

    def batch(self, pieces: Sequence[Samples]) -> tuple[Samples, Lengths]:
        """Return padded waveforms ``[n, channel, window]`` and their valid lengths ``[n]``.

        Args:
            pieces: waveforms ``[channel, time]`` at the model's rate, each at most one window.
        """
        window = self.specification.samples
        waveform = np.zeros((len(pieces), self.specification.input_channels, window), np.float32)
        for row, piece in zip(waveform, pieces, strict=True):
            row[:, : piece.shape[1]] = self._channels(piece)[:, :window]
        return waveform, np.array([min(p.shape[1], window) for p in pieces], dtype=np.int64)

    def _channels(self, samples: Samples) -> Samples:
        expected = self.specification.input_channels
        if samples.shape[0] == expected:
            return samples
        return mono(samples) if expected == 1 else stereo(samples)

    def planned(self, clip: Audio, activity: SpeechActivity) -> WindowLogits:
        """Return a clip's windows before the network was asked about any.

        Args:
            clip: at the model's rate.
            activity: where somebody speaks in it.
        """
        held = self.specification
        plan = plan_windows(
            clip.samples.shape[1],
            activity,
            window=held.samples,
            rate=clip.sample_rate,
            trim=held.trim_silence,
        )
        rows = np.full((len(plan.bounds), len(held.emotions)), np.nan)
        return WindowLogits(clip, activity, plan, rows)


@dataclass
class _Waiting(Generic[T]):
    """A clip that waits for its turn, and for how many windows."""

    outcome: tuple[T, WindowLogits | SerError]
    left: int = 0


def _ahead(
    fetch: Callable[[T], _Fetched], sources: Iterable[T], workers: int, clips: int
) -> Iterator[tuple[T, _Fetched]]:
    """Yield what ``fetch`` makes of each source, in order, up to ``clips`` made ahead of time."""
    if workers < 1:
        yield from ((source, fetch(source)) for source in sources)
        return
    left = iter(sources)
    waiting: deque[tuple[T, Future[_Fetched]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        more = True
        while more or waiting:
            while more and len(waiting) < clips and _seconds(waiting) < AHEAD_SECONDS:
                try:
                    source = next(left)
                except StopIteration:
                    more = False
                else:
                    waiting.append((source, pool.submit(fetch, source)))
            if waiting:
                source, future = waiting.popleft()
                yield source, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _seconds(waiting: Iterable[tuple[T, Future[_Fetched]]]) -> float:
    """Return the seconds of sound that lie decoded."""
    results = (future.result() for _, future in waiting if future.done())
    return sum(found[0].seconds for found in results if not isinstance(found, SerError))
