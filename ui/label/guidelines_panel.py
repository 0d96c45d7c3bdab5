"""The guidelines on the Label tab: one key shows them, whoever may write edits them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ui import page_html
from ui.calls import event_value
from ui.errors import PageError
from ui.identity import Annotator
from ui.label.guidelines import (
    MOST,
    example_of,
    examples_of,
    read_guidelines,
    save_guidelines,
)
from ui.label.session import LabelSession
from ui.markdown import contained

EMPTY = (
    "There are no guidelines yet. They say what each emotion means in this project and what to do "
    "in doubt, in Markdown. Write them here, or into the file guidelines.md of the studio's home "
    "folder."
)
READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(labelling: LabelSession, choose: str) -> None:
    """Build the button and its panel inside the current Blocks.

    Args:
        labelling: whose home and clips.
        choose: the script that makes a click on an example's button an event.
    """
    with gr.Row(elem_classes="acts"):
        toggle = gr.Button(
            "Guidelines", size="sm", elem_id="label-guidelines-toggle", elem_classes="key-KeyH"
        )
    opened, before = gr.State(False), gr.State("")
    with gr.Column(visible=False, elem_id="label-guidelines") as panel:
        text = gr.Markdown(elem_id="label-guidelines-text")
        note = gr.HTML(elem_id="label-guidelines-note")
        examples = gr.HTML(elem_id="label-guidelines-examples", js_on_load=choose)
        sample = gr.HTML()
        with gr.Accordion("Edit the guidelines", open=False) as editor:
            box = gr.Textbox(
                label="Guidelines in Markdown", lines=8, max_lines=20, max_length=MOST,
                elem_id="label-guidelines-box",
            )  # fmt: skip
            save = gr.Button(
                "Save the guidelines", size="sm", variant="primary",
                elem_id="label-guidelines-save",
            )  # fmt: skip
    shown = [text, note, before]
    toggle.click(
        _toggler(labelling), opened, [opened, panel, *shown, box, examples, sample, editor], **READS
    )
    save.click(
        _saver(labelling), [box, before], shown, api_visibility="private", concurrency_id="write"
    )
    examples.select(_exampler(labelling), None, sample, **READS)


def displayed(labelling: LabelSession, note: str = "") -> tuple[str, str, str]:
    """Return the guidelines as Markdown for the page, a note, and as they stand in the file."""
    try:
        text = read_guidelines(labelling.services)
    except PageError as error:
        return "", page_html.status(str(error), "refused"), ""
    return contained(text), note or ("" if text.strip() else page_html.status(EMPTY)), text


def toggled(labelling: LabelSession, who: Annotator, opened: bool) -> tuple[Any, ...]:
    """Return the panel's outputs after its key: shut, or open with what the file holds now."""
    if opened:
        return (False, gr.update(visible=False), *[gr.skip()] * 7)
    text, note, held = displayed(labelling)
    may = gr.update(visible=who.may_write)
    return (
        True, gr.update(visible=True), text, note, held, held,
        examples_of(labelling.services, who), "", may,
    )  # fmt: skip


def saved(labelling: LabelSession, who: Annotator, text: str, before: str) -> tuple[Any, ...]:
    """Save and return the panel's text, note and state."""
    try:
        save_guidelines(labelling.services, who, text, before)
    except PageError as error:
        return gr.skip(), page_html.status(str(error), "refused"), gr.skip()
    return displayed(labelling, page_html.status("The guidelines were saved.", "done"))


def _toggler(labelling: LabelSession) -> Callable[..., Any]:
    def toggle(opened: bool, request: gr.Request) -> Any:
        return toggled(labelling, labelling.services.identity.annotator(request), opened)

    return toggle


def _saver(labelling: LabelSession) -> Callable[..., Any]:
    def save(text: str, before: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        return saved(labelling, who, text or "", before or "")

    return save


def _exampler(labelling: LabelSession) -> Callable[..., Any]:
    def play(event: gr.EventData, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        try:
            return example_of(labelling, who, request.session_hash or "", event_value(event))
        except PageError as error:
            return page_html.status(str(error), "refused")

    return play
