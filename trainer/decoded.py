"""Decoded clips on disk by content hash, so that a codec is paid for once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_core import audio, vad
from ser_core.corpora.clip import Clip, Problem
from ser_core.errors import AudioError

FORMAT = "pcm16-1"
"""Part of the key: another decoder or resampler here means another word."""

SILENT = 1e-4
"""Peak (full scale 1) up to which a clip holds no sound to learn from."""


class DecodedClips:
    """Mono 16-bit copies of clips, keyed by content hash, sample rate and format.

    Args:
        folder: where they are kept; may be deleted at any time.
        sample_rate: Hz.
        trim: leave out what lies before and behind the speech.
    """

    def __init__(
        self, folder: str | Path, sample_rate: int = audio.SAMPLE_RATE, *, trim: bool = False
    ) -> None:
        kind = f"{FORMAT}-{sample_rate}"
        self.cache = Path(folder)
        self.folder = Path(folder) / (f"{kind}-speech" if trim else kind)
        self.sample_rate, self.trim = sample_rate, trim

    def whole(self) -> DecodedClips:
        """Return the clips with their silent ends, from the same cache."""
        return DecodedClips(self.cache, self.sample_rate) if self.trim else self

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.npy"

    def prepare(
        self, clips: Sequence[Clip], progress: Callable[[int, int], None] | None = None
    ) -> tuple[dict[Path, str], list[Problem]]:
        """Decode what is not there yet.

        Args:
            clips: what will be asked for.
            progress: called with clips done and clips in all.

        Returns:
            The content hash of each usable file, and a problem for each that can't be used:
            kinds ``missing-file``, ``broken-audio``, ``silent``.
        """
        digests: dict[Path, str] = {}
        problems: list[Problem] = []
        for done, clip in enumerate(clips, 1):
            try:
                data = clip.path.read_bytes()
            except OSError as error:
                problems.append(Problem(clip.key, "missing-file", f"{clip.path}: {error.strerror}"))
                continue
            digest = hashlib.sha256(data).hexdigest()
            try:
                if not self._path(digest).exists():
                    self._decode(data, digest, clip)
                if np.abs(self.samples(digest)).max() <= SILENT:
                    problems.append(Problem(clip.key, "silent", "it holds no sound"))
                else:
                    digests[clip.path] = digest
            except AudioError as error:
                problems.append(Problem(clip.key, "broken-audio", str(error)))
            if progress is not None:
                progress(done, len(clips))
        return digests, problems

    def _decode(self, data: bytes, digest: str, clip: Clip) -> None:
        found = audio.load(data, name=clip.path.name, sample_rate=self.sample_rate)
        mono = audio.mono(found.samples)[0]
        if self.trim:
            mono = vad.trimmed(mono[None], self.sample_rate)[0]
        pcm = np.clip(np.round(mono * 32768), -32768, 32767).astype(np.int16)
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, pcm)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def samples(self, digest: str) -> NDArray[np.float32]:
        """Return a prepared clip, float32 ``[1, time]``, full scale 1."""
        pcm: NDArray[np.int16] = np.load(self._path(digest))
        return (pcm.astype(np.float32) / np.float32(32768))[None, :]
