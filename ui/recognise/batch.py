"""Several files at once: a table whose rows open, a progress bar, one CSV."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ser_core.errors import SerError
from ui import analysis, downloads, model_choice, page_html
from ui.calls import page_error
from ui.language import fixed, fixed_in_each, say, translated
from ui.services import CLIPS_AT_ONCE, Services

SELECT = (
    "element.addEventListener('click', (event) => {"
    "const found = event.target.closest('button[data-open]');"
    "if (found) trigger('select', {value: found.dataset.open});})"
)


def build(services: Services) -> tuple[gr.HTML, gr.File]:
    """Build the part inside the current Blocks.

    Returns:
        The table, whose ``select`` brings a row's number, and the files.
    """
    with gr.Accordion(fixed("Several files at once"), open=False, elem_id="several"):
        files = gr.File(
            label=fixed("Audio files"), file_count="multiple", type="filepath", height=152
        )
        gr.HTML(fixed_in_each(lambda: _limits(services)))
        table = gr.HTML(elem_id="several-table", js_on_load=SELECT)
        download = gr.DownloadButton(fixed("Download all as CSV"), size="sm", visible=False)
    files.upload(
        _predictor(services), [files, model_choice.asked()], [table, download],
        api_visibility="private", concurrency_id="model", concurrency_limit=CLIPS_AT_ONCE,
        show_progress_on=table,
    )  # fmt: skip
    files.clear(
        lambda: ("", gr.update(visible=False)), None, [table, download], api_visibility="private"
    )
    return table, files


def _limits(services: Services) -> str:
    settings = services.settings
    room = page_html.limits(settings.max_seconds, settings.max_bytes)
    text = say("Up to {count} at once. Each file: {room}", count=settings.files_at_once, room=room)
    return f'<p class="hint">{text}</p>'


def _predictor(services: Services) -> Callable[..., Any]:
    def predict_files(
        paths: list[str] | None,
        model: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, Any]:
        found = predicted(services, paths or [], progress, model, request.session_hash)
        if not found:
            return "", gr.update(visible=False)
        return html(found), gr.update(value=downloads.written(services, found)[1], visible=True)

    return predict_files


def opened(paths: list[str] | None, row: str) -> str:
    """Return the file of a row of the table.

    Raises:
        gr.Error: the table is older than the files.
    """
    if not paths or not row.isdecimal() or int(row) >= len(paths):
        raise page_error("That file is no longer here. Upload it again.")
    return paths[int(row)]


def predicted(
    services: Services,
    paths: list[str],
    progress: gr.Progress,
    model: str = "",
    page: str | None = None,
) -> list[dict[str, Any]]:
    """Return each file's prediction as JSON, or its name and what was wrong with it."""
    limit = services.settings.files_at_once
    found: list[dict[str, Any]] = []
    for place, path in enumerate(paths[:limit]):
        progress((place, len(paths[:limit])), desc=say("Listening"), unit=say("files"))
        try:
            recognizer = services.recognizer(model, page)
            found.append(analysis.predicted(services, path, recognizer).to_json())
        except SerError as error:
            found.append({"file": Path(path).name, "error": translated(str(error))})
    if len(paths) > limit:
        text = say("Skipped: at most {limit} files can be processed at once.", limit=limit)
        found += [{"file": Path(path).name, "error": text} for path in paths[limit:]]
    return found


def html(found: list[dict[str, Any]]) -> str:
    """Return the table; what can't be predicted says why in full."""
    rows = "".join(_row(place, one) for place, one in enumerate(found))
    return (
        '<div class="scroll"><table class="plain batch"><thead><tr>'
        f'<th scope="col">{say("File")}</th><th scope="col">{say("Emotion")}</th>'
        f'<th scope="col">{say("Confidence")}</th><th scope="col">{say("Note")}</th>'
        f'<th scope="col"><span class="visually-hidden">{say("Open")}</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(place: int, one: dict[str, Any]) -> str:
    emotion = one.get("emotion")
    name = escape(str(one["file"]))
    word = f"{page_html.swatch(emotion)} {say(emotion)}" if emotion else "–"
    share = page_html.percent(one["confidence"]) if emotion else "–"
    notes = [one["unsure"]] if one.get("unsure") else one.get("warnings", ())
    note = one.get("error") or " ".join(map(translated, notes))
    button = (
        ""
        if "error" in one
        else f'<button type="button" class="seek" data-open="{place}" '
        f'aria-label="{say("Open")} {name}">{say("Open")}</button>'
    )
    return (
        f'<tr><th scope="row">{name}</th><td class="word">{word}</td><td>{share}</td>'
        f'<td class="note">{escape(note or "")}</td><td>{button}</td></tr>'
    )
