"""What the page does with a clip, without the page: judge it, draw it, keep a correction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.errors import PageError
from ui.identity import Annotator
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from label_store.event import Saved
    from ser_core.audio import Audio
    from ser_core.inference.long_clips import ClipTurns
    from ser_core.inference.pipeline import Progress
    from ser_core.inference.prediction import Prediction
    from ser_core.inference.recognizer import Recognizer


@dataclass(frozen=True)
class CurrentClip:
    """The clip a person is looking at: small, for the session, without the sound itself.

    Attributes:
        path: the upload in Gradio's cache.
        sha256: of the bytes that were analysed; a correction goes to these or to none.
        name: as the person calls it.
        prediction: what the model predicted, as JSON.
        outline: its waveform as `figures.outline` gives it; b"" = unknown.
    """

    path: str
    sha256: str
    name: str
    prediction: dict[str, Any] = field(repr=False)
    outline: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Analysis:
    """A clip, predicted and drawn."""

    held: CurrentClip
    prediction: Prediction
    figure: go.Figure


def analyse(
    services: Services,
    path: str | Path,
    progress: Progress | None = None,
    *,
    recognizer: Recognizer | None = None,
) -> Analysis:
    """Decode, judge and draw a clip.

    Args:
        services: the model and settings.
        path: the clip's file.
        progress: called with windows done and in all.
        recognizer: the model; the one that serves by default.

    Raises:
        SerError: the clip can't be used; the message is fit for the page.
    """
    from ui.figures import outline

    recognizer = recognizer or services.serving.recognizer
    with services.long_clips.clip() as turns:
        clip, prediction = _predicted(services, path, recognizer, turns, progress)
        with turns.preparing():
            figure = draw(recognizer, clip, prediction)
    held = CurrentClip(
        str(path), clip.sha256, clip.name, prediction.to_json(), outline(figure)
    )  # fmt: skip
    return Analysis(held, prediction, figure)


def predicted(services: Services, path: str | Path, recognizer: Recognizer) -> Prediction:
    """Decode and judge a clip, in turn with those of others.

    Raises:
        SerError: the clip can't be used; the message is fit for the page.
    """
    with services.long_clips.clip() as turns:
        return _predicted(services, path, recognizer, turns)[1]


def _predicted(
    services: Services,
    path: str | Path,
    recognizer: Recognizer,
    turns: ClipTurns,
    progress: Progress | None = None,
) -> tuple[Audio, Prediction]:
    from ser_core.inference.windows import detect_speech

    with turns.preparing():
        clip = decode(services, path, turns, recognizer)
        speech = detect_speech(clip)
    return clip, recognizer.predict(clip, speech=speech, progress=progress)


def read(services: Services, path: str | Path, recognizer: Recognizer | None = None) -> Audio:
    """Decode a clip at the model's rate, within the page's limits, in turn with those of others."""
    with services.long_clips.clip() as turns, turns.preparing():
        return decode(services, path, turns, recognizer)


def decode(
    services: Services,
    path: str | Path,
    turns: ClipTurns,
    recognizer: Recognizer | None = None,
) -> Audio:
    """Decode a clip at the model's rate, within the page's limits.

    Args:
        services: the limits.
        path: the clip's file.
        turns: of this clip, which is being prepared.
        recognizer: the model; the one that serves by default.
    """
    from ser_core import audio

    settings = services.settings
    recognizer = recognizer or services.serving.recognizer
    return audio.load(
        path,
        sample_rate=recognizer.specification.sample_rate,
        max_seconds=settings.max_seconds,
        max_bytes=settings.max_bytes,
        pace=turns.pace,
    )


def draw(recognizer: Recognizer, clip: Audio, prediction: Prediction) -> go.Figure:
    """Draw a clip with the model's prediction, on the mel spectrogram as that model computes it."""
    from ser_core.audio import mono
    from ui.figures import clip_figure
    from ui.mel_spectrogram import mel_of

    return clip_figure(
        mono(clip.samples)[0],
        clip.sample_rate,
        mel_of(recognizer, clip.samples, clip.sample_rate),
        windows=prediction.windows,
        speech=prediction.speech if prediction.emotion is not None else None,
    )


def keep(
    services: Services,
    held: CurrentClip | None,
    emotion: str,
    who: Annotator,
    session: str,
    segment: tuple[float, float] | None = None,
) -> Saved:
    """Keep a person's emotion for the clip or a part of it, and the clip's bytes with it.

    Args:
        services: the store.
        held: the clip on the page.
        emotion: what the person hears.
        who: from ``Identity.annotator``, asked for this very request.
        session: the session.
        segment: start and end in seconds of what the emotion is for; None = the whole clip.

    Raises:
        PageError: there is no clip, it has gone, or the person may not.
        StoreError: the disk did not take it.
    """
    from label_store.event import LabelEvent
    from ser_core.emotions import canonical

    if not (who.may_write or who.may_suggest):
        raise PageError(who.reason)
    if held is None:
        raise PageError("There is no clip to label yet. Upload or record one first.")
    data = bytes_of(held)
    # The prediction is for the whole clip, so it is not stored with a segment.
    predicted = held.prediction if segment is None else {}
    if not who.may_write:
        what = emotion if segment is None else f"{emotion} {segment}"
        seconds = held.prediction.get("seconds", 0.0)
        services.suggestion_limits.take(
            session, held.sha256, what, seconds=seconds, size=len(data)
        )  # fmt: skip
    event = LabelEvent(
        action="label" if who.may_write else "suggest",
        annotator=who.name,
        clip=services.store.keep_clip(data, Path(held.path).suffix or ".wav"),
        session=session,
        file_name=storable(held.name),
        emotion=canonical(emotion),
        prediction=predicted.get("emotion") or "",
        probabilities=predicted.get("probabilities"),
        model_version=predicted.get("model", {}).get("version", ""),
        prediction_visible=bool(predicted),
        start=segment[0] if segment else None,
        end=segment[1] if segment else None,
    )
    return services.store.append(event)


def storable(name: str) -> str:
    """Return a file name without what no file name should hold.

    >>> storable("a\\nb.wav"), storable("=1+1.wav"), storable("  ")
    ('a b.wav', '=1+1.wav', 'clip')
    """
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    line = line.replace("/", "_").replace("\\", "_").encode(errors="replace").decode()
    return line[-200:] if line.strip() else "clip"


def bytes_of(held: CurrentClip) -> bytes:
    """Return the clip's bytes, which are still those that were analysed.

    Raises:
        PageError: they are gone or changed.
    """
    gone = f"{held.name or 'The clip'} is no longer on the server. Upload it again, then choose."
    try:
        data = Path(held.path).read_bytes()
    except OSError as error:
        raise PageError(gone) from error
    if hashlib.sha256(data).hexdigest() != held.sha256:
        raise PageError(gone)
    return data
