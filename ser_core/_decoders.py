"""The three programs that decode, behind one shape: blocks of float32 `[frame, channel]`.

soundfile (libsndfile) reads the common containers, PyAV what needs FFmpeg's libraries, and pydub
calls the program ffmpeg for what PyAV's build leaves out. Each decodes block by block, so that a
small file that unpacks to hours is stopped at the limit and never fills the memory.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soundfile

if TYPE_CHECKING:
    import av.container

Samples = npt.NDArray[np.float32]

SOUNDFILE_CONTAINERS = frozenset({"wav", "w64", "aiff", "flac", "ogg", "mp3", "au", "caf"})
_BLOCK = 1 << 18  # samples over all channels
_MOST_CHANNELS = 64


class _Bytes(io.BytesIO):
    """Bytes in which libsndfile may seek before the start, as it does in damaged files."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return super().seek(offset if whence else max(0, offset), whence)


class CannotDecodeError(Exception):
    """A decoder can't read this file, or can't read on; its text is the decoder's reason.

    Attributes:
        weight: 0 when the decoder is not made for it, 1 when it tried, 2 when no other
            decoder need be asked.
    """

    def __init__(self, reason: str, weight: int = 1) -> None:
        super().__init__(reason.strip().rstrip("."))
        self.weight = weight


@dataclass(frozen=True, slots=True)
class Block:
    """Some frames of sound.

    Attributes:
        samples: float32 `[frame, channel]`.
        rate: frames a second.
        declared: frames that the header promises for the whole file, or None.
    """

    samples: Samples
    rate: int
    declared: int | None = None


Decoder = Callable[[bytes, str, float], Iterator[Block]]


def by_soundfile(data: bytes, kind: str, most_seconds: float) -> Iterator[Block]:
    """Decode with libsndfile; a first, empty block carries what the header says."""
    if kind not in SOUNDFILE_CONTAINERS:
        raise CannotDecodeError(f"libsndfile does not read {kind}", weight=0)
    try:
        with soundfile.SoundFile(_Bytes(data)) as file:
            _check_channels(file.channels)
            length = max(1, _BLOCK // file.channels)
            yield Block(np.zeros((0, file.channels), np.float32), file.samplerate, file.frames)
            while True:
                samples = file.read(length, dtype="float32", always_2d=True)
                if not len(samples):
                    return
                yield Block(samples, file.samplerate, file.frames)
    except soundfile.LibsndfileError as error:
        if "does not exist" in error.error_string:  # its word for "I don't recognise this"
            raise CannotDecodeError("no sound was recognised in it") from error
        raise CannotDecodeError(error.error_string) from error


def by_pyav(data: bytes, kind: str, most_seconds: float) -> Iterator[Block]:
    """Decode the first audio stream with FFmpeg's libraries, as PyAV carries them.

    The container is given, not guessed by FFmpeg: its guess may be a playlist, which would
    open other files.
    """
    try:
        import av
    except ImportError as error:
        raise CannotDecodeError(f"PyAV can't be loaded ({error})", weight=0) from error
    try:
        with av.open(io.BytesIO(data), format=kind, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise CannotDecodeError("it holds no audio stream", weight=2)
            seconds = _promised_seconds(file)
            resampler: av.AudioResampler | None = None
            for frame in file.decode(audio=0):
                if resampler is None:
                    _check_channels(frame.layout.nb_channels)
                    # the rate is the decoded one: HE-AAC headers may state half of it
                    resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
                    rate = frame.sample_rate
                    declared = None if seconds is None else int(seconds * rate)
                frame.pts = None
                for plain in resampler.resample(frame):
                    yield Block(plain.to_ndarray().T, rate, declared)
    except (av.FFmpegError, ValueError) as error:  # ValueError: the format changes midway
        raise CannotDecodeError(getattr(error, "strerror", None) or str(error)) from error


def by_ffmpeg(data: bytes, kind: str, most_seconds: float) -> Iterator[Block]:
    """Decode with pydub, which calls the programs ffmpeg and ffprobe."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise CannotDecodeError(
            "the program ffmpeg (with ffprobe), which might read it, is not installed", weight=0
        )
    from pydub import AudioSegment
    from pydub.exceptions import CouldntDecodeError

    bound = None if math.isinf(most_seconds) else most_seconds + 1.0
    try:
        segment = AudioSegment.from_file(io.BytesIO(data), format=kind, duration=bound)
    except (CouldntDecodeError, OSError, IndexError, KeyError, ValueError) as error:
        # pydub indexes into ffprobe's answer, which is empty for damaged files
        reason = str(error).strip().splitlines()
        raise CannotDecodeError(reason[-1] if reason else "ffmpeg failed") from error
    _check_channels(segment.channels)
    whole = np.frombuffer(segment.raw_data, dtype=f"<i{segment.sample_width}")
    whole = whole.reshape(-1, segment.channels)
    scale = np.float32(1.0 / (1 << (8 * segment.sample_width - 1)))
    length = max(1, _BLOCK // segment.channels)
    for start in range(0, len(whole), length):
        yield Block(whole[start : start + length].astype(np.float32) * scale, segment.frame_rate)


def _promised_seconds(file: av.container.InputContainer) -> float | None:
    """Return the length of the audio that the header states, where it does."""
    if file.format.name in ("aac", "amr", "mp3"):
        return None  # nothing is stated there; FFmpeg guesses from the bit rate
    stream = file.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if file.duration is None or len(file.streams) > 1:
        return None  # not the audio's length but the picture's
    return float(file.duration / 1e6)


def _check_channels(channels: int) -> None:
    if channels > _MOST_CHANNELS:
        raise CannotDecodeError(f"it has {channels} channels, more than {_MOST_CHANNELS}", weight=2)


DECODERS: tuple[Decoder, ...] = (by_soundfile, by_pyav, by_ffmpeg)
"""In the order in which they are asked."""
