"""How many labels will train and why the others will not: one line on the tabs that take labels."""

from __future__ import annotations

from collections.abc import Callable, Collection
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from label_store.errors import StoreError
from ser_core.errors import SerError
from ui import page_html
from ui.identity import Annotator
from ui.language import say, translated
from ui.services import Services

if TYPE_CHECKING:
    from trainer.data.standing import LabelStanding

SHOWN = 5
"""Examples that stand beside a reason."""


def build(services: Services, tab: str) -> tuple[gr.HTML, Callable[..., str]]:
    """Build the line inside the current Blocks.

    Args:
        services: the parts behind the page.
        tab: begins the element's id.

    Returns:
        The line, and the handler that fills it.
    """
    line = gr.HTML(elem_id=f"{tab}-standing")

    def fill(request: gr.Request) -> str:
        return text(services, services.identity.annotator(request))

    return line, fill


def text(services: Services, who: Annotator) -> str:
    """Return the count with its reasons one click away; "" for those who may not see names."""
    if not who.may_hear:
        return ""
    try:
        found = services.standing.read()
    except (StoreError, SerError, OSError) as error:
        return page_html.status(str(error), "refused")
    return html(found)


def html(found: LabelStanding) -> str:
    """Return the count as HTML, with the reasons folded away."""
    if not found.total:
        return ""
    numbers = {"trains": f"{found.trains:,}", "total": f"{found.total:,}"}
    if not found.left_out:
        text = say("{trains} of {total} labels will train.", **numbers)
        return f'<p class="hint standing">{text}</p>'
    count = say("{trains} of {total} labels will train: why not all", **numbers)
    ranked = sorted(found.left_out.items(), key=lambda one: -len(one[1]))
    rows = "".join(f"<li>{_reason(why, names)}</li>" for why, names in ranked)
    return f'<details class="hint standing"><summary>{count}</summary><ul>{rows}</ul></details>'


def _reason(why: str, names: Collection[str]) -> str:
    shown = ", ".join(escape(name) for name in list(names)[:SHOWN])
    more = " …" if len(names) > SHOWN else ""
    reason = escape(translated(why))
    return f'<b>{len(names):,}</b> {reason} <small translate="no">({shown}{more})</small>'


READS: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""How the handler is hung onto an event."""
