"""Decoded clips by content hash in one file on disk, so that a codec is paid for once.

A file that was hashed before is not read again while its size and its times are what they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_core import audio
from ser_core.audio import speech_detection
from ser_core.corpora.clip import Clip, Problem
from ser_core.errors import AudioError
from trainer.data.packed import PCM, PackedSamples, peak

FORMAT = "pcm16-2"
"""Part of the key: another decoder or resampler here means another word."""

SHORTEST = 0.05
"""Seconds that a segment has to have, within its file, to be learned from."""

SILENT = 1e-4
"""Peak (full scale 1) up to which a clip holds no sound to learn from."""

WRITTEN_TOGETHER = 2**24
"""Samples (32 MB) that are decoded before they are written."""

SETTLED = 2.0
"""Seconds since a file was changed, from which on its times tell whether it changes again."""


def segment_digest(digest: str, clip: Clip) -> str:
    """Return what a clip's samples are kept under: its file's hash, with the times of a segment.

    >>> segment_digest("ab12", Clip(Path("a.wav"), "mine", "a", "joy", start=0.5))
    'ab12-0.5-'
    """
    if clip.start is None and clip.end is None:
        return digest
    return f"{digest}-{clip.start or 0:g}-{'' if clip.end is None else f'{clip.end:g}'}"


def cut(samples: NDArray[np.float32], clip: Clip, rate: int) -> NDArray[np.float32]:
    """Return a clip's segment of its file's samples.

    Args:
        samples: of the whole file, ``[..., time]``.
        clip: with the start and the end in seconds.
        rate: Hz.

    Raises:
        AudioError: less than SHORTEST seconds of the segment lie within the file.
    """
    last = samples.shape[-1] if clip.end is None else round(clip.end * rate)
    part = samples[..., round((clip.start or 0.0) * rate) : last]
    if part.shape[-1] < SHORTEST * rate:
        raise AudioError(
            f"{clip.path.name}: its segment from {clip.start or 0:g} s to "
            f"{'the end' if clip.end is None else f'{clip.end:g} s'} has {part.shape[-1] / rate:.2f}"
            f" s in a file of {samples.shape[-1] / rate:.2f} s. Correct the times in the table."
        )
    return part


_Read = tuple[str, PCM | None] | Problem
"""A clip's content hash, with its samples where they are new, or why it can't be used."""


class DecodedClips:
    """Mono 16-bit copies of clips, keyed by content hash, sample rate and format.

    Args:
        folder: where they are kept; may be deleted at any time.
        sample_rate: Hz.
        trim: leave out what lies before and behind the speech.
        workers: threads that read and decode.
    """

    def __init__(
        self,
        folder: str | Path,
        sample_rate: int = audio.SAMPLE_RATE,
        *,
        trim: bool = False,
        workers: int = 2,
    ) -> None:
        kind = f"{FORMAT}-{sample_rate}"
        self.cache = Path(folder)
        self.folder = Path(folder) / (f"{kind}-speech" if trim else kind)
        self.sample_rate, self.trim, self.workers = sample_rate, trim, workers
        self._packed = PackedSamples(self.folder)

    def whole(self) -> DecodedClips:
        """Return the clips with their silent ends, from the same cache."""
        return DecodedClips(self.cache, self.sample_rate) if self.trim else self

    def prepare(
        self, clips: Sequence[Clip], progress: Callable[[int, int], None] | None = None
    ) -> tuple[dict[Path, str], list[Problem]]:
        """Decode what is not there yet.

        Args:
            clips: what will be asked for.
            progress: called with clips done and clips in all.

        Returns:
            The content hash of each usable file, and a problem for each clip that can't be used:
            kinds ``missing-file``, ``broken-audio``, ``silent``. The samples of a segment are
            under `segment_digest`.
        """
        digests: dict[Path, str] = {}
        problems: list[Problem] = []
        self._packed.refresh()  # the cache may have been deleted since
        known = KnownFiles(self.cache / "files.jsonl")
        fresh: dict[str, PCM] = {}
        try:
            for done, (clip, found) in enumerate(self._read_all(clips, known), 1):
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    digest, pcm = found
                    key = segment_digest(digest, clip)
                    if pcm is not None:
                        fresh[key] = pcm
                    if self._peak(key, fresh) <= SILENT * 32768:
                        problems.append(Problem(clip.key, "silent", "it holds no sound"))
                    else:
                        digests[clip.path] = digest
                if sum(map(len, fresh.values())) >= WRITTEN_TOGETHER:
                    self._packed.add(fresh)
                    fresh = {}
                if progress is not None:
                    progress(done, len(clips))
        finally:  # also of a run that is stopped here
            if fresh:
                self._packed.add(fresh)
            known.save()
        return digests, problems

    def _peak(self, key: str, fresh: Mapping[str, PCM]) -> int:
        if key in fresh:
            return peak(fresh[key])
        place = self._packed.find(key)
        return 0 if place is None else place.peak

    def _read_all(
        self, clips: Sequence[Clip], known: KnownFiles
    ) -> Iterator[tuple[Clip, _Read]]:
        """Yield each clip's content hash, and its samples where they are new, in order."""
        waiting: deque[tuple[Clip, Future[_Read]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="decode") as pool:
            try:
                for clip in clips:
                    digest = known.digest(clip.path)
                    future: Future[_Read]
                    if digest is not None and self._packed.find(segment_digest(digest, clip)):
                        future = Future()
                        future.set_result((digest, None))
                    else:
                        future = pool.submit(self._read_one, clip, known)
                    waiting.append((clip, future))
                    if len(waiting) > 2 * self.workers:
                        first, ready = waiting.popleft()
                        yield first, ready.result()
                while waiting:
                    first, ready = waiting.popleft()
                    yield first, ready.result()
            finally:
                for _, future in waiting:
                    future.cancel()

    def _read_one(
        self, clip: Clip, known: KnownFiles
    ) -> _Read:
        try:
            state = known.state(clip.path)
            data = clip.path.read_bytes()
        except OSError as error:
            return Problem(clip.key, "missing-file", f"{clip.path}: {error.strerror}")
        digest = hashlib.sha256(data).hexdigest()
        try:
            here = self._packed.find(segment_digest(digest, clip)) is not None
            found = digest, None if here else self._decoded(data, clip)
        except AudioError as error:
            return Problem(clip.key, "broken-audio", str(error))
        known.note(clip.path, state, digest)
        return found

    def _decoded(self, data: bytes, clip: Clip) -> PCM:
        found = audio.load(data, name=clip.path.name, sample_rate=self.sample_rate)
        mono = audio.mono(found.samples)[0]
        if clip.start is not None or clip.end is not None:
            mono = cut(mono, clip, self.sample_rate)
        if self.trim:
            mono = speech_detection.trimmed(mono[None], self.sample_rate)[0]
        pcm: PCM = np.clip(np.round(mono * 32768), -32768, 32767).astype(np.int16)
        return pcm

    def samples(self, digest: str) -> NDArray[np.float32]:
        """Return a prepared clip, float32 ``[1, time]``, full scale 1.

        Raises:
            FileNotFoundError: it was not prepared, or the cache was deleted since.
        """
        pcm = self._packed.get(digest)
        return (pcm.astype(np.float32) / np.float32(32768))[None, :]


class KnownFiles:
    """Content hashes of files, while their size, times and place on the disk stay the same.

    Args:
        path: where they are kept, a line for each file; may be deleted at any time.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._held: dict[str, tuple[list[int], str]] = {}
        self._new: list[str] = []
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            try:
                name, state, digest = json.loads(line)
            except ValueError:  # a torn line: its file is read again
                continue
            self._held[name] = (state, digest)

    def state(self, path: Path) -> list[int]:
        """Return what tells whether a file is still the same.

        Raises:
            OSError: the file is not there.
        """
        found = path.stat()
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]

    def digest(self, path: Path) -> str | None:
        """Return a file's content hash, None where it must be read."""
        held = self._held.get(os.path.abspath(path))
        try:
            return held[1] if held is not None and held[0] == self.state(path) else None
        except OSError:
            return None

    def note(self, path: Path, state: list[int], digest: str) -> None:
        """Remember a file as it was before it was read; not one that was changed just now."""
        changed = max(state[1], state[2]) / 1e9
        if self._clock() - changed >= SETTLED:
            self._new.append(json.dumps([os.path.abspath(path), state, digest]))

    def save(self) -> None:
        """Write what is new; where the disk does not take it, the files are read again."""
        if not self._new:
            return
        text = "".join(f"{line}\n" for line in self._new)
        self._new = []
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return
