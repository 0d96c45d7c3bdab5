"""Recognise: upload or record, read the answer, see the pictures, put it right with one key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError
from ui import downloads, over_time, parts, several
from ui.analysis import Analysis, Held, PageError, analyse, keep
from ui.looking import Looks
from ui.services import Services
from ui.theme import key_class

NOTHING = "nothing"
ASK = "Choose what you hear, or press its number. Confirming counts as much as correcting."


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    held, looks = gr.State(None), Looks(services)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=5, min_width=300, elem_id="bench-left"):
            sound = gr.Audio(
                label="A clip of speech",
                sources=["upload", "microphone"],
                type="filepath",
                buttons=[],
                editable=False,
                elem_id="clip",
                waveform_options=gr.WaveformOptions(show_recording_waveform=False),
            )
            room = parts.limits(services.settings.max_seconds, services.settings.max_bytes)
            gr.HTML(
                f'<p class="hint">{room}</p><p class="mic-told warning" role="alert" hidden></p>',
                elem_id="clip-limits",
            )
            examples = example_files(services)
            picks = _example_buttons(examples)
            with gr.Column(visible=False, elem_id="put-right") as right:
                chosen = _choices()
                saved = gr.HTML(parts.status(ASK), elem_id="saved")
        with gr.Column(scale=6, min_width=300):
            card = gr.HTML(parts.WELCOME, elem_id="answer")
    with gr.Column(visible=False) as below:
        plot = gr.Plot(
            show_label=False,
            container=False,
            elem_id="picture",
            elem_classes=["picture", "follows-clip"],
        )
        over = gr.HTML(visible=False, elem_id="over-time")
        where, heat = _look_controls(services)
        gr.HTML(parts.HINTS)
        with gr.Row():
            as_json = gr.DownloadButton(
                "Download as JSON", size="sm", scale=0, min_width=170, elem_id="as-json"
            )
            as_csv = gr.DownloadButton(
                "Download as CSV", size="sm", scale=0, min_width=170, elem_id="as-csv"
            )
    several.build(services)

    shown = [held, card, right, below, saved, plot, over, where, as_json, as_csv, *chosen.values()]

    def judge(path: str | None, progress: gr.Progress = gr.Progress()) -> Iterator[tuple[Any, ...]]:  # noqa: B008
        yield _outputs(services, None, path, len(shown))
        if path is not None:
            found = _analysed(services, path, progress)
            if isinstance(found, Analysis):
                looks.keep(found)
            yield _outputs(services, found, path, len(shown))

    options = {"api_visibility": "private", "concurrency_id": "model", "concurrency_limit": 2}
    gr.on(
        [sound.upload, sound.stop_recording],
        judge,
        sound,
        shown,
        show_progress_on=card,
        **options,
    )
    sound.clear(lambda: _outputs(services, None, None, len(shown)), None, shown, queue=False,
                api_visibility="private")  # fmt: skip
    for button, path in zip(picks, examples, strict=True):
        button.click(
            lambda path=str(path): path, None, sound, api_visibility="private", queue=False
        ).success(judge, sound, shown, show_progress_on=card, **options)
    for emotion, button in chosen.items():
        button.click(
            _keeper(services, emotion),
            held,
            saved,
            api_visibility="private",
            concurrency_id="write",
            trigger_mode="multiple",
            show_progress="hidden",
        )
    where.input(lambda clip, emotion: _looked(looks, clip, emotion), [held, where], plot, **options)
    heat.input(None, heat, None, js=SET_HEAT, api_visibility="private")


SET_HEAT = "(share) => document.documentElement.style.setProperty('--heat', share / 100)"


def example_files(services: Services) -> list[Path]:
    """Return the clips that the page offers to try, in order of name."""
    from ser_core.audio import AUDIO_ENDINGS

    folder = services.settings.examples
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_ENDINGS)[:6]


def _example_buttons(files: list[Path]) -> list[gr.Button]:
    if not files:
        return []
    gr.HTML('<p class="hint">No recording at hand? Try one of these.</p>')
    with gr.Row(elem_classes="examples"):
        return [
            gr.Button(path.stem.replace("_", " ").replace("-", " "), size="sm", min_width=90)
            for path in files
        ]


def _choices() -> dict[str, gr.Button]:
    gr.HTML('<h2 class="section-title">Not right? What do you hear?</h2>')
    with gr.Row(elem_classes="choices"):
        return {
            emotion: gr.Button(
                emotion,
                elem_id=f"choose-{emotion}",
                elem_classes=[f"emotion-{emotion}", key_class(emotion)],
                min_width=104,
            )
            for emotion in EMOTIONS
        }


def _look_controls(services: Services) -> tuple[gr.Dropdown, gr.Slider]:
    with gr.Row():
        where = gr.Dropdown(
            [("show nothing", NOTHING), *EMOTIONS],
            value=NOTHING,
            label="Where the model looked for",
            info="What in the spectrogram spoke for this emotion, in orange (Grad-CAM)",
            elem_id="looked-for",
            min_width=240,
        )
        heat = gr.Slider(0, 100, 60, step=5, label="Strength of the overlay, %", min_width=240)
    return where, heat


def _analysed(services: Services, path: str, progress: gr.Progress) -> Analysis | str:
    def tell(done: int, of: int) -> None:
        progress((done, of), desc="Listening", unit="windows")

    try:
        return analyse(services, path, tell)
    except SerError as error:
        return str(error)


def _outputs(
    services: Services, found: Analysis | str | None, path: str | None, count: int
) -> tuple[Any, ...]:
    """Return what the page shows: nothing yet, a sentence on what was wrong, or the answer."""
    if not isinstance(found, Analysis):
        waiting = '<div class="welcome" role="status">Listening …</div>'
        text = parts.problem(found) if found else (parts.WELCOME if path is None else waiting)
        hidden = gr.skip() if path is not None and not found else gr.update(visible=False)
        return (None, text, hidden, hidden, parts.status(ASK), *[gr.skip()] * (count - 5))
    said = found.held.prediction
    known = [("show nothing", NOTHING), *said["probabilities"]]
    files = downloads.written(services, [said])
    return (
        found.held,
        parts.answer(said) + parts.describe(said),
        gr.update(visible=True),
        gr.update(visible=True),
        parts.status(ASK),
        found.figure,
        gr.update(value=over_time.summary(said), visible=said["summary"] is not None),
        gr.update(choices=known, value=NOTHING),
        *files,
        *(_choice(emotion, said["emotion"]) for emotion in EMOTIONS),
    )


def _choice(emotion: str, said: str | None) -> Any:
    classes = [f"emotion-{emotion}", key_class(emotion)]
    return gr.update(elem_classes=[*classes, "said"] if emotion == said else classes)


def _keeper(services: Services, emotion: str) -> Any:
    def keep_it(held: Held | None, request: gr.Request) -> str:
        from label_store.errors import StoreError

        who = services.identity.annotator(request)
        try:
            saved = keep(services, held, emotion, who, request.session_hash or "")
        except (PageError, StoreError) as error:
            return parts.status(str(error), "refused")
        kind = "Saved" if who.may_write else "Kept as a suggestion,"
        note = "" if who.may_write else f" {who.reason}"
        return parts.status(f"{kind} #{saved.number}: {emotion}.{note}", "done")

    return keep_it


def _looked(looks: Looks, held: Held | None, emotion: str) -> Any:
    try:
        drawn = looks.look(held, None if emotion == NOTHING else emotion)
        if emotion != NOTHING and not drawn.data[-1].z.any():
            gr.Info(f"Nothing in this clip speaks for {emotion}.")
        return drawn
    except (PageError, SerError) as error:
        gr.Warning(str(error))
        return gr.skip()
