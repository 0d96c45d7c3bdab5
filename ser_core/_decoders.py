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

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float32]

SOUNDFILE_CONTAINERS = frozenset({"wav", "w64", "aiff", "flac", "ogg", "mp3", "au", "caf"})
_BLOCK = 1 << 18  # samples over all channels
_MOST_CHANNELS = 64


class CannotDecodeError(Exception):
    """A decoder can't read this file, or can't read on; its text is the decoder's reason."""


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
        raise CannotDecodeError(f"libsndfile does not read {kind}")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check_channels(file.channels)
            length = max(1, _BLOCK // file.channels)
            yield Block(np.zeros((0, file.channels), np.float32), file.samplerate, file.frames)
            while True:
                samples = file.read(length, dtype="float32", always_2d=True)
                if not len(samples):
                    return
                yield Block(samples, file.samplerate, file.frames)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise CannotDecodeError(str(error)) from error


def by_pyav(data: bytes, kind: str, most_seconds: float) -> Iterator[Block]:
    """Decode the first audio stream with FFmpeg's libraries, as PyAV carries them.

    The container is given, not guessed by FFmpeg: its guess may be a playlist, which would
    open other files.
    """
    try:
        import av
    except ImportError as error:
        raise CannotDecodeError(f"PyAV is not installed ({error})") from error
    try:
        with av.open(io.BytesIO(data), format=kind, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise CannotDecodeError("it holds no audio stream")
            resampler: av.AudioResampler | None = None
            for frame in file.decode(audio=0):
                if resampler is None:
                    _check_channels(frame.layout.nb_channels)
                    # the rate is the decoded one: HE-AAC headers may state half of it
                    resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
                    rate = frame.sample_rate
                frame.pts = None
                for plain in resampler.resample(frame):
                    yield Block(np.ascontiguousarray(plain.to_ndarray().T), rate)
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise CannotDecodeError(str(error)) from error


def by_ffmpeg(data: bytes, kind: str, most_seconds: float) -> Iterator[Block]:
    """Decode with pydub, which calls the programs ffmpeg and ffprobe."""
    missing = [program for program in ("ffmpeg", "ffprobe") if shutil.which(program) is None]
    if missing:
        raise CannotDecodeError(
            f"the program {' and '.join(missing)}, which may read it, is not installed"
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


def _check_channels(channels: int) -> None:
    if channels > _MOST_CHANNELS:
        raise CannotDecodeError(f"it has {channels} channels, more than {_MOST_CHANNELS}")


DECODERS: tuple[Decoder, ...] = (by_soundfile, by_pyav, by_ffmpeg)
"""In the order in which they are asked."""
