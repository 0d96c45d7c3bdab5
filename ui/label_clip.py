"""A clip made ready for the page before it is asked for: its sound, its picture, the prediction."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ser_core.errors import SerError
from ui.corpus_catalogue import Source
from ui.label_opinions import listen
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ser_core.audio import Audio

MIME = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}
"""Files that browsers play as they are; others are decoded first."""

PLAIN_BYTES = 1_500_000
"""Larger sounds are sent as MP3."""


@dataclass(frozen=True)
class Ready:
    """What the page shows of a clip.

    Attributes:
        data: the file's bytes.
        suffix: the file's ending.
        sound: a ``data:`` URL to play; "" where the clip can't be decoded.
        figure: waveform and spectrogram, or None.
        plain: the same without what the model said over time, for those who label blind.
        prediction: the model's answer as JSON, or None.
        trouble: why there is no prediction or no sound; "" when there is.
        seconds: length; 0 where it is not known.
    """

    data: bytes = field(repr=False)
    suffix: str
    sound: str = field(default="", repr=False)
    figure: go.Figure | None = field(default=None, repr=False)
    prediction: dict[str, Any] | None = None
    trouble: str = ""
    seconds: float = 0.0
    plain: go.Figure | None = field(default=None, repr=False)


class GoneError(Exception):
    """The clip's file went away; the text is one sentence for the page."""


class Shelf:
    """The clips made ready lately, and those being made ready.

    Args:
        services: the model and settings.
        room: how many are held.
    """

    def __init__(self, services: Services, room: int = 24) -> None:
        self._services = services
        self._room = room
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[Ready]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clips")

    def fetch(self, sha: str, source: Source) -> None:
        """Begin to make a clip ready, in the background."""
        self._future(sha, source)

    def get(self, sha: str, source: Source) -> Ready:
        """Return a clip, made ready now if it is not yet.

        Raises:
            GoneError: its file can't be read any more.
        """
        return self._future(sha, source).result()

    def _future(self, sha: str, source: Source) -> Future[Ready]:
        key = f"{sha}/{self._services.champion()['version']}"
        with self._lock:
            found = self._futures.pop(key, None)
            if found is None or (found.done() and found.exception() is not None):
                found = self._pool.submit(make_ready, self._services, sha, source)
            self._futures[key] = found
            while len(self._futures) > self._room:
                self._futures.popitem(last=False)
            return found


def read_bytes(services: Services, sha: str, source: Source) -> bytes:
    """Return a clip's bytes, from its file or from the store.

    Raises:
        GoneError: neither has it, or the file holds another sound by now.
    """
    import hashlib

    for path in (source.path, services.store.clip_path(sha)):
        if path is None:
            continue
        try:
            data = path.read_bytes()
        except OSError:  # the other place is tried; neither is said below
            continue
        if hashlib.sha256(data).hexdigest() == sha:
            return data
    raise GoneError(
        f"{source.name} can't be read any more: it was moved, deleted or changed after it was "
        "listed. Nothing was saved; put it back or go on to the next clip."
    )


def make_ready(services: Services, sha: str, source: Source) -> Ready:
    """Read, decode, judge and draw a clip; what fails is said and the rest still shown."""
    from ser_core import audio

    data = read_bytes(services, sha, source)
    suffix = f".{source.name.rpartition('.')[2].lower()}" if "." in source.name else ".wav"
    limits: dict[str, Any] = {
        "name": source.name,
        "max_seconds": services.settings.max_seconds,
        "max_bytes": services.settings.max_bytes,
    }
    try:
        clip = audio.load(data, **limits)
    except SerError as error:
        return Ready(data, suffix, trouble=str(error))
    sound = sound_url(data, suffix, clip)
    try:
        recognizer = services.serving.recognizer
        if recognizer.specification.sample_rate != clip.sample_rate:
            clip = audio.load(data, sample_rate=recognizer.specification.sample_rate, **limits)
        found = listen(services, sha, clip, recognizer=recognizer).prediction
        figure = plain = _picture(services, clip, found)
        if len(found.windows) > 1:
            plain = _picture(services, clip, replace(found, windows=()))
    except SerError as error:
        return Ready(data, suffix, sound, trouble=f"No prediction: {error}", seconds=clip.seconds)
    return Ready(data, suffix, sound, figure, found.to_json(), seconds=clip.seconds, plain=plain)


def sound_url(data: bytes, suffix: str, clip: Audio) -> str:
    """Return a URL that holds the sound itself, so that no file lies where others can fetch it."""
    from ser_core.audio import to_wav_bytes

    mime = MIME.get(suffix)
    if mime is None or len(data) > PLAIN_BYTES:
        data, mime = to_wav_bytes(clip.samples, clip.sample_rate), MIME[".wav"]
    if len(data) > PLAIN_BYTES:
        data, mime = _mp3(clip), MIME[".mp3"]
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _mp3(clip: Audio) -> bytes:
    import soundfile

    held = io.BytesIO()
    soundfile.write(held, clip.samples.T, clip.sample_rate, format="MP3")
    return held.getvalue()


def _picture(services: Services, clip: Audio, found: Any) -> go.Figure:
    from ui.analysis import draw

    return draw(services, clip, found)
