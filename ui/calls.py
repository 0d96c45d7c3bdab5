"""What a call brings, read without trust: what it can't be is a sentence and one line of log."""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr

from ui.language import say, translated

LOG = logging.getLogger("studio.requests")

UNEXPECTED = "The page sent something unexpected. Load it again."


def page_error(text: str) -> gr.Error:
    """Return the error that the page shows in its reader's language.

    Args:
        text: an English sentence.
    """
    return gr.Error(translated(text), title=say("Error"), print_exception=False)


class CheckedBlocks(gr.Blocks):
    """Blocks that take what does not fit a listener's inputs for the caller's mistake.

    Gradio prints a traceback for it, which hides the faults that are ours.
    """

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> Any:
        """Return the inputs as the listener wants them.

        Raises:
            gr.Error: they don't fit; the message says how, where Gradio says it for people.
        """
        try:
            if block_fn.fn is None:
                raise ValueError("This listener is a script of the page.")
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except Exception as error:
            text = error.message if isinstance(error, gr.Error) else UNEXPECTED
            LOG.warning("refused a call of %s: %s", block_fn.name, type(error).__name__)
            raise page_error(text) from error


def event_value(event: gr.EventData) -> str:
    """Return what a script of the page sends with an event; "" where it sends none."""
    data = event._data
    return str(data.get("value", "")) if isinstance(data, dict) else ""
