"""Tables in and out on the Corpus tab: what an import would change, and exports to take away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from label_store.errors import StoreError
from label_store.exchange import (
    ImportPlan,
    apply,
    read_table,
    rows_of,
    to_audiofolder,
    to_csv,
    to_label_studio,
    to_parquet,
)
from label_store.projection import write_labels
from ui import corpus_parts, parts
from ui.analysis import PageError
from ui.corpus_desk import CorpusDesk
from ui.identity import Annotator

FORMATS: tuple[tuple[str, str], ...] = (
    ("CSV: Filename,Emotion", "csv"),
    ("CSV for Excel (BOM, semicolons)", "excel"),
    ("Parquet", "parquet"),
    ("Label Studio JSON", "label-studio"),
    ("Hugging Face audiofolder (zip)", "audiofolder"),
)
ENDINGS = [".csv", ".tsv", ".txt", ".json", ".parquet"]


def build(desk: CorpusDesk) -> gr.Button:
    """Build the part inside the current Blocks; return the button that applies an import."""
    held = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            file = gr.File(
                label="Import a table: CSV, Label Studio JSON or Parquet",
                file_types=ENDINGS, type="filepath", height=120, elem_id="corpus-import",
            )  # fmt: skip
            shown = gr.HTML(elem_id="corpus-plan")
            do = gr.Button(
                "Apply the import", variant="primary", size="sm", visible=False,
                elem_id="corpus-apply",
            )  # fmt: skip
        with gr.Column(min_width=280):
            kind = gr.Dropdown(list(FORMATS), value="csv", label="Export as")
            make = gr.Button("Make the file", size="sm", elem_id="corpus-export")
            taken = gr.DownloadButton(
                "Download", size="sm", visible=False, elem_id="corpus-download"
            )
            note = gr.HTML()
    reads = {"api_visibility": "private"}
    file.upload(_previewer(desk), file, [held, shown, do], **reads)
    file.clear(lambda: (None, "", gr.update(visible=False)), None, [held, shown, do], **reads)
    make.click(_exporter(desk), kind, [taken, note], **reads)
    do.click(
        _applier(desk), held, [held, shown, do], api_visibility="private", concurrency_id="write"
    )
    return do


def previewed(desk: CorpusDesk, who: Annotator, path: str) -> tuple[Any, str, Any]:
    """Return the plan, what the page says of it, and whether it may be applied."""
    hidden = gr.update(visible=False)
    try:
        made = desk.plan(who, read_table(Path(path)))
    except (PageError, StoreError) as error:
        return None, parts.status(str(error), "refused"), hidden
    some = any(change.kind != "same" for change in made.changes)
    return made if some else None, corpus_parts.preview(made), gr.update(visible=some)


def applied(
    desk: CorpusDesk, who: Annotator, session: str, made: ImportPlan | None
) -> tuple[Any, str, Any]:
    """Do what a plan shows; where it can't be done, keep it on the page and say why."""
    if made is None or not who.may_write:
        text = who.reason or "There is no import to apply. Choose a table first."
        return None, parts.status(text, "refused"), gr.update(visible=False)
    try:
        saved = apply(desk.services.store, made, session=session)
    except StoreError as error:
        return made, parts.status(str(error), "refused"), gr.skip()
    text = f"Saved {len(saved)} events." if saved else "Nothing had to be changed."
    return None, parts.status(text, "done"), gr.update(visible=False)


def exported(desk: CorpusDesk, who: Annotator, kind: str) -> str:
    """Write the store's labels as a file and return its path.

    Raises:
        PageError: the person may not, or the format is unknown.
        StoreError: the disk did not take it.
    """
    if not who.may_write:
        raise PageError(who.reason or "Only those who may write can export.")
    store = desk.services.store
    folder = Path(tempfile.mkdtemp(prefix="labels-"))
    rows = rows_of(store)
    if kind == "audiofolder":
        to_audiofolder(rows, store.clips.paths(), folder / "labels")
        return shutil.make_archive(str(folder / "labels"), "zip", folder / "labels")
    write_labels(store)
    made: dict[str, tuple[str, Callable[[], bytes]]] = {
        "csv": ("labels.csv", lambda: to_csv(rows)),
        "excel": ("labels.csv", lambda: to_csv(rows, delimiter=";", bom=True)),
        "parquet": ("labels.parquet", lambda: to_parquet(rows)),
        "label-studio": ("labels.json", lambda: to_label_studio(store)),
    }
    if kind not in made:
        raise PageError(f"“{kind[:30]}” is no format. Known are: {', '.join(made)}, audiofolder.")
    name, content = made[kind]
    (folder / name).write_bytes(content())
    return str(folder / name)


def _previewer(desk: CorpusDesk) -> Callable[..., Any]:
    def preview(path: str | None, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        if not path:
            return None, "", gr.update(visible=False)
        return previewed(desk, who, path)

    return preview


def _applier(desk: CorpusDesk) -> Callable[..., Any]:
    def apply_it(made: ImportPlan | None, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        return applied(desk, who, request.session_hash or "", made)

    return apply_it


def _exporter(desk: CorpusDesk) -> Callable[..., Any]:
    def export(kind: str, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        try:
            path = exported(desk, who, kind)
        except (PageError, StoreError) as error:
            return gr.update(visible=False), parts.status(str(error), "refused")
        return gr.update(value=path, visible=True), parts.status("The file is ready.", "done")

    return export
