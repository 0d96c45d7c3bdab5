"""One button for each emotion, in its colour and with its digit."""

from __future__ import annotations

import gradio as gr

from ser_core.emotions import EMOTIONS
from ui.theme import key_class


def emotion_buttons(prefix: str, row: str | None = None) -> dict[str, gr.Button]:
    """Build a row with a button for each emotion inside the current Blocks.

    Args:
        prefix: what a button's id begins with; its emotion follows.
        row: the id of the row; None = it needs none.
    """
    with gr.Row(elem_classes="choices", elem_id=row):
        return {
            emotion: gr.Button(
                emotion,
                elem_id=f"{prefix}{emotion}",
                elem_classes=emotion_classes(emotion),
                min_width=104,
            )
            for emotion in EMOTIONS
        }


def emotion_classes(emotion: str) -> list[str]:
    """Return the classes that give a button its emotion's colour and its digit.

    >>> emotion_classes("anger")
    ['emotion-anger', 'key-Digit1']
    """
    return [f"emotion-{emotion}", key_class(emotion)]
