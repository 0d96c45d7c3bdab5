"""The fold “My voice”: record some ordinary speech once, and be heard relative to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from label_store.errors import StoreError
from ser_core.errors import SerError
from ui import model_choice, page_html
from ui.analysis import read
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import fixed, say, translated
from ui.services import CLIPS_AT_ONCE, Services

ABOUT = (
    '<p class="hint">Some voices always sound angry or sad to a model. Record or choose 10 to 20 s '
    "of your <b>ordinary, neutral speech</b>, once: from then on your clips are heard relative to "
    "it. It stays in this server's memory while the page is open, and nowhere else.</p>"
)
KEEPING = (
    '<p class="hint">To have it the next time, or for a speaker whose clips you label '
    "(<code>corpus/speaker</code>), keep it under a name. It stays in the studio's home folder "
    "until you delete it here.</p>"
)
SWITCH = (
    "() => {const list = document.getElementById('model-select');"
    "if (!list || ![...list.options].some((one) => one.value === 'encoder')) return;"
    "list.value = 'encoder';"
    "list.dispatchEvent(new Event('change', {bubbles: true}));}"
)
NO_VOICE = "There is no voice to keep yet. Record or choose one above first."
FORGOTTEN = "Your voice is forgotten. Answers are as for anybody again."


def build(services: Services, name: str) -> list[Any]:
    """Build the fold inside the current Blocks.

    Args:
        services: models and voices.
        name: the tab, which makes the elements' ids.

    Returns:
        The listeners after which answers are others, to go on from with ``success``.
    """
    with gr.Accordion(fixed("My voice"), open=False, elem_id=f"{name}-voice"):
        gr.HTML(fixed(ABOUT))
        sound = gr.Audio(
            label=fixed("Your ordinary speech"),
            sources=["microphone", "upload"],
            type="filepath",
            buttons=[],
            editable=False,
            elem_id=f"{name}-voice-clip",
            waveform_options=gr.WaveformOptions(show_recording_waveform=False),
        )
        status = gr.HTML(page_html.status(""), elem_id=f"{name}-voice-status")
        with gr.Row():
            switch = gr.Button(
                fixed("Switch to the encoder model"), size="sm", visible=False, min_width=180
            )
            forget = gr.Button(fixed("Forget my voice"), size="sm", visible=False, min_width=130,
                               elem_id=f"{name}-voice-forget")  # fmt: skip
        with gr.Accordion(fixed("Keep it under a name"), open=False, elem_id=f"{name}-voice-keep"):
            gr.HTML(fixed(KEEPING))
            who = gr.Textbox(label=fixed("Name of the speaker"), max_lines=1, max_length=120)
            with gr.Row():
                keep = gr.Button(fixed("Keep"), size="sm", min_width=80)
                take = gr.Button(fixed("Use"), size="sm", min_width=80)
                delete = gr.Button(fixed("Delete"), size="sm", min_width=80)
    shown = [sound, status, switch, forget]
    model = model_choice.asked()
    options: dict[str, Any] = {"api_visibility": "private", "show_progress_on": status}
    busy = options | {"concurrency_id": "model", "concurrency_limit": CLIPS_AT_ONCE}

    def learn(path: str | None, model: str, request: gr.Request) -> tuple[Any, ...]:
        return learned(services, path, model, request.session_hash or "")

    def drop(request: gr.Request) -> tuple[Any, ...]:
        services.own_voices.forget(request.session_hash or "")
        return _shown(page_html.status(say(FORGOTTEN), "done"), False, False)

    def use(name: str, model: str, request: gr.Request) -> tuple[Any, ...]:
        who = services.identity.annotator(request)
        return taken(services, name, model, request.session_hash or "", who)

    def hold(name: str, request: gr.Request) -> str:
        who = services.identity.annotator(request)
        return kept(services, name, request.session_hash or "", who)

    def remove(name: str, request: gr.Request) -> str:
        return deleted(services, name, services.identity.annotator(request))

    def leave(request: gr.Request) -> None:
        services.own_voices.forget(request.session_hash or "")

    heard = gr.on([sound.upload, sound.stop_recording], learn, [sound, model], shown, **busy)
    dropped = forget.click(drop, None, shown, **options)
    used = take.click(use, [who, model], shown, **busy)
    keep.click(hold, who, status, **options)
    delete.click(remove, who, status, **options)
    switch.click(None, None, None, js=SWITCH, api_visibility="private")
    Context.root_block.unload(leave)
    return [heard, dropped, used]


def learned(services: Services, path: str | None, model: str, page: str) -> tuple[Any, ...]:
    """Keep the voice in memory, delete its file, and return what the fold shows."""
    if path is None:
        return (gr.skip(),) * 4
    try:
        return _learned(services, path, model, page)
    finally:
        with contextlib.suppress(OSError):  # Gradio removes it within the hour in any case
            Path(path).unlink()


def _learned(services: Services, path: str | Path, model: str, page: str) -> tuple[Any, ...]:
    voices = services.own_voices
    try:
        recognizer = services.recognizer(model)
        text = voices.learn(page, read(services, path, recognizer), recognizer)
    except SerError as error:
        return _shown(
            page_html.status(translated(str(error)), "refused"), False, voices.knows(page)
        )
    used = voices.relative(page, recognizer) is not recognizer
    return _shown(page_html.status(text, "done" if used else ""), not used, True)


def taken(services: Services, name: str, model: str, page: str, who: Annotator) -> tuple[Any, ...]:
    """Take a kept voice for this page, and return what the fold shows."""
    try:
        _require(who)
        found = services.kept_voices.get(name)
        if found is None:
            raise PageError(_unknown(services, name))
    except PageError as error:
        refused = page_html.status(translated(str(error)), "refused")
        return _shown(refused, False, services.own_voices.knows(page))
    return _learned(services, found.path, model, page)


def kept(services: Services, name: str, page: str, who: Annotator) -> str:
    """Keep the page's voice under a name, and return the line that says so."""
    import io

    import soundfile

    try:
        _require(who)
        clip = services.own_voices.clip(page)
        if clip is None:
            raise PageError(NO_VOICE)
        data = io.BytesIO()
        soundfile.write(data, clip.samples.T, clip.sample_rate, format="FLAC")
        held = services.kept_voices.keep(name, data.getvalue(), by=who.name)
    except (PageError, StoreError) as error:
        return page_html.status(translated(str(error)), "refused")
    return page_html.status(say("Kept as {name}, until you delete it.", name=held.name), "done")


def deleted(services: Services, name: str, who: Annotator) -> str:
    """Delete a kept voice, and return the line that says so."""
    try:
        _require(who)
        if not services.kept_voices.delete(name):
            raise PageError(_unknown(services, name))
    except (PageError, StoreError) as error:
        return page_html.status(translated(str(error)), "refused")
    return page_html.status(say("Deleted."), "done")


def _require(who: Annotator) -> None:
    if not who.may_write:
        raise PageError(who.reason or "Only those who may label can keep voices here.")


def _unknown(services: Services, name: str) -> str:
    names = ", ".join(one.name for one in services.kept_voices.all()) or "–"
    return f"No voice is kept as “{name[:60]}”. Kept are: {names}."


def _shown(status: str, switch: bool, forget: bool) -> tuple[Any, ...]:
    return None, status, gr.update(visible=switch), gr.update(visible=forget)
