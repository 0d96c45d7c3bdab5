"""Requests that come at once share the network: batches across them, fair by request.

Each request has its turn, oldest first, with a few windows; then it stands at the back of the line.
So a clip of one window waits for the windows of one batch, however long the clips beside it are.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ser_core.inference.runtime import Lengths, Logits, Runtime, Samples

LIKE = 0.75
"""Windows share a batch where the shorter has this share of the longer: the rest is padding."""


@dataclass(eq=False)
class _Request:
    """Windows of one caller, and what came of them."""

    waveform: Samples
    lengths: Lengths
    parts: list[Logits] = field(default_factory=list)
    taken: int = 0
    error: Exception | None = None

    @property
    def left(self) -> int:
        return len(self.lengths) - self.taken

    @property
    def done(self) -> bool:
        return self.error is not None or sum(map(len, self.parts)) == len(self.lengths)


class DynamicBatching:
    """A runtime that serves several threads at once, in batches across them.

    One of the threads that wait runs the next batch for all whose windows are in it; the others
    sleep. An answer does not depend on its batch-mates, for no row of a network here does.

    Args:
        runtime: runs the network; called by one thread at a time.
        rows: most windows of a batch, 1 or more.
    """

    def __init__(self, runtime: Runtime, rows: int) -> None:
        if rows < 1:
            raise ValueError(f"batches of {rows} windows; 1 or more are expected")
        self.runtime, self.rows = runtime, rows
        self._line: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._running = False

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        """Return logits; see ``Runtime``."""
        own = _Request(waveform, lengths)
        with self._changed:
            self._line.append(own)
        while not own.done:
            with self._changed:
                self._changed.wait_for(lambda: own.done or not self._running)
                if own.done:
                    break
                batch = self._next()
                self._running = True
            try:
                self._run(batch)
            finally:
                with self._changed:
                    self._running = False
                    self._changed.notify_all()
        if own.error is not None:
            raise own.error
        return own.parts[0] if len(own.parts) == 1 else np.concatenate(own.parts)

    def waiting(self) -> int:
        """Return how many requests have windows for which no batch has begun."""
        with self._changed:
            return len(self._line)

    def _next(self) -> list[tuple[_Request, slice]]:
        """Take the next batch from the line: windows of the oldest request, and of others like."""
        share = max(1, self.rows // len(self._line))
        room, longest, shortest = self.rows, 0, 0
        batch: list[tuple[_Request, slice]] = []
        behind: list[tuple[_Request, bool]] = []
        for _ in range(len(self._line)):
            request = self._line.popleft()
            first = request.taken
            lengths = request.lengths[first : first + min(share, room)]
            low, high = int(lengths.min()), int(lengths.max())
            if batch and min(low, shortest) < LIKE * max(high, longest):
                behind.append((request, False))
                continue
            longest = max(high, longest)
            shortest = min(low, shortest) if batch else low
            request.taken += len(lengths)
            room -= len(lengths)
            batch.append((request, slice(first, request.taken)))
            behind.append((request, True))
            if room == 0:
                break
        # Who was passed over keeps the place in front; who had a turn goes to the back.
        self._line.extendleft(one for one, served in reversed(behind) if not served)
        self._line.extend(one for one, served in behind if served and one.left)
        return batch

    def _run(self, batch: Sequence[tuple[_Request, slice]]) -> None:
        lengths = np.concatenate([request.lengths[rows] for request, rows in batch])
        longest = int(lengths.max())
        try:
            waveform = [request.waveform[rows, :, :longest] for request, rows in batch]
            logits = self.runtime(_stacked(waveform, longest), lengths)
        except Exception as error:  # noqa: BLE001 - raised where the windows came from, below
            with self._changed:
                for request, _ in batch:
                    request.error = error
                    if request in self._line:
                        self._line.remove(request)
            return
        first = 0
        for request, rows in batch:
            count = rows.stop - rows.start
            request.parts.append(logits[first : first + count])
            first += count


def _stacked(parts: Sequence[Samples], time: int) -> Samples:
    """Return waveforms ``[n, channel, time]`` one behind the other, padded to one length."""
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0])
    whole = np.zeros((sum(map(len, parts)), parts[0].shape[1], time), np.float32)
    first = 0
    for part in parts:
        whole[first : first + len(part), :, : part.shape[2]] = part
        first += len(part)
    return whole
