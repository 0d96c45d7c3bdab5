"""The panel that brings clips in, on every tab that labels them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ui import page_html
from ui.clip_import import ImportOptions, ImportResult, examples, import_clips
from ui.errors import PageError
from ui.language import say, say_count, translated
from ui.services import Services

SHOWN = 20
PATTERN_HELP = (
    "Optional: the name's parts, with the word speaker in braces where the speaker stands, and * "
    "for anything"
)


def build(services: Services, tab: str, *, opened: bool = False) -> gr.HTML:
    """Build the panel inside the current Blocks.

    Args:
        services: home and limits.
        tab: begins the elements' ids.
        opened: whether it is unfolded at first.

    Returns:
        What changes when clips were added.
    """
    local = services.identity.mode == "local"
    with gr.Accordion("Add clips", open=opened, elem_id=f"{tab}-import"):
        with gr.Row():
            with gr.Column(min_width=260):
                files = gr.File(
                    label="Audio files, zip archives, and a table of them",
                    file_count="multiple", type="filepath", height=152,
                    elem_id=f"{tab}-import-files",
                )  # fmt: skip
                folder = gr.File(
                    label="A folder", file_count="directory", type="filepath", height=152,
                    elem_id=f"{tab}-import-folder",
                )  # fmt: skip
                named = gr.Textbox(
                    label="Or a folder on this computer", placeholder="/home/me/recordings",
                    max_lines=1, visible=local, elem_id=f"{tab}-import-path",
                )  # fmt: skip
            with gr.Column(min_width=260):
                corpus = gr.Textbox(
                    label="Name of the corpus", value="my clips", max_lines=1, max_length=80,
                    elem_id=f"{tab}-import-corpus",
                )  # fmt: skip
                pattern = gr.Textbox(
                    label="Speaker in the file name", info=PATTERN_HELP, max_lines=1,
                    max_length=200, placeholder="{speaker}_*", elem_id=f"{tab}-import-pattern",
                )  # fmt: skip
                preview = gr.HTML(elem_id=f"{tab}-import-preview")
                cut = gr.Checkbox(
                    label="Cut long recordings at pauses", value=True,
                    info="Into segments in which somebody speaks", elem_id=f"{tab}-import-cut",
                )  # fmt: skip
                longest = gr.Slider(2, 30, 8, step=1, label="Longest segment, seconds")
        add = gr.Button("Add clips", variant="primary", size="sm", elem_id=f"{tab}-import-add")
        result = gr.HTML(elem_id=f"{tab}-import-result")
    sources = [files, folder, named]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on(
        [files.upload, folder.upload, files.clear, folder.clear, named.change, pattern.change],
        # What is typed while the files before are looked at counts too.
        previewed, [*sources, pattern], preview, trigger_mode="always_last", **quiet,
    )  # fmt: skip
    add.click(
        _adder(services), [*sources, corpus, pattern, cut, longest], result,
        api_visibility="private", concurrency_id="import", show_progress_on=result,
    )  # fmt: skip
    return result


def chosen(
    files: list[str] | None, folder: list[str] | None, named: str, *, local: bool
) -> list[Path]:
    """Return what is to be added.

    Raises:
        PageError: nothing was chosen, or the named folder is not there.
    """
    found = [Path(path) for path in [*(files or []), *(folder or [])]]
    if local and named.strip():
        path = Path(named.strip()).expanduser()
        if not path.exists():
            raise PageError(f"There is no file or folder {path}. Check the path.")
        found.append(path)
    if not found:
        raise PageError("Choose audio files, a zip archive or a folder first.")
    return found


def previewed(files: list[str] | None, folder: list[str] | None, named: str, pattern: str) -> str:
    """Return what the speaker pattern finds in the first names."""
    names = [Path(path).name for path in [*(files or []), *(folder or [])]]
    if not pattern.strip() or not names:
        return ""
    try:
        found = examples(names, pattern)
    except PageError as error:
        return page_html.status(str(error), "refused")
    rows = "".join(
        f'<li translate="no">{escape(name)} → '
        f'<b translate="no">{escape(speaker or say("no speaker"))}</b></li>'
        for name, speaker in found
    )
    return f'<ul class="pattern-examples">{rows}</ul>'


def summary(found: ImportResult) -> str:
    """Return what was added, what was not, and why."""
    lines = [
        say_count(
            found.added,
            "Added 1 clip to “{corpus}”.",
            "Added {count} clips to “{corpus}”.",
            corpus=found.corpus,
        )
    ]
    if found.cut:
        lines.append(
            say_count(
                found.cut, "1 recording cut into segments.", "{count} recordings cut into segments."
            )
        )
    if found.labelled:
        lines.append(
            say_count(
                found.labelled,
                "1 clip labelled by a table or a folder's name.",
                "{count} clips labelled by a table or a folder's name.",
            )
        )
    if found.without_file:
        lines.append(
            say_count(
                found.without_file,
                "1 row names no file; correct the name on the Corpus tab.",
                "{count} rows name no file; correct the name on the Corpus tab.",
            )
        )
    if found.duplicates:
        lines.append(
            say_count(len(found.duplicates), "1 duplicate skipped.", "{count} duplicates skipped.")
        )
    if found.refused:
        lines.append(say_count(len(found.refused), "1 file refused:", "{count} files refused:"))
    rows = "".join(
        f'<li translate="no"><b translate="no">{escape(name)}</b>: '
        f"{escape(translated(reason))}</li>"
        for name, reason in found.refused[:SHOWN]
    )
    more = len(found.refused) - SHOWN
    rows += f"<li>{say('… and {count} more', count=more)}</li>" if more > 0 else ""
    kind = "done" if found.added or found.labelled else "refused"
    return page_html.status(" ".join(lines), kind) + (
        f'<ul class="refusals">{rows}</ul>' if rows else ""
    )


def _adder(services: Services) -> Callable[..., str]:
    def add(
        files: list[str] | None,
        folder: list[str] | None,
        named: str,
        corpus: str,
        pattern: str,
        cut: bool,
        longest: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        who = services.identity.annotator(request)
        options = ImportOptions(corpus, pattern, float(longest) if cut else None)
        adding, unit = say("Adding"), say("files")
        try:
            paths = chosen(files, folder, named or "", local=services.identity.mode == "local")
            found = import_clips(
                services, who, paths, options,
                progress=lambda done, of: progress((done, of), desc=adding, unit=unit),
            )  # fmt: skip
        except PageError as error:
            return page_html.status(str(error), "refused")
        return summary(found)

    return add
