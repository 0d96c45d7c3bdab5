"""Live: the microphone, predicted twice a second, with the last ten seconds scrolling by."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import Context

from label_store.errors import StoreError
from ser_core.errors import SerError
from ui import model_choice, own_voice_panel, page_html
from ui.calls import event_value, page_error
from ui.errors import GoneError, PageError
from ui.language import say
from ui.live import html
from ui.live.recording import STRETCHES, USUAL, RecordingHandover, recorded
from ui.live.session import SMOOTHING, LiveSessions
from ui.services import CLIPS_AT_ONCE, Services

ATTACH = "window.serLive && window.serLive.attach(element, trigger)"
OPEN = "(file) => window.serLive.open(file)"
LABEL = "() => window.serLive.visit('label')"
MOST_BYTES = 4_000_000
HINT = (
    '<p class="hint"><b>How to read this.</b> The newest sound is at the right edge. The coloured '
    "band shows the predicted emotion at each moment, from the last few seconds; grey is silence, "
    "which gets no prediction. A change in the voice shows with a delay, because the model needs "
    "to hear some of it first.</p>"
)


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    listening, handed = LiveSessions(), RecordingHandover()
    with gr.Row(elem_id="live-row"):
        with gr.Column(scale=3, min_width=260, elem_id="live-left"):
            panel = gr.HTML(html.PANEL, elem_id="live-panel", js_on_load=ATTACH)
            smoothing = gr.Radio(
                list(SMOOTHING),
                value="some",
                label="Smoothing",
                info="How much earlier answers count in what is shown",
                elem_id="live-smoothing",
            )
            stretch, keep, send, label, clear = _acts()
            message = gr.HTML(elem_id="live-message")
            kept = gr.Audio(
                label="Your recording",
                type="filepath",
                interactive=False,
                visible="hidden",
                elem_id="live-recording",
                buttons=["download"],
            )
            own_voice_panel.build(services, "live")
            gr.HTML(HINT)
        with gr.Column(scale=6, min_width=300):
            seen = gr.HTML(html.READY, elem_id="live-view")
    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    panel.select(
        _hearer(services, listening),
        [smoothing, model_choice.asked()],
        seen,
        trigger_mode="multiple",
        concurrency_id="live",
        concurrency_limit=2,
        **options,
    )
    keep.click(_keeper(listening), stretch, [kept, message], **options)
    send.click(_keeper(listening), stretch, [kept, message], **options).success(
        None, kept, None, js=OPEN, **options
    )
    label.click(
        _labeller(services, listening, handed),
        stretch,
        message,
        concurrency_id="model",
        concurrency_limit=CLIPS_AT_ONCE,
        **options,
    ).success(None, None, None, js=LABEL, **options)
    clear.click(_forgetter(services, listening, handed), None, [kept, message, seen], **options)
    Context.root_block.unload(_leaver(services, listening, handed))


def _acts() -> tuple[gr.Radio, gr.Button, gr.Button, gr.Button, gr.Button]:
    stretch = gr.Radio(
        list(STRETCHES),
        value=USUAL,
        label="Use the last",
        info="For the buttons below; up to two minutes are kept in memory",
        elem_id="live-stretch",
    )
    with gr.Row(elem_classes="acts"):
        keep = gr.Button("Play", size="sm", min_width=80, elem_id="live-keep")
        send = gr.Button("Send to Recognise", size="sm", min_width=80, elem_id="live-send")
        label = gr.Button("Send to Label", size="sm", min_width=80, elem_id="live-label")
        clear = gr.Button("Discard", size="sm", min_width=80, elem_id="live-forget")
    return stretch, keep, send, label, clear


def hear(
    services: Services,
    listening: LiveSessions,
    name: str,
    message: str,
    smoothing: str,
    model: str = "",
) -> str:
    """Take one piece of sound from a page and return what to show.

    Args:
        services: the model.
        listening: who listens now.
        name: the page.
        message: JSON: ``number``, ``first``, ``rate``, ``pcm`` (16-bit little-endian, base64).
        smoothing: a key of ``SMOOTHING``.
        model: the visitor's choice.

    Raises:
        PageError: the message holds no sound.
    """
    number, first, rate, samples = unpack(message)
    try:
        recognizer = services.recognizer(model, name)
        rate_needed = recognizer.specification.sample_rate
        session = listening.session(name, rate_needed, fresh=first)
        shot = session.hear(recognizer, samples, rate, smoothing)
    except (PageError, SerError) as error:
        return html.trouble(str(error), number)
    return html.view(shot, recognizer, number)


def unpack(message: str) -> tuple[int, bool, int, np.ndarray[Any, Any]]:
    """Return number, whether it is the first after a start, rate and samples.

    Raises:
        PageError: it is something else.
    """
    try:
        if len(message) > MOST_BYTES:
            raise ValueError("too long")
        held = json.loads(message)
        data = base64.b64decode(held["pcm"], validate=True)
        sound = np.frombuffer(data, "<i2")
        return int(held["number"]), bool(held["first"]), int(held["rate"]), sound
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error) as error:
        raise PageError("The page sent something other than audio. Reload it.") from error


def _hearer(services: Services, listening: LiveSessions) -> Callable[..., str]:
    def take(smoothing: str, model: str, event: gr.EventData, request: gr.Request) -> str:
        message, name = event_value(event), request.session_hash or ""
        try:
            return hear(services, listening, name, message, smoothing, model)
        except PageError as error:
            return html.trouble(str(error))

    return take


def _keeper(listening: LiveSessions) -> Callable[..., Any]:
    def take(stretch: str, request: gr.Request) -> Any:
        try:
            found = recorded(listening.known(request.session_hash or ""), stretch)
        except PageError as error:
            raise page_error(str(error)) from error
        text = say("{seconds} s recorded. It stays on this page.", seconds=f"{found.seconds:.0f}")
        message = page_html.status(text, "done")
        return gr.update(value=(found.rate, found.samples), visible=True), message

    return take


def _labeller(
    services: Services, listening: LiveSessions, handed: RecordingHandover
) -> Callable[..., str]:
    def take(stretch: str, request: gr.Request) -> str:
        page = request.session_hash or ""
        try:
            found = recorded(listening.known(page), stretch)
            handed.bring(services, page, found, services.identity.annotator(request))
        except (PageError, GoneError, StoreError) as error:
            raise page_error(str(error)) from error
        message = say(
            "{seconds} s sent to the Label tab. They are saved only if you label them.",
            seconds=f"{found.seconds:.0f}",
        )
        return page_html.status(message, "done")

    return take


def _forgetter(
    services: Services, listening: LiveSessions, handed: RecordingHandover
) -> Callable[..., Any]:
    def forget(request: gr.Request) -> Any:
        page = request.session_hash or ""
        listening.forget(page)
        handed.drop(services, page)
        hidden = gr.update(value=None, visible="hidden")
        return hidden, page_html.status("Discarded.", "done"), html.READY

    return forget


def _leaver(
    services: Services, listening: LiveSessions, handed: RecordingHandover
) -> Callable[..., None]:
    def leave(request: gr.Request) -> None:
        page = request.session_hash or ""
        listening.forget(page)
        handed.drop(services, page)

    return leave
