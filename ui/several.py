"""Several files at once: a table, a progress bar, one CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ser_core.errors import SerError
from ui import downloads, parts
from ui.analysis import read
from ui.services import Services

HEAD = ["file", "emotion", "confidence", "note"]


def build(services: Services) -> None:
    """Build the part inside the current Blocks."""
    with gr.Accordion("Several files at once", open=False, elem_id="several"):
        files = gr.File(label="Files of speech", file_count="multiple", type="filepath", height=140)
        settings = services.settings
        room = parts.limits(settings.max_seconds, settings.max_bytes)
        gr.HTML(f'<p class="hint">At most {settings.files_at_once} at once. Each: {room}</p>')
        table = gr.Dataframe(headers=HEAD, interactive=False, wrap=True, visible=False)
        taken = gr.DownloadButton("Download all as CSV", size="sm", visible=False)

    def judge(paths: list[str] | None, progress: gr.Progress = gr.Progress()) -> tuple[Any, Any]:  # noqa: B008
        found = judged(services, paths or [], progress)
        if not found:
            return gr.update(visible=False), gr.update(visible=False)
        value = {"headers": HEAD, "data": rows(found)}
        return (
            gr.update(value=value, visible=True),
            gr.update(value=downloads.written(services, found)[1], visible=True),
        )

    files.upload(
        judge, files, [table, taken], api_visibility="private", concurrency_id="model",
        show_progress_on=table,
    )  # fmt: skip


def judged(services: Services, paths: list[str], progress: gr.Progress) -> list[dict[str, Any]]:
    """Return each file's prediction as JSON, or its name and what was wrong with it."""
    limit = services.settings.files_at_once
    found: list[dict[str, Any]] = []
    for place, path in enumerate(paths[:limit]):
        progress((place, len(paths[:limit])), desc="Listening", unit="files")
        try:
            clip = read(services, path)
            found.append(services.serving.recognizer.predict(clip).to_json())
        except SerError as error:
            found.append({"file": Path(path).name, "error": str(error)})
    if len(paths) > limit:
        text = f"Not looked at: at most {limit} files are taken at once."
        found += [{"file": Path(path).name, "error": text} for path in paths[limit:]]
    return found


def rows(found: list[dict[str, Any]]) -> list[list[str]]:
    """Return the table's rows."""
    return [
        [
            one["file"],
            one.get("emotion") or "–",
            f"{one['confidence']:.0%}" if one.get("emotion") else "–",
            one.get("error") or one.get("unsure") or " ".join(one.get("warnings", ())),
        ]
        for one in found
    ]
