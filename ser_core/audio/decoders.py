"""The three programs that decode, behind one shape: blocks of float32 `[frame, channel]`.

soundfile (libsndfile) reads the common containers, PyAV what needs FFmpeg's libraries, and pydub
calls the program ffmpeg for what PyAV's build leaves out. The file's content decides, not its name.
Each decodes block by block, so that a small file that unpacks to hours is stopped at the limit and
never fills the memory.
"""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soundfile

if TYPE_CHECKING:
    import av
    import av.container

Samples = npt.NDArray[np.float32]

NOT_FOR_SOUNDFILE = frozenset(
    {"mp4", "matroska", "asf", "amr", "aac", "avi", "flv", "mpegts", "mpeg", "ac3", "tta", "wv"}
)
DEMUXERS = (
    "wav,w64,aiff,flac,ogg,mp3,au,caf,mov,matroska,asf,amr,aac,loas,latm,wv,avi,flv,mpegts,mpeg,"
    "ac3,eac3,tta,nistsphere,voc,ape,mpc,mpc8,iff,dsf,rm"
)
"""What FFmpeg's probing may find. Playlists, which would open other files, are not among it."""
_UNKNOWN_LENGTH = 1 << 40  # frames; libsndfile says 2**63 - 1 for a streamed FLAC
_MOST_FRAMES_A_BYTE = 10_000
"""More than that no codec holds, silence in FLAC's largest blocks included (4,700)."""
MOST_DECODED = 600 * 2**20
"""Bytes that the program ffmpeg may write before it is stopped."""
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
class DecodedBlock:
    """Some frames of sound.

    Attributes:
        samples: float32 `[frame, channel]`.
        rate: frames a second.
        declared: frames that the header promises for the whole file, or None.
        stream: which of the file's audio streams this is, from 0.
    """

    samples: Samples
    rate: int
    declared: int | None = None
    stream: int = 0


Decoder = Callable[[bytes, str | None, float], Iterator[DecodedBlock]]
"""The file's bytes, its container where it names one, and the most seconds wanted."""


def by_soundfile(data: bytes, kind: str | None, most_seconds: float) -> Iterator[DecodedBlock]:
    """Decode with libsndfile; a first, empty block carries what the header says."""
    if kind in NOT_FOR_SOUNDFILE:
        raise CannotDecodeError(f"libsndfile does not read {kind}", weight=0)
    try:
        with soundfile.SoundFile(_Bytes(data)) as file:
            _check_channels(file.channels)
            length = max(1, _BLOCK // file.channels)
            declared = _plausible(file.frames, data)
            yield DecodedBlock(np.zeros((0, file.channels), np.float32), file.samplerate, declared)
            while True:
                samples = file.read(length, dtype="float32", always_2d=True)
                if not len(samples):
                    return
                yield DecodedBlock(samples, file.samplerate, declared)
    except soundfile.LibsndfileError as error:
        if "does not exist" in error.error_string:  # its word for "I don't recognise this"
            raise CannotDecodeError("no sound was recognised in it") from error
        raise CannotDecodeError(error.error_string) from error


def _plausible(frames: int, data: bytes) -> int | None:
    """Return the frames that a header promises; None where it knows none or can't be right."""
    most = min(_UNKNOWN_LENGTH, len(data) * _MOST_FRAMES_A_BYTE)
    return frames if 0 < frames < most else None


def by_pyav(data: bytes, kind: str | None, most_seconds: float) -> Iterator[DecodedBlock]:
    """Decode one audio stream with FFmpeg's libraries, as PyAV carries them.

    Of several streams the first with a sound in it is taken. FFmpeg probes for the container
    among `DEMUXERS` alone: what it would find else may be a playlist, which opens other files.
    """
    try:
        import av
    except ImportError as error:
        raise CannotDecodeError(f"PyAV can't be loaded ({error})", weight=0) from error
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        stream = _sounding_stream(data, options)
        with av.open(io.BytesIO(data), options=options, metadata_errors="replace") as file:
            seconds = _promised_seconds(file, stream)
            resampler: av.AudioResampler | None = None
            for frame in file.decode(audio=stream):
                if resampler is None:
                    _check_channels(frame.layout.nb_channels)
                    # the rate is the decoded one: HE-AAC headers may state half of it
                    resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
                    rate = frame.sample_rate
                    declared = None if seconds is None else _plausible(int(seconds * rate), data)
                frame.pts = None
                for plain in resampler.resample(frame):
                    yield DecodedBlock(plain.to_ndarray().T, rate, declared, stream)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        # ValueError: the format changes midway
        raise CannotDecodeError(getattr(error, "strerror", None) or str(error)) from error


def _sounding_stream(data: bytes, options: dict[str, str]) -> int:
    """Return the number of the first audio stream that is not silent from end to end."""
    import av

    with av.open(io.BytesIO(data), options=options, metadata_errors="replace") as file:
        count = len(file.streams.audio)
    if not count:
        raise CannotDecodeError("it holds no audio stream", weight=2)
    for number in range(count if count > 1 else 0):
        with (
            contextlib.suppress(av.FFmpegError, ValueError),
            av.open(io.BytesIO(data), options=options, metadata_errors="replace") as file,
        ):
            for frame in file.decode(audio=number):
                if np.abs(frame.to_ndarray().astype(np.float64) - _zero(frame)).max() > 1e-4:
                    return number
    return 0


def _zero(frame: av.AudioFrame) -> float:
    """Return the sample value that stands for silence."""
    return 128.0 if frame.format.name.startswith("u8") else 0.0


_OF_PYDUB = (OSError, EOFError, LookupError, ValueError, TypeError, ArithmeticError, struct.error)
"""What pydub ends in on damaged files: it indexes into ffprobe's answer and reads WAVE itself."""


def by_ffmpeg(data: bytes, kind: str | None, most_seconds: float) -> Iterator[DecodedBlock]:
    """Decode with pydub, which calls the programs ffmpeg and ffprobe."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise CannotDecodeError(
            "the program ffmpeg (with ffprobe), which might read it, is not installed", weight=0
        )
    if kind is None:
        raise CannotDecodeError("no container was recognised", weight=0)
    from pydub import AudioSegment
    from pydub.exceptions import CouldntDecodeError

    bound = None if math.isinf(most_seconds) else most_seconds + 1.0
    try:
        segment = AudioSegment.from_file(
            io.BytesIO(data), format=kind, duration=bound, parameters=["-fs", str(MOST_DECODED)]
        )
    except (CouldntDecodeError, *_OF_PYDUB) as error:
        reason = str(error).strip().splitlines()
        raise CannotDecodeError(reason[-1] if reason else "ffmpeg failed") from error
    _check_channels(segment.channels)
    if segment.sample_width not in (1, 2, 4) or not segment.channels or not segment.frame_rate:
        raise CannotDecodeError(
            f"its header states samples of {segment.sample_width} bytes, {segment.channels} "
            f"channels and {segment.frame_rate} Hz"
        )
    whole = np.frombuffer(segment.raw_data, dtype=f"<i{segment.sample_width}")
    whole = whole.reshape(-1, segment.channels)
    scale = np.float32(1.0 / (1 << (8 * segment.sample_width - 1)))
    length = max(1, _BLOCK // segment.channels)
    for start in range(0, len(whole), length):
        yield DecodedBlock(
            whole[start : start + length].astype(np.float32) * scale, segment.frame_rate
        )


def _promised_seconds(file: av.container.InputContainer, number: int) -> float | None:
    """Return the length of the audio that the header states, where it does."""
    if file.format.name in ("aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts"):
        return None  # nothing is stated there; FFmpeg guesses from the bit rate
    stream = file.streams.audio[number]
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
