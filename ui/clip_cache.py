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
from ui.catalogue import Source
from ui.errors import GoneError
from ui.language import speaking
from ui.predictions import predict_clip
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from label_store.voices import KeptVoice
    from ser_core.audio import Audio
    from ser_core.inference.recognizer import Recognizer

PLAIN_BYTES = 1_500_000
"""Larger sounds are sent as MP3."""


@dataclass(frozen=True)
class PreparedClip:
    """What the page shows of a clip.

    Attributes:
        data: the file's bytes.
        suffix: the file's ending.
        sound: a ``data:`` URL to play; "" where the clip can't be decoded.
        figure: waveform and spectrogram; None where there is no prediction, or nobody looks.
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


class ClipCache:
    """The clips made ready lately, and those being made ready.

    Args:
        services: the model and settings.
        room: how many are held.
    """

    def __init__(self, services: Services, room: int = 24) -> None:
        self._services = services
        self._room = room
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[PreparedClip]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clips")
        self._spare = ThreadPoolExecutor(1, thread_name_prefix="undrawn clips")

    def fetch(self, sha: str, source: Source, model: str = "") -> None:
        """Begin to make a clip ready, in the background."""
        self._future(sha, source, model)

    def get(self, sha: str, source: Source, model: str = "") -> PreparedClip:
        """Return a clip, made ready now if it is not yet.

        Args:
            sha: the clip.
            source: its name and place.
            model: whose prediction is shown, see `ServedModels.get`.

        Raises:
            GoneError: its file can't be read any more.
        """
        return self._future(sha, source, model).result()

    def get_undrawn(self, sha: str, source: Source) -> PreparedClip:
        """Return a clip without its pictures; nobody who waits for a drawn one waits for it.

        Raises:
            GoneError: its file can't be read any more.
        """
        return self._spare.submit(make_ready, self._services, sha, source, drawn=False).result()

    def _future(self, sha: str, source: Source, model: str) -> Future[PreparedClip]:
        kept = kept_voice(self._services, source)
        voice = f"/{kept.name}" if kept is not None else ""
        key = f"{sha}/{model or self._services.champion()['version']}{voice}"
        with self._lock:
            found = self._futures.pop(key, None)
            if found is None or (found.done() and found.exception() is not None):
                found = self._pool.submit(make_ready, self._services, sha, source, model)
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


def make_ready(
    services: Services, sha: str, source: Source, model: str = "", *, drawn: bool = True
) -> PreparedClip:
    """Read, decode, judge and draw a clip; what fails is said and the rest still shown.

    Args:
        services: model and settings.
        sha: the clip.
        source: its name and place.
        model: whose prediction is shown, see `ServedModels.get`.
        drawn: make its pictures, which takes longer than all the rest.

    Raises:
        GoneError: its file can't be read any more.
    """
    from ser_core import audio
    from ui.analysis import draw

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
        return PreparedClip(data, suffix, trouble=str(error))
    sound = sound_url(data, clip)
    try:
        recognizer = services.recognizer(model)
        if recognizer.specification.sample_rate != clip.sample_rate:
            clip = audio.load(data, sample_rate=recognizer.specification.sample_rate, **limits)
        relative = relative_to_kept(services, source, recognizer)
        if relative is not recognizer:  # the queue goes by answers that are relative to nothing
            found = relative.predict(clip)
        else:
            found = predict_clip(services, sha, clip, recognizer=recognizer)
        with speaking("en"):  # it is held for readers of every language
            figure = plain = draw(recognizer, clip, found) if drawn else None
            if drawn and len(found.windows) > 1:
                plain = draw(recognizer, clip, replace(found, windows=()))
    except SerError as error:
        return PreparedClip(
            data, suffix, sound, trouble=f"No prediction: {error}", seconds=clip.seconds
        )
    for drawing in (figure, plain):
        if drawing is not None:
            drawing.layout.meta = {"clip": sha}  # the page tells by it whose picture it has
    return PreparedClip(
        data, suffix, sound, figure, found.to_json(), seconds=clip.seconds, plain=plain
    )


def kept_voice(services: Services, source: Source) -> KeptVoice | None:
    """Return the kept voice of a clip's speaker, by ``corpus/speaker`` or the name alone."""
    if not source.speaker:
        return None
    return services.kept_voices.get(f"{source.corpus}/{source.speaker}", source.speaker)


def relative_to_kept(services: Services, source: Source, recognizer: Recognizer) -> Recognizer:
    """Return the model as it hears a clip's speaker, where that voice is kept and it can."""
    from ser_core.inference.voice import VoiceError

    kept = kept_voice(services, source)
    if kept is None:
        return recognizer
    try:
        return recognizer.relative_to(recognizer.voice([kept.path]))
    except VoiceError:  # the model takes no account of voices, or hears none in this one
        return recognizer


def sound_url(data: bytes, clip: Audio) -> str:
    """Return a URL that holds the sound itself, so that no file lies where others can fetch it.

    A codec that browsers lack (GSM, ADPCM, ALAC, AMR ...) is sent decoded.
    """
    from ser_core.audio import playable

    data, mime = playable(data, clip)
    if len(data) > PLAIN_BYTES:
        data, mime = _mp3(clip), "audio/mpeg"
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _mp3(clip: Audio) -> bytes:
    import soundfile

    held = io.BytesIO()
    soundfile.write(held, clip.samples.T, clip.sample_rate, format="MP3")
    return held.getvalue()
