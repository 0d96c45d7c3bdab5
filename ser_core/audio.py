"""The only place that decodes, mixes down and resamples a clip.

What a file is, its bytes decide and not its name. A file that ends early (a broken download, a
recorder switched off) is taken as far as it goes, with a note; one in which nothing can be
decoded, one without a sample, and one with samples that are no numbers are refused.
"""

from __future__ import annotations

import hashlib
import io
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import soxr

from ser_core._containers import container, description, ends_early
from ser_core._decoders import DECODERS, Block, CannotDecodeError
from ser_core.errors import AudioError

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
"""Frames a second that everything behind this module works at."""

MAX_SECONDS = 3600.0
"""Longest recording that `load` takes unless told otherwise."""

MAX_BYTES = 150 * 2**20
"""Largest file that `load` takes unless told otherwise: an hour of 16 kHz WAV is 110 MiB."""

AUDIO_ENDINGS = frozenset(
    {".wav", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au"}
    | {".caf", ".m4a", ".m4b", ".aac", ".mp4", ".3gp", ".webm", ".weba", ".mka", ".mkv"}
    | {".wma", ".amr"}
)
"""Endings of files that are worth trying, in lower case, with the dot."""

_LOWEST_RATE, _HIGHEST_RATE = 1000, 768_000


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded sound.

    Attributes:
        samples: float32 `[channel, time]` at ``sample_rate``, full scale is 1.0.
        sample_rate: frames a second of ``samples``, in hertz.
        source_rate: frames a second of the source, in hertz.
        name: what the person calls the file; may be "".
        sha256: of the source's bytes, in hex; "" where there were none.
        notes: sentences on what was not as it should be (the file ends early).
    """

    samples: Samples
    sample_rate: int
    source_rate: int
    name: str = ""
    sha256: str = ""
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)


def load(
    source: str | Path | bytes | BinaryIO,
    *,
    name: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    max_seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Audio:
    """Decode a clip from a file, its bytes or an open binary file.

    Args:
        source: path, bytes, or a file opened in binary mode (read from where it stands).
        name: what messages call the clip; by default the file's name.
        sample_rate: wanted rate in hertz.
        max_seconds: longest recording taken; None means an hour, ``math.inf`` no limit.
            More than two channels count for their part, so that memory stays bounded.
        max_bytes: largest file taken.

    Raises:
        AudioError: nothing usable is there; the message is a sentence for the page.
    """
    if name is None:
        name = Path(source).name if isinstance(source, str | Path) else ""
    label = shown(name)
    data = _read(source, label, max_bytes)
    if not data:
        raise AudioError(f"{label} is empty (0 bytes). Record or save it again.")
    kind = container(data)
    if kind is None:
        raise AudioError(
            f"{label} is no sound file: its content is {description(data)}. "
            "WAV, FLAC, OGG, Opus, MP3, AIFF, M4A, AAC and WebM are read here."
        )
    limit = MAX_SECONDS if max_seconds is None else max_seconds
    samples, source_rate, notes = _decode(data, kind, label, sample_rate, limit)
    digest = hashlib.sha256(data).hexdigest()
    return Audio(samples, sample_rate, source_rate, name, digest, notes)


def from_array(
    samples: npt.ArrayLike, rate: int, name: str = "", *, sample_rate: int = SAMPLE_RATE
) -> Audio:
    """Take sound that is decoded already.

    Args:
        samples: `[time]` or `[channel, time]`; integers are scaled by their range to -1 ... 1.
        rate: frames a second of ``samples``, in hertz.
        name: what messages call the clip.
        sample_rate: wanted rate in hertz.

    Raises:
        AudioError: no samples, not numbers, or another shape.

    >>> audio = from_array(np.zeros(8000, np.int16), 8000)
    >>> audio.samples.shape, audio.seconds
    ((1, 16000), 1.0)
    """
    label = shown(name)
    array = np.atleast_2d(np.asarray(samples))
    if array.ndim != 2 or array.shape[0] > max(64, array.shape[1]):
        raise AudioError(f"{label} has the shape {array.shape}; [channel, time] is expected.")
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif np.issubdtype(array.dtype, np.signedinteger):
        array = array.astype(np.float32) / -float(np.iinfo(array.dtype).min)
    elif not np.issubdtype(array.dtype, np.floating):
        raise AudioError(f"{label} holds {array.dtype}; integers or floats are expected.")
    _check_rate(rate, label)
    gathered = _Gathered(label, sample_rate, math.inf)
    gathered.add(Block(np.ascontiguousarray(array.T, np.float32), rate))
    return Audio(gathered.finish(), sample_rate, rate, name)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Change the rate of `[channel, time]` from ``rate`` to ``wanted`` hertz (soxr, HQ).

    >>> resample(np.zeros((2, 48000), np.float32), 48000, 16000).shape
    (2, 16000)
    """
    if rate == wanted:
        return samples
    converted = soxr.resample(np.ascontiguousarray(samples.T), rate, wanted, "HQ")
    return np.ascontiguousarray(converted.T, dtype=np.float32)


def mono(samples: Samples) -> Samples:
    """Mix `[channel, time]` down to `[1, time]` by the mean of the channels.

    >>> mono(np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)).tolist()
    [[0.5, 0.0]]
    """
    if samples.shape[0] == 1:
        return samples
    mixed: Samples = samples.mean(axis=0, keepdims=True, dtype=np.float32)
    return mixed


def stereo(samples: Samples) -> Samples:
    """Return `[2, time]`: stereo as it is, anything else mixed down and duplicated.

    >>> stereo(np.ones((1, 3), np.float32)).shape
    (2, 3)
    """
    return samples if samples.shape[0] == 2 else np.repeat(mono(samples), 2, axis=0)


def fit(
    samples: Samples, length: int, where: Literal["start", "centre"] = "start"
) -> tuple[Samples, int]:
    """Pad with zeros at the end, or cut, to ``length`` frames.

    Args:
        samples: `[channel, time]`.
        length: wanted frames.
        where: which part a longer clip keeps.

    Returns:
        `[channel, length]` and how many of its first frames are sound.

    >>> fitted, valid = fit(np.ones((1, 3), np.float32), 5)
    >>> fitted.tolist(), valid
    ([[1.0, 1.0, 1.0, 0.0, 0.0]], 3)
    """
    time = samples.shape[1]
    if time < length:
        return np.pad(samples, ((0, 0), (0, length - time))), time
    first = (time - length) // 2 if where == "centre" else 0
    return samples[:, first : first + length], length


def to_wav_bytes(samples: Samples, rate: int) -> bytes:
    """Write a 16-bit PCM WAV without any change of level; what exceeds full scale is clipped.

    A 16-bit file that was loaded at its own rate comes back bit by bit.

    Args:
        samples: float `[channel, time]` (or `[time]`), full scale is 1.0.
        rate: frames a second, in hertz.

    Raises:
        AudioError: a sample is not a finite number.
    """
    array = np.atleast_2d(samples)
    if not np.isfinite(array).all():
        raise AudioError("Sound with samples that are no numbers can't be written as WAV.")
    scaled = np.clip(np.rint(array.T * 32768.0), -32768, 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(array.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(scaled.astype("<i2").tobytes())
    return buffer.getvalue()


def shown(name: str) -> str:
    """Return a file name fit for a message: quoted, on one line, of bounded length.

    >>> shown("a" * 100)[:6], shown("x\\n=1.wav"), shown("")
    ('“aaaaa', '“x =1.wav”', 'The clip')
    """
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    line = line if len(line) <= 80 else f"{line[:50]}…{line[-29:]}"
    return f"“{line}”" if line.strip() else "The clip"


def duration(seconds: float) -> str:
    """Return a length of time in words.

    >>> duration(10800), duration(75), duration(2.5), duration(3599.9)
    ('3 h', '1 min 15 s', '2.5 s', '59 min 59 s')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    hours, rest = divmod(int(seconds), 3600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


class _Gathered:
    """Blocks of one clip, resampled as they come and bounded in length."""

    def __init__(self, label: str, wanted: int, limit: float) -> None:
        self.label, self.wanted, self.limit = label, wanted, limit
        self.rate = self.frames = self.channels = self.broken = 0
        self._stream: Any = None
        self._parts: list[Samples] = []

    def add(self, block: Block) -> None:
        if not self.rate:
            _check_rate(block.rate, self.label)
            self.rate, self.channels = block.rate, block.samples.shape[1]
            if self.rate != self.wanted:
                self._stream = soxr.ResampleStream(
                    self.rate, self.wanted, self.channels, dtype="float32", quality="HQ"
                )
        if block.declared is not None:
            self._bound(block.declared, exact=True)
        self.frames += len(block.samples)
        self._bound(self.frames, exact=False)
        self.broken += int(np.count_nonzero(~np.isfinite(block.samples)))
        self._keep(block.samples, last=False)

    def finish(self) -> Samples:
        if not self.frames:
            raise AudioError(f"{self.label} holds no sound: 0 samples. Record it again.")
        if self._stream is not None:
            self._keep(np.zeros((0, self.channels), np.float32), last=True)
        samples = np.empty((self.channels, sum(map(len, self._parts))), np.float32)
        if not samples.shape[1]:
            raise AudioError(
                f"{self.label} is too short: {self.frames} samples at {self.rate} Hz are less "
                f"than one at {self.wanted} Hz. Record a word or a sentence."
            )
        start = 0
        while self._parts:  # freed as it is copied: an hour is held once, not twice
            part = self._parts.pop(0)
            samples[:, start : start + len(part)] = part.T
            start += len(part)
        if self.broken or not np.isfinite(samples).all():
            raise AudioError(
                f"{self.label} is damaged: {self.broken or 'some'} of its samples are not numbers "
                "(NaN or infinite). Export it again from the program that made it."
            )
        return samples

    def _keep(self, samples: Samples, last: bool) -> None:
        if self._stream is not None:
            samples = self._stream.resample_chunk(np.nan_to_num(samples), last=last)
        if len(samples):
            self._parts.append(samples)

    def _bound(self, frames: int, exact: bool) -> None:
        seconds = frames / self.rate
        if seconds > self.limit:
            length = f"{duration(seconds)} long" if exact else f"longer than {duration(self.limit)}"
            raise AudioError(
                f"{self.label} is {length}; at most {duration(self.limit)} can be taken at once. "
                "Cut it into parts and take them one by one."
            )
        if seconds * self.channels > 2 * self.limit:
            raise AudioError(
                f"{self.label} has {self.channels} channels of {duration(seconds)} each, too much "
                f"for the limit of {duration(self.limit)}. Mix it down to one channel."
            )


def _decode(
    data: bytes, kind: str, label: str, wanted: int, limit: float
) -> tuple[Samples, int, tuple[str, ...]]:
    reasons: list[CannotDecodeError] = []
    for decoder in DECODERS:
        gathered = _Gathered(label, wanted, limit)
        promised, torn = 0, False
        try:
            for block in decoder(data, kind, limit):
                promised = block.declared or 0
                gathered.add(block)
        except CannotDecodeError as error:
            reasons.append(error)
            torn = True
        if gathered.frames:
            samples = gathered.finish()
            missing = promised - gathered.frames
            early = missing > max(0.01 * promised, 0.1 * gathered.rate)
            found = duration(samples.shape[1] / wanted)
            note = f"The file ends early or is damaged: {found} of it could be read."
            early = early or torn or ends_early(data, kind)
            return samples, gathered.rate, (note,) if early else ()
        if reasons and reasons[-1].weight == 2:
            break
    raise AudioError(f"{label} {_why(reasons, kind)}")


def _why(reasons: list[CannotDecodeError], kind: str) -> str:
    if not reasons:
        return "holds no sound: 0 samples. Record it again."
    tried = max(reasons, key=lambda reason: reason.weight)
    missing = [str(other) for other in reasons if "not installed" in str(other)]
    words = "; ".join(dict.fromkeys([str(tried), *missing]))
    return (
        f"looks like {kind.upper()}, but no sound could be read from it ({words}). "
        "It may be cut off or damaged: save or download it again, as WAV for instance."
    )


def _check_rate(rate: int, label: str) -> None:
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise AudioError(
            f"{label} claims a rate of {rate} Hz; {_LOWEST_RATE} to {_HIGHEST_RATE} Hz are read "
            "here. Export it again, at 16000 Hz for instance."
        )


def _read(source: str | Path | bytes | BinaryIO, label: str, max_bytes: int) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | Path):
        path = Path(source)
        try:
            size = path.stat().st_size
            if path.is_dir():
                raise AudioError(f"{label} is a folder; a sound file is expected.")
            if size > max_bytes:
                raise _too_large(label, size, max_bytes)
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)
        except FileNotFoundError as error:
            raise AudioError(f"{label} is not there: no file at {path}.") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            reason = getattr(error, "strerror", None) or error
            raise AudioError(f"{label} can't be opened: {reason}.") from error
    else:
        data = source.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_large(label, len(data), max_bytes)
    return data


def _too_large(label: str, size: int, max_bytes: int) -> AudioError:
    return AudioError(
        f"{label} has {size / 1e6:.0f} MB or more; at most {max_bytes / 1e6:.0f} MB can be taken. "
        "Save it as FLAC, Opus or MP3, or cut it into parts."
    )
