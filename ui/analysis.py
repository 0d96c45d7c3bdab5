"""What the page does with a clip, without the page: judge it, draw it, keep a correction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.identity import Annotator
from ui.services import Services

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from label_store.event import Saved
    from ser_core.audio import Audio
    from ser_core.prediction import Prediction
    from ui.figures import Mel

Progress = Callable[[int, int], None]


class PageError(Exception):
    """Something a person can mend; the text is one sentence for the page."""


@dataclass(frozen=True)
class Held:
    """The clip a person is looking at: small, for the session, without the sound itself.

    Attributes:
        path: the upload in Gradio's cache.
        sha256: of the bytes that were judged; a correction goes to these or to none.
        name: as the person calls it.
        prediction: what the model said, as JSON.
    """

    path: str
    sha256: str
    name: str
    prediction: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Analysis:
    """A clip, judged and drawn."""

    held: Held
    prediction: Prediction
    figure: go.Figure


def analyse(services: Services, path: str | Path, progress: Progress | None = None) -> Analysis:
    """Decode, judge and draw a clip.

    Args:
        services: the model and settings.
        path: the clip's file.
        progress: called with windows done and in all.

    Raises:
        SerError: the clip can't be used; the message is fit for the page.
    """
    recognizer = services.serving.recognizer
    clip = read(services, path)
    prediction = recognizer.predict(clip, progress=progress)
    held = Held(str(path), clip.sha256, clip.name, prediction.to_json())
    return Analysis(held, prediction, draw(services, clip, prediction))


def read(services: Services, path: str | Path) -> Audio:
    """Decode a clip at the model's rate, within the page's limits."""
    from ser_core import audio

    settings = services.settings
    return audio.load(
        path,
        sample_rate=services.serving.recognizer.specification.sample_rate,
        max_seconds=settings.max_seconds,
        max_bytes=settings.max_bytes,
    )


def draw(services: Services, clip: Audio, prediction: Prediction) -> go.Figure:
    """Draw a clip with what the model said of it."""
    from ser_core.audio import mono
    from ui.figures import clip_figure

    return clip_figure(
        mono(clip.samples)[0],
        clip.sample_rate,
        mel_picture(services, clip),
        windows=prediction.windows,
        speech=prediction.speech if prediction.emotion is not None else None,
    )


def mel_picture(services: Services, clip: Audio) -> Mel:
    """Return the clip's mel spectrogram, as the model that serves computes it."""
    from ui.pictures import mel_of

    return mel_of(services.serving.recognizer, clip.samples, clip.sample_rate)


def keep(
    services: Services, held: Held | None, emotion: str, who: Annotator, session: str
) -> Saved:
    """Keep a person's emotion for the clip, and the clip's bytes with it.

    Args:
        services: the store.
        held: the clip on the page.
        emotion: what the person hears.
        who: from ``Identity.annotator``, asked for this very request.
        session: the sitting.

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
    said = held.prediction
    event = LabelEvent(
        action="label" if who.may_write else "suggest",
        annotator=who.name,
        clip=services.store.keep_clip(data, Path(held.path).suffix or ".wav"),
        session=session,
        file_name=storable(held.name),
        emotion=canonical(emotion),
        prediction=said["emotion"] or "",
        probabilities=said["probabilities"],
        model_version=said["model"]["version"],
        prediction_visible=True,
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


def bytes_of(held: Held) -> bytes:
    """Return the clip's bytes, which are still those that were judged.

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
