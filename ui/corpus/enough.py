"""How many clips have enough labels: one line on the Corpus tab, where somebody asked for it."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ui.crowd import CrowdReader
from ui.identity import Annotator
from ui.language import say
from ui.services import Services

LINE = (
    "{count} of {total} clips have enough labels: annotators and model together are at least "
    "{level} % certain of their emotion, and nobody is asked about them any more."
)


def build(services: Services) -> tuple[gr.HTML, Callable[..., str]]:
    """Build the line inside the current Blocks; return it, and the handler that fills it."""
    line, reader = gr.HTML(elem_id="corpus-enough"), CrowdReader(services)

    def fill(request: gr.Request) -> str:
        return text(reader, services.identity.annotator(request))

    return line, fill


def text(reader: CrowdReader, who: Annotator) -> str:
    """Return the line; "" for those who may not hear the clips, and where no level is set."""
    if not who.may_hear or not reader.asked():
        return ""
    found = reader.read()
    if found.level is None:
        return ""
    count, level = f"{len(found.enough):,}", f"{100 * found.level:.0f}"
    line = say(LINE, count=count, total=f"{found.total:,}", level=level)
    return f'<p class="hint enough">{line}</p>'
