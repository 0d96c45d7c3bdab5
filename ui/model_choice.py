"""The masthead's choice of the model that answers: kept in the visitor's browser, on no server."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from ui.calls import event_value
from ui.language import say
from ui.served_models import OWN, OfferedModel
from ui.services import Services

CHOICE = "model-choice"
LINE = "model-line"

SELECT = (
    "element.addEventListener('change', (event) => {"
    "if (event.target.id === 'model-select') trigger('select', {value: event.target.value});})"
)
RECALL = "() => [window.serPage.recall('model', '')]"
KEEP = "(model) => [window.serPage.remember('model', model)]"


def build(services: Services) -> tuple[gr.HTML, gr.Textbox]:
    """Build the line and what holds the choice inside the current Blocks.

    Returns:
        The line, and the choice: a key of `ServedModels.get`, an input of whatever predicts.
    """
    line = gr.HTML(elem_id=LINE, js_on_load=SELECT)
    choice = gr.Textbox(OWN, visible=False, elem_id=CHOICE)
    quiet: dict[str, Any] = {
        "api_visibility": "private",
        "queue": False,
        "show_progress": "hidden",
    }
    line.select(chosen, None, choice, **quiet).success(
        None, choice, choice, js=KEEP, **quiet
    ).success(lambda key: model_line(services, key), choice, line, **quiet)
    return line, choice


def chosen(event: gr.EventData) -> str:
    """Return the choice that a ``select`` of the line brings."""
    return event_value(event) or OWN


def asked() -> gr.Textbox:
    """Return the page's choice, to be an input of a tab's handler."""
    return _of_page(CHOICE)  # type: ignore[no-any-return]


def line_of_page() -> gr.HTML:
    """Return the line; its ``select`` comes when a visitor chooses another model."""
    return _of_page(LINE)  # type: ignore[no-any-return]


def _of_page(name: str) -> Any:
    page = Context.root_block
    held = page.blocks.values() if page is not None else ()
    return next(block for block in held if getattr(block, "elem_id", None) == name)


def standing(services: Services, key: str) -> str:
    """Return the choice as far as it still holds: a model that is gone leaves the studio's own."""
    return key if key in {one.key for one in services.models.offered()} else OWN


def model_line(services: Services, key: str) -> str:
    """Return which model answers, and the others to choose from.

    Args:
        services: the models.
        key: the visitor's choice.
    """
    trouble = services.champion()["problem"]
    note = f'<span class="problem">{escape(trouble)}</span>' if trouble else ""
    key = standing(services, key)
    options = "".join(
        f'<option value="{escape(one.key)}"{" selected" if one.key == key else ""}>'
        f"{escape(title(one))}</option>"
        for one in services.models.offered()
    )
    return (
        f'<div class="model-line"><label>{say("Model")} '
        f'<select id="model-select">{options}</select></label>{note}</div>'
    )


def title(model: OfferedModel) -> str:
    """Return what a model is called.

    >>> title(OfferedModel("encoder", "studio-encoder", "encoder-0.1"))
    'studio-encoder encoder-0.1'
    """
    return f"{model.name} {model.version}".strip()
