"""The only place that decodes, mixes down and resamples a clip.

What a file is, its bytes decide and not its name. A file that ends early (a broken download, a
recorder switched off) is taken as far as it goes, with a note; one in which nothing can be
decoded, one without a sample, and one with samples that are not numbers are refused.
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soxr

from ser_core.audio.containers import container, ends_early, other, whole_wav
from ser_core.audio.decoders import DECODERS, CannotDecodeError, DecodedBlock
from ser_core.errors import AudioError

Samples = npt.NDArray[np.float32]
LengthListener = Callable[[float], None]

SAMPLE_RATE = 16000
"""Frames a second that everything behind this module works at."""

MAX_SECONDS = 3600.0
"""Longest recording that `load` takes unless told otherwise."""

MAX_BYTES = 150 * 2**20
"""Largest file that `load` takes unless told otherwise: an hour of 16 kHz WAV is 110 MiB."""

AUDIO_ENDINGS = frozenset(
    {".wav", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au"}
    | {".caf", ".m4a", ".m4b", ".aac", ".mp4", ".3gp", ".webm", ".weba", ".mka", ".mkv"}
    | {".wma", ".amr", ".wave", ".rf64", ".bwf", ".mov", ".qt", ".avi", ".flv", ".mpg", ".mpeg"}
    | {".ts", ".mp2", ".mpga", ".ac3", ".eac3", ".spx", ".wv", ".tta", ".ape", ".snd", ".m4r"}
    | {".3gpp", ".3g2", ".sph", ".nist", ".voc", ".aac", ".m4v"}
)
"""Endings of files that are worth trying, in lower case, with the dot."""

_READ_HERE = (
    "WAV, FLAC, OGG, Opus, MP3, AIFF, M4A, AAC, WebM and what else FFmpeg decodes are read here."
)
_LOWEST_RATE, _HIGHEST_RATE = 1000, 768_000
_TELLING = 1600
"""Samples (0.1 s) below which likeness of two channels is chance."""
_OVERSHOOT = 1.12
"""Peak (1 dB over full scale) up to which lossy codecs and resampling go beyond by themselves."""


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
    pace: LengthListener | None = None,
) -> Audio:
    """Decode a clip from a file, its bytes or an open binary file.

    Args:
        source: path, bytes, or a file opened in binary mode (read from where it stands).
        name: what messages call the clip; by default the file's name.
        sample_rate: the rate to return, in hertz.
        max_seconds: longest recording taken; None means an hour, ``math.inf`` no limit.
        max_bytes: largest file taken.
        pace: called between blocks with the seconds that the clip is known to have; it may wait
            until there is time for so long a clip, or raise.

    Raises:
        AudioError: nothing usable is there; the message is a sentence for the page.
    """
    if name is None:
        name = Path(source).name if isinstance(source, str | Path) else ""
    label = shown(name)
    data = _read(source, label, max_bytes)
    if not data:
        raise AudioError(f"{label} is empty (0 bytes). Record or save it again.")
    found = other(data)
    if found is not None:
        raise AudioError(f"{label} is not a sound file: its content is {found}. {_READ_HERE}")
    kind = container(data)
    limit = MAX_SECONDS if max_seconds is None else max_seconds
    gathered = functools.partial(_Gathered, label, sample_rate, limit, pace or (lambda _: None))
    samples, source_rate, notes = _decode(data, kind, label, limit, gathered)
    digest = hashlib.sha256(data).hexdigest()
    return Audio(samples, sample_rate, source_rate, name, digest, notes)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Change the rate of `[channel, time]` from ``rate`` to ``target`` hertz (soxr, HQ).

    >>> resample(np.zeros((2, 48000), np.float32), 48000, 16000).shape
    (2, 16000)
    """
    if rate == target:
        return samples
    converted = soxr.resample(np.ascontiguousarray(samples.T), rate, target, "HQ")
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


def to_wav_bytes(samples: Samples, rate: int) -> bytes:
    """Write a 16-bit PCM WAV at the level it has; what exceeds full scale is scaled, not clipped.

    A 16-bit file that was loaded at its own rate comes back bit by bit.

    Args:
        samples: float `[channel, time]` (or `[time]`), full scale is 1.0.
        rate: frames a second, in hertz.

    Raises:
        AudioError: a sample is not a finite number.
    """
    array = np.atleast_2d(samples)
    if not np.isfinite(array).all():
        raise AudioError("Sound with samples that are not numbers can't be written as WAV.")
    peak = float(np.abs(array).max(initial=0.0))
    gain = 32768.0 / peak if peak > 1.0 else 32768.0
    scaled = np.clip(np.rint(array.T * gain), -32768, 32767)  # +1.0 itself has no integer
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
    """Blocks of one clip, resampled as they come and bounded in length.

    More than two channels are mixed to one block by block, so that memory stays bounded.
    """

    def __init__(self, label: str, target: int, limit: float, pace: LengthListener) -> None:
        self.label, self.target, self.limit, self.pace = label, target, limit, pace
        self.rate = self.frames = self.channels = self.kept = self.broken = self.stream = 0
        self._resampler: Any = None
        self._parts: list[Samples] = []

    def add(self, block: DecodedBlock) -> None:
        if not self.rate:
            _check_rate(block.rate, self.label)
            self.rate, self.channels = block.rate, block.samples.shape[1]
            self.kept = self.channels if self.channels <= 2 else 1
            if self.rate != self.target:
                self._resampler = soxr.ResampleStream(
                    self.rate, self.target, self.kept, dtype="float32", quality="HQ"
                )
        if block.declared is not None:
            self._bound(block.declared, exact=True)
        self.stream = block.stream
        self.frames += len(block.samples)
        self._bound(self.frames, exact=False)
        self.pace(max(self.frames, block.declared or 0) / self.rate)
        self.broken += int(np.count_nonzero(~np.isfinite(block.samples)))
        self._keep(block.samples, last=False)

    def finish(self) -> tuple[Samples, tuple[str, ...]]:
        """Return the samples `[channel, time]` and sentences on what was done to them."""
        if not self.frames:
            raise AudioError(f"{self.label} holds no sound: 0 samples. Record it again.")
        if self._resampler is not None:
            self._keep(np.zeros((0, self.channels), np.float32), last=True)
        samples = np.empty((self.kept, sum(map(len, self._parts))), np.float32)
        if not samples.shape[1]:
            raise AudioError(
                f"{self.label} is too short: {self.frames} samples at {self.rate} Hz are less "
                f"than one at {self.target} Hz. Record a word or a sentence."
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
        notes = []
        if self.stream:
            notes.append(
                f"The first {_tracks(self.stream)} silent; track {self.stream + 1} is used."
            )
        if self.channels > 2:
            notes.append(f"The {self.channels} channels were mixed into one.")
        return samples, (*notes, *_turned(samples), *_scaled(samples))

    def _keep(self, samples: Samples, last: bool) -> None:
        if self.channels > 2:
            samples = samples.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(np.nan_to_num(samples), last=last)
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


def _tracks(count: int) -> str:
    return "audio track is" if count == 1 else f"{count} audio tracks are"


def _scaled(samples: Samples) -> tuple[str, ...]:
    """Bring a clip that exceeds full scale down to it, in place; say by how much."""
    peak = float(max(-samples.min(), samples.max()))
    if peak <= 1.0:
        return ()
    samples /= np.float32(peak)
    if peak <= _OVERSHOOT:
        return ()
    return (
        f"The samples exceed full scale: their peak is {peak:.4g}. The clip was scaled down by "
        f"{20 * math.log10(peak):.0f} dB.",
    )


def _turned(samples: Samples) -> tuple[str, ...]:
    """Turn the second of two channels round, in place, where they would cancel in the mix."""
    if len(samples) != 2 or samples.shape[1] < _TELLING:
        return ()
    left, right = (channel[:: max(1, samples.shape[1] // 1_000_000)] for channel in samples)
    left, right = (np.float64(c) / max(float(np.abs(c).max()), 1e-30) for c in (left, right))
    left, right = left - left.mean(), right - right.mean()
    power = float(np.sqrt((left @ left) * (right @ right)))
    if power == 0.0 or float(left @ right) / power > -0.9:
        return ()
    np.negative(samples[1], out=samples[1])
    return (
        "The two channels were in opposite phase and would cancel each other when mixed "
        "(one cable or microphone is reversed); the second was turned round.",
    )


def _decode(
    data: bytes, kind: str | None, label: str, limit: float, new: Callable[[], _Gathered]
) -> tuple[Samples, int, tuple[str, ...]]:
    reasons: list[CannotDecodeError] = []
    data, mended = whole_wav(data) if kind == "wav" else (data, False)
    for decoder in DECODERS:
        gathered = new()
        promised, torn = 0, False
        try:
            for block in decoder(data, kind, limit):
                promised = block.declared or 0
                gathered.add(block)
        except CannotDecodeError as error:
            reasons.append(error)
            torn = True
        if gathered.frames:
            samples, notes = gathered.finish()
            missing = promised - gathered.frames
            early = missing > max(0.01 * promised, 0.15 * gathered.rate)
            found = duration(samples.shape[1] / gathered.target)
            if early or torn or ends_early(data, kind):
                notes = (f"The file ends early or is damaged: {found} of it could be read.", *notes)
            if mended:
                notes = (
                    "The header states less sound than the file holds, as after a recorder that "
                    f"was switched off; all {found} of it were read.",
                    *notes,
                )
            return samples, gathered.rate, notes
        if reasons and reasons[-1].weight == 2:
            break
    raise AudioError(f"{label} {_why(reasons, kind)}")


def _why(reasons: list[CannotDecodeError], kind: str | None) -> str:
    if not reasons:
        return "holds no sound: 0 samples. Record it again."
    if kind is None:
        return (
            "is not a sound file that can be read here: its content is in an unknown format. "
            f"Raw samples without a header cannot be told apart. {_READ_HERE}"
        )
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
