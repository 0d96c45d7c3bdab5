"""Live: the microphone as it speaks, judged twice a second, with the last ten seconds rolling."""

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
from ui import live_parts, parts
from ui.analysis import PageError
from ui.label_clip import GoneError
from ui.live_recording import STRETCHES, USUAL, Handed, recorded
from ui.live_session import SMOOTHING, Listening
from ui.services import Services

ATTACH = "window.serLive && window.serLive.attach(element, trigger)"
OPEN = "(file) => window.serLive.open(file)"
LABEL = "() => window.serLive.visit('Label')"
MOST_BYTES = 4_000_000
HINT = (
    '<p class="hint"><b>How to read this.</b> The newest sound is at the right edge. The coloured '
    "band is what the model hears, from the last few seconds at each moment; grey is silence, "
    "which is not judged. A voice that changes shows with a delay, for the model needs to hear "
    "some of it first.</p>"
)


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    listening, handed = Listening(), Handed()
    with gr.Row(elem_id="live-bench"):
        with gr.Column(scale=3, min_width=260, elem_id="live-left"):
            desk = gr.HTML(live_parts.DESK, elem_id="live-desk", js_on_load=ATTACH)
            smoothing = gr.Radio(
                list(SMOOTHING),
                value="some",
                label="Smoothing",
                info="How much of what was heard before stays in what is shown",
                elem_id="live-smoothing",
            )
            stretch, keep, send, label, clear = _acts()
            said = gr.HTML(elem_id="live-said")
            kept = gr.Audio(
                label="What you took",
                type="filepath",
                interactive=False,
                visible="hidden",
                elem_id="live-recording",
                buttons=["download"],
            )
            gr.HTML(HINT)
        with gr.Column(scale=6, min_width=300):
            seen = gr.HTML(live_parts.READY, elem_id="live-view")
    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    desk.select(
        _hearer(services, listening),
        smoothing,
        seen,
        trigger_mode="multiple",
        concurrency_id="live",
        concurrency_limit=2,
        **options,
    )
    keep.click(_keeper(listening), stretch, [kept, said], **options)
    send.click(_keeper(listening), stretch, [kept, said], **options).success(
        None, kept, None, js=OPEN, **options
    )
    label.click(
        _labeller(services, listening, handed),
        stretch,
        said,
        concurrency_id="model",
        concurrency_limit=2,
        **options,
    ).success(None, None, None, js=LABEL, **options)
    clear.click(_forgetter(services, listening, handed), None, [kept, said, seen], **options)
    Context.root_block.unload(_leaver(services, listening, handed))


def _acts() -> tuple[gr.Radio, gr.Button, gr.Button, gr.Button, gr.Button]:
    stretch = gr.Radio(
        list(STRETCHES),
        value=USUAL,
        label="Take the last",
        info="What the buttons below work on; the picture shows ten seconds, two minutes are held",
        elem_id="live-stretch",
    )
    with gr.Row(elem_classes="acts"):
        keep = gr.Button("Listen", size="sm", min_width=80, elem_id="live-keep")
        send = gr.Button("Recognise", size="sm", min_width=80, elem_id="live-send")
        label = gr.Button("Label", size="sm", min_width=80, elem_id="live-label")
        clear = gr.Button("Forget it", size="sm", min_width=80, elem_id="live-forget")
    return stretch, keep, send, label, clear


def hear(services: Services, listening: Listening, name: str, message: str, smoothing: str) -> str:
    """Take one piece of sound from a page and return what to show.

    Args:
        services: the model.
        listening: who listens now.
        name: the page.
        message: JSON: ``number``, ``first``, ``rate``, ``pcm`` (16-bit little-endian, base64).
        smoothing: a key of ``SMOOTHING``.

    Raises:
        PageError: the message is no sound.
    """
    number, first, rate, samples = unpack(message)
    try:
        recognizer = services.serving.recognizer
        wanted = recognizer.specification.sample_rate
        session = listening.session(name, wanted, fresh=first)
        shot = session.hear(recognizer, samples, rate, smoothing)
    except (PageError, SerError) as error:
        return live_parts.trouble(str(error), number)
    return live_parts.view(shot, recognizer, number)


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
        raise PageError("The page sent something that is no sound. Reload it.") from error


def _hearer(services: Services, listening: Listening) -> Callable[..., str]:
    def take(smoothing: str, event: gr.EventData, request: gr.Request) -> str:
        message, name = str(event._data.get("value", "")), request.session_hash or ""
        try:
            return hear(services, listening, name, message, smoothing)
        except PageError as error:
            return live_parts.trouble(str(error))

    return take


def _keeper(listening: Listening) -> Callable[..., Any]:
    def take(stretch: str, request: gr.Request) -> Any:
        try:
            found = recorded(listening.known(request.session_hash or ""), stretch)
        except PageError as error:
            raise gr.Error(str(error), print_exception=False) from error
        told = parts.status(f"{found.seconds:.0f} seconds, on this page only.", "done")
        return gr.update(value=(found.rate, found.samples), visible=True), told

    return take


def _labeller(services: Services, listening: Listening, handed: Handed) -> Callable[..., str]:
    def take(stretch: str, request: gr.Request) -> str:
        page = request.session_hash or ""
        try:
            found = recorded(listening.known(page), stretch)
            handed.bring(services, page, found, services.identity.annotator(request))
        except (PageError, GoneError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        told = f"{found.seconds:.0f} seconds wait on the Label tab; kept only if you label them."
        return parts.status(told, "done")

    return take


def _forgetter(services: Services, listening: Listening, handed: Handed) -> Callable[..., Any]:
    def forget(request: gr.Request) -> Any:
        page = request.session_hash or ""
        listening.forget(page)
        handed.drop(services, page)
        hidden = gr.update(value=None, visible="hidden")
        return hidden, parts.status("Forgotten.", "done"), live_parts.READY

    return forget


def _leaver(services: Services, listening: Listening, handed: Handed) -> Callable[..., None]:
    def leave(request: gr.Request) -> None:
        page = request.session_hash or ""
        listening.forget(page)
        handed.drop(services, page)

    return leave
