"""Tables in and out on the Corpus tab: what an import would change, and exports to take away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from label_store.clips import write_whole
from label_store.errors import StoreError
from label_store.exchange import (
    ImportPlan,
    LabelTable,
    apply,
    label_table,
    rows_of,
    timelines,
    to_audiofolder,
    to_csv,
    to_label_studio,
    to_parquet,
)
from label_store.projection import write_labels
from ser_core.audio.length import seconds_of
from ser_core.corpora.tables import ENDINGS, read_bytes
from ser_core.corpora.tables.words import is_emotion, keep_words, parse_mapping, parse_pairs
from ser_core.errors import SerError
from ser_core.home import Home
from ui import page_html, temporary
from ui.corpus import html
from ui.corpus.session import CorpusTableService
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say, translated
from ui.page_html import counted

FORMATS: tuple[tuple[str, str], ...] = (
    ("CSV: Filename,Emotion", "csv"),
    ("CSV for Excel (BOM, semicolons)", "excel"),
    ("Parquet", "parquet"),
    ("Label Studio JSON", "label-studio"),
    ("Hugging Face audiofolder (zip)", "audiofolder"),
    *((form.title, kind) for kind, form in timelines.FORMATS.items()),
)

TAKEN = [*ENDINGS, *timelines.ENDINGS]
"""Endings of the files that may be imported."""


def build(service: CorpusTableService) -> gr.Button:
    """Build the part inside the current Blocks; return the button that applies an import."""
    held = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            file = gr.File(
                label="Import labels: a table or a time line",
                file_types=TAKEN, type="filepath", height=152, elem_id="corpus-table-import",
            )  # fmt: skip
            words = gr.Textbox(
                label="What its words mean", placeholder="excited = joy, fru = -",
                elem_id="corpus-words", info="A dash leaves such rows out. Kept for next time.",
            )  # fmt: skip
            columns = gr.Textbox(
                label="Which columns to read", placeholder="emotion = mood, file_name = take",
                elem_id="corpus-columns", info="Only where the headings can't be told.",
            )  # fmt: skip
            theirs = gr.Checkbox(
                label="Rows that name an annotator stay theirs", elem_id="corpus-theirs"
            )
            shown = gr.HTML(elem_id="corpus-plan")
            do = gr.Button(
                "Apply the import", variant="primary", size="sm", visible=False,
                elem_id="corpus-apply",
            )  # fmt: skip
        with gr.Column(min_width=280):
            kind = gr.Dropdown(list(FORMATS), value="csv", label="Export as")
            make = gr.Button("Create the file", size="sm", elem_id="corpus-export")
            taken = gr.DownloadButton(
                "Download", size="sm", visible=False, elem_id="corpus-download"
            )
            note = gr.HTML()
    reads = {"api_visibility": "private"}
    asked = [file, words, columns, theirs]
    file.upload(_previewer(service), asked, [held, shown, do], **reads)
    for field in (words, columns):
        field.submit(_previewer(service), asked, [held, shown, do], **reads)
    theirs.input(_previewer(service), asked, [held, shown, do], **reads)
    file.clear(lambda: (None, "", gr.update(visible=False)), None, [held, shown, do], **reads)
    make.click(_exporter(service), kind, [taken, note], **reads)
    do.click(
        _applier(service), [held, words], [held, shown, do],
        api_visibility="private", concurrency_id="write",
    )  # fmt: skip
    return do


def previewed(
    service: CorpusTableService,
    who: Annotator,
    path: str,
    words: str = "",
    columns: str = "",
    *,
    keep_annotators: bool = False,
) -> tuple[Any, str, Any]:
    """Return the plan, what the page says of it, and whether it may be applied."""
    hidden = gr.update(visible=False)
    try:
        table, notes = _read(Path(path), columns)
        made = service.plan(
            who,
            table,
            parse_mapping(parse_pairs(words)),
            keep_annotators=keep_annotators,
        )
    except (PageError, SerError, StoreError) as error:
        return None, page_html.status(str(error), "refused"), hidden
    some = any(change.kind != "same" for change in made.changes)
    text = html.notices(notes) + html.preview(made)
    return made if some else None, text, gr.update(visible=some)


def _read(path: Path, columns: str) -> tuple[LabelTable, Sequence[str]]:
    data = path.read_bytes()
    if timelines.takes(data, path.name):
        return timelines.read(data, path.name, is_emotion), ()
    table = read_bytes(data, path.name, parse_pairs(columns))
    return label_table(table.rows, table.problems), table.notes


def applied(
    service: CorpusTableService,
    who: Annotator,
    session: str,
    made: ImportPlan | None,
    words: str = "",
) -> tuple[Any, str, Any]:
    """Do what a plan shows; where it can't be done, keep it on the page and say why."""
    if made is None or not who.may_write:
        text = who.reason or "There is nothing to import. Choose a table first."
        return None, page_html.status(text, "refused"), gr.update(visible=False)
    try:
        saved = apply(service.services.store, made, session=session)
        meanings = parse_mapping(parse_pairs(words))
        corpora = {change.row.corpus for change in made.changes}
        store, root = service.services.store, Home(service.services.home).corpora
        keep_words(root, corpora, meanings, write_whole, otherwise=store.folder)
    except (SerError, StoreError) as error:
        return made, page_html.status(str(error), "refused"), gr.skip()
    text = f"Saved {counted(len(saved), 'change')}." if saved else "Nothing to change."
    return None, page_html.status(text, "done"), gr.update(visible=False)


def exported(service: CorpusTableService, who: Annotator, kind: str) -> tuple[str, tuple[str, ...]]:
    """Write the store's labels as a file; return its path and what the format left out.

    Raises:
        PageError: the person may not, or the format is unknown.
        StoreError: the disk did not take it.
    """
    if not who.may_write:
        raise PageError(who.reason or "Only annotators who may write can export.")
    store = service.services.store
    folder = temporary.new_folder("labels")
    if kind in timelines.FORMATS:
        return _timelines(service, kind, folder)
    rows = rows_of(store)
    if kind == "audiofolder":
        missing = to_audiofolder(rows, store.clips.paths(), folder / "labels")
        lacks = (f"{counted(missing, 'label')} without audio left out.",) if missing else ()
        return shutil.make_archive(str(folder / "labels"), "zip", folder / "labels"), lacks
    write_labels(store)
    made: dict[str, tuple[str, Callable[[], bytes]]] = {
        "csv": ("labels.csv", lambda: to_csv(rows)),
        "excel": ("labels.csv", lambda: to_csv(rows, delimiter=";", bom=True)),
        "parquet": ("labels.parquet", lambda: to_parquet(rows)),
        "label-studio": ("labels.json", lambda: to_label_studio(store)),
    }
    if kind not in made:
        known = ", ".join(key for _, key in FORMATS)
        raise PageError(f"Unknown format “{kind[:30]}”. Choose one of: {known}.")
    name, content = made[kind]
    (folder / name).write_bytes(content())
    return str(folder / name), ()


def _timelines(service: CorpusTableService, kind: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    form = timelines.FORMATS[kind]
    store = service.services.store
    lines = timelines.lines_of(store, by_annotator=form.by_annotator, seconds_of=seconds_of)
    files = form.files(lines)
    if not files:
        lacks = " ".join(map(translated, timelines.left_out(form, lines)))
        raise PageError(
            say("No segment is labelled, so there is no time line. {lacks}", lacks=lacks)
        )
    name, data = next(iter(files.items()))
    if len(files) > 1 or "/" in name:
        name, data = f"labels-{kind}.zip", timelines.packed(files)
    (folder / name).write_bytes(data)
    return str(folder / name), timelines.left_out(form, lines)


def _previewer(service: CorpusTableService) -> Callable[..., Any]:
    def preview(
        path: str | None, words: str, columns: str, theirs: bool, request: gr.Request
    ) -> Any:
        who = service.services.identity.annotator(request)
        if not path:
            return None, "", gr.update(visible=False)
        return previewed(service, who, path, words, columns, keep_annotators=theirs)

    return preview


def _applier(service: CorpusTableService) -> Callable[..., Any]:
    def apply_it(made: ImportPlan | None, words: str, request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        return applied(service, who, request.session_hash or "", made, words)

    return apply_it


def _exporter(service: CorpusTableService) -> Callable[..., Any]:
    def export(kind: str, request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        try:
            path, lacks = exported(service, who, kind)
        except (PageError, StoreError) as error:
            return gr.update(visible=False), page_html.status(str(error), "refused")
        text = " ".join([say("The file is ready."), *map(translated, lacks)])
        return gr.update(value=path, visible=True), page_html.status(text, "done")

    return export
