"""Recognise: upload or record, read the answer, see the pictures, put it right with one key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError
from ui import downloads, model_choice, own_voice_panel, page_html
from ui.analysis import Analysis, CurrentClip, analyse
from ui.calls import event_value, page_error
from ui.clip_source import example_files, example_title, playable_copy
from ui.emotion_buttons import emotion_buttons, emotion_classes
from ui.errors import PageError
from ui.language import fixed, fixed_in_each, say, translated
from ui.recognise import batch, over_time, session, sharing
from ui.recognise.gradcam import GradCamCache
from ui.recognise.session import Chosen, Correction
from ui.segments import wave_html
from ui.services import CLIPS_AT_ONCE, Services

Asked = tuple[str, str | None]
"""The visitor's choice of model, and the page, which may have its own voice."""

NOTHING = "nothing"
CORRECT_IT = '<h2 class="section-title">Correct it: which emotion do you hear?</h2>'
EXAMPLES_HINT = '<p class="hint">No recording at hand? Try a synthetic voice.</p>'
START = (
    '<div class="first-act"><button type="button" class="record" id="record">'
    '<span class="dot" aria-hidden="true"></span>Record</button>'
    '<button type="button" class="upload" id="upload">Upload a file</button></div>'
)
ASK = "Choose the emotion you hear, or press its number. Confirming helps as much as correcting."


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    held, looks = gr.State(None), GradCamCache(services)
    with gr.Row(elem_id="recognise-row"):
        with gr.Column(scale=5, min_width=300, elem_id="recognise-left"):
            gr.HTML(fixed(START), elem_id="first-act")
            sound = gr.Audio(
                label=fixed("A clip of speech"),
                sources=["upload", "microphone"],
                type="filepath",
                buttons=[],
                editable=False,
                elem_id="clip",
                waveform_options=gr.WaveformOptions(show_recording_waveform=False),
            )
            gr.HTML('<p class="mic-message warning" role="alert" hidden></p>')
            gr.HTML(fixed_in_each(lambda: _limits(services)), elem_id="clip-limits")
            examples = example_files(services)
            picks = _example_buttons(examples)
            with gr.Column(visible=False, elem_id="put-right") as right:
                gr.HTML(fixed(CORRECT_IT))
                chosen = emotion_buttons("choose-")
                if services.identity.mode != "local":
                    gr.HTML(page_html.CONSENT)
                with gr.Row(elem_id="saved-row"):
                    saved = gr.HTML(fixed(page_html.status(ASK)), elem_id="saved")
                    parts = gr.Button(
                        fixed("Label its parts"), size="sm", scale=0, min_width=130, elem_id="parts"
                    )
                    undo = gr.Button(fixed("Undo"), size="sm", visible=False, scale=0, min_width=96,
                                     elem_id="undo", elem_classes="key-KeyU")  # fmt: skip
                wave = gr.HTML(wave_html("recognise", ready=True), elem_id="recognise-wave-holder")
                parted = gr.HTML(elem_id="recognise-segments", elem_classes="unseen")
                remove = gr.Button("Remove segment", elem_id="recognise-remove",
                                   elem_classes="unseen")  # fmt: skip
        with gr.Column(scale=6, min_width=300, elem_id="recognise-right"):
            card = gr.HTML(fixed(page_html.WELCOME), elem_id="answer")
            plot = gr.Plot(
                show_label=False,
                container=False,
                visible=False,
                elem_id="picture",
                elem_classes=["picture", "follows-clip"],
            )
    with gr.Column(visible=False) as below:
        over = gr.HTML(visible=False, elem_id="over-time")
        where, heat = _look_controls(services)
        gr.HTML(fixed(page_html.HINTS))
        with gr.Row(elem_id="take-along"):
            gr.Button(fixed("Share"), size="sm", scale=0, min_width=120, elem_id="share")
            as_json = gr.DownloadButton(
                fixed("Download as JSON"), size="sm", scale=0, min_width=170, elem_id="as-json"
            )
            as_csv = gr.DownloadButton(
                fixed("Download as CSV"), size="sm", scale=0, min_width=170, elem_id="as-csv"
            )
        gr.HTML('<p class="share-note" id="share-note" role="status"></p>')
    voice = own_voice_panel.build(services, "recognise")
    several, files = batch.build(services)
    shown_clip = gr.Textbox(visible=False)
    corrected = [saved, undo, parted, *chosen.values()]
    shown = [held, card, right, below, plot, over, where, as_json, as_csv, wave, *corrected, sound]

    model = model_choice.asked()

    def judge(
        path: str | None,
        model: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        yield _waiting(None, path, len(shown))
        if path is not None:
            asked = (model, request.session_hash)
            found = _analysed(services, looks, path, asked, progress)
            if isinstance(found, Analysis):
                yield _answer(services, found, path, request)
            else:
                yield _waiting(found, path, len(shown))

    def again(
        path: str | None,
        model: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        if path is not None:
            yield from judge(path, model, request, progress)

    def switched(
        path: str | None,
        event: gr.EventData,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[tuple[Any, ...]]:
        yield from again(path, model_choice.chosen(event), request, progress)

    options = {
        "api_visibility": "private",
        "concurrency_id": "model",
        "concurrency_limit": CLIPS_AT_ONCE,
    }
    gr.on(
        [sound.upload, sound.stop_recording],
        judge,
        [sound, model],
        shown,
        show_progress_on=card,
        **options,
    )
    model_choice.line_of_page().select(switched, sound, shown, show_progress_on=card, **options)
    sound.clear(lambda: _waiting(None, None, len(shown)), None, shown, queue=False,
                api_visibility="private")  # fmt: skip
    for button, path in zip(picks, examples, strict=True):
        button.click(
            lambda path=str(path): path, None, sound, api_visibility="private", queue=False
        ).success(judge, [sound, model], shown, show_progress_on=card, **options)
    for emotion, button in chosen.items():
        button.click(_corrector(services, emotion), [shown_clip, held], corrected, js=CHOSEN,
                     **WRITES)  # fmt: skip
    remove.click(_remover(services), [shown_clip, held], corrected, js=CHOSEN, **WRITES)
    undo.click(_undoer(services), held, corrected, **WRITES)
    parts.click(_sender(services), held, None, **WRITES).success(
        None, None, None, js=TO_LABEL, api_visibility="private"
    )
    several.select(_opener(), files, sound, api_visibility="private", js=TO_TOP).success(
        judge, [sound, model], shown, show_progress_on=card, **options
    )
    for event in voice:
        event.success(again, [sound, model], shown, show_progress_on=card, **options)

    def look(clip: CurrentClip | None, emotion: str, model: str, request: gr.Request) -> Any:
        return _looked(services, looks, clip, emotion, (model, request.session_hash))

    where.input(look, [held, where, model], plot, show_progress_on=where,
                trigger_mode="always_last", **options)  # fmt: skip
    heat.input(None, heat, None, js=SET_HEAT, api_visibility="private")
    if Context.root_block is not None:
        Context.root_block.load(_shared, gr.Textbox(visible=False), [card, over], js=IN_ADDRESS,
                                api_visibility="private", show_progress="hidden")  # fmt: skip


WRITES: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "write",
    "trigger_mode": "multiple",
    "show_progress": "hidden",
}
IN_ADDRESS = "() => [location.hash.startsWith('#result=') ? location.hash.slice(8) : '']"
"""Brings the result that a shared link carries."""

CHOSEN = "(_, ...rest) => [window.serSegments.recognise.ticket(), ...rest]"
"""Brings the hash of the clip whose answer is on the page at this very key press, and the segment
that is chosen."""

TO_LABEL = "() => window.serPage.visit('label')"
TO_TOP = "(...given) => (document.getElementById('clip')?.scrollIntoView({block: 'center'}), given)"
SET_HEAT = "(share) => document.documentElement.style.setProperty('--heat', share / 100)"


def _limits(services: Services) -> str:
    settings = services.settings
    return f'<p class="hint">{page_html.limits(settings.max_seconds, settings.max_bytes)}</p>'


def _example_buttons(files: list[Path]) -> list[gr.Button]:
    if not files:
        return []
    gr.HTML(fixed(EXAMPLES_HINT), elem_id="examples-hint")
    with gr.Row(elem_classes="examples"):
        return [gr.Button(fixed(example_title(path)), size="sm", min_width=90) for path in files]


def _look_controls(services: Services) -> tuple[gr.Dropdown, gr.Slider]:
    with gr.Row():
        where = gr.Dropdown(
            [("nothing", NOTHING), *EMOTIONS],
            value=NOTHING,
            label=fixed("Show where the model looked for"),
            info=fixed(
                "Orange marks what supports this emotion: places in the spectrogram (Grad-CAM), "
                "or moments where an encoder answers (gradients)"
            ),
            elem_id="looked-for",
            min_width=240,
        )
        heat = gr.Slider(
            0, 100, 60, step=5, label=fixed("Strength of the overlay, %"), min_width=240
        )
    return where, heat


def _analysed(
    services: Services, looks: GradCamCache, path: str, asked: Asked, progress: gr.Progress
) -> Analysis | str:
    def tell(done: int, of: int) -> None:
        progress((done, of), desc=say("Listening"), unit=say("windows"))

    try:
        recognizer = services.recognizer(*asked)
        found = analyse(services, path, tell, recognizer=recognizer)
        looks.keep(found, recognizer)
        return found
    except SerError as error:
        return str(error)


def _waiting(problem: str | None, path: str | None, count: int) -> tuple[Any, ...]:
    """Return what the page shows without an answer: nothing yet, or what was wrong."""
    waiting = f'<div class="welcome" role="status">{say("Listening")} …</div>'
    welcome = say(page_html.WELCOME) if path is None else waiting
    text = page_html.problem(problem) if problem else welcome
    hidden = gr.skip() if path is not None and not problem else gr.update(visible=False)
    return (None, text, *[hidden] * 3, *[gr.skip()] * (count - 5))


def _answer(services: Services, found: Analysis, path: str, request: gr.Request) -> tuple[Any, ...]:
    """Return what the page shows of an answer."""
    held, prediction = found.held, found.held.prediction
    who = services.identity.annotator(request)
    stands = session.opened(services, held, who, request.session_hash or "")
    asked = [(say(emotion), emotion) for emotion in prediction["probabilities"]]
    files = downloads.written(services, [prediction])
    return (
        held,
        page_html.answer(prediction, over_time.headline(prediction), sharing.link(prediction))
        + page_html.describe(prediction),
        gr.update(visible=True),
        gr.update(visible=True),
        gr.update(value=found.figure, visible=True),
        gr.update(value=over_time.summary(prediction), visible=prediction["summary"] is not None),
        gr.update(choices=[(say("nothing"), NOTHING), *asked], value=NOTHING),
        *files,
        gr.update(visible=who.may_write or who.may_suggest),
        *_corrected(services, replace(stands, status=page_html.status(say(ASK))), held),
        playable_copy(services, path),
    )


def _shared(token: str) -> tuple[Any, Any]:
    """Return what a shared link shows; nothing changes where the address carries none."""
    if not token:
        return gr.skip(), gr.skip()
    try:
        prediction = sharing.opened(token)
    except PageError as error:
        return page_html.problem(str(error)), gr.skip()
    summary = over_time.summary(prediction)
    return sharing.html(prediction), gr.update(value=summary, visible=bool(summary))


def _corrected(services: Services, found: Correction, held: CurrentClip | None) -> tuple[Any, ...]:
    """Return status line, Undo, the segments, and the buttons: the chosen one marked, else the
    predicted one."""
    predicted = held.prediction["emotion"] if held is not None else None
    marks = {found.emotion: "chosen"} if found.emotion else {predicted: "predicted"}
    return (
        found.status,
        gr.update(visible=found.undoable),
        session.segments_html(services, held, found.segments),
        *(_choice(emotion, marks.get(emotion)) for emotion in EMOTIONS),
    )


def _choice(emotion: str, mark: str | None) -> Any:
    classes = emotion_classes(emotion)
    return gr.update(elem_classes=[*classes, mark] if mark else classes)


def _corrector(services: Services, emotion: str) -> Callable[..., Any]:
    def correct(ticket: str, held: CurrentClip | None, request: gr.Request) -> tuple[Any, ...]:
        who = services.identity.annotator(request)
        page, chosen = request.session_hash or "", Chosen.of(ticket)
        found = session.correct(services, held, chosen, emotion, who, page)
        return _corrected(services, found, held)

    return correct


def _remover(services: Services) -> Callable[..., Any]:
    def remove(ticket: str, held: CurrentClip | None, request: gr.Request) -> tuple[Any, ...]:
        who = services.identity.annotator(request)
        page, chosen = request.session_hash or "", Chosen.of(ticket)
        return _corrected(services, session.remove(services, held, chosen, who, page), held)

    return remove


def _undoer(services: Services) -> Callable[..., Any]:
    def undo(held: CurrentClip | None, request: gr.Request) -> tuple[Any, ...]:
        who = services.identity.annotator(request)
        found = session.undo(services, held, who, request.session_hash or "")
        return _corrected(services, found, held)

    return undo


def _sender(services: Services) -> Callable[..., None]:
    def send(held: CurrentClip | None, request: gr.Request) -> None:
        who = services.identity.annotator(request)
        try:
            session.send_to_label(services, held, who, request.session_hash or "")
        except PageError as error:
            raise page_error(str(error)) from error

    return send


def _opener() -> Callable[..., str]:
    def open_(paths: list[str] | None, event: gr.EventData) -> str:
        return batch.opened(paths, event_value(event))

    return open_


def _looked(
    services: Services, looks: GradCamCache, held: CurrentClip | None, emotion: str, asked: Asked
) -> Any:
    try:
        recognizer = services.recognizer(*asked)
        drawn = looks.look(held, None if emotion == NOTHING else emotion, recognizer)
        if emotion != NOTHING and not drawn.data[-1].z.any():
            gr.Info(say("Nothing in this clip supports {emotion}.", emotion=say(emotion)))
        return drawn
    except (PageError, SerError) as error:
        gr.Warning(translated(str(error)))
        return gr.skip()
