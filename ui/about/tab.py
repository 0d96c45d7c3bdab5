"""About: what such a model can and can't tell about a person, and what happens to the voice."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from label_store.errors import StoreError
from ui import page_html
from ui.about import personal_data
from ui.errors import PageError
from ui.language import fixed_in_each, say
from ui.services import Services

TEXT = """
## What it can tell

The model compares how a voice sounds (melody, loudness, pace, timbre) with voices of actors who
were asked to sound angry, sad, glad and so on. It says which of those performances a clip
resembles most, and how sure it may be. It does not know what the words mean.

## What it can't tell

- **What a person feels.** People hide feelings, play them, mix them. Human listeners agree with
  the actors' intention in fewer than half of the clips of the largest set used here.
- **Anything about a person** beyond the clip: not character, not health, not honesty.
- **Every voice equally well.** Languages, ages and accents that were rare in training fare worse.
  When one voice always gets the same answer, trust the answer less, and correct it.

Don't use it to judge people at work, at school, at a border or in court. In the European Union,
recognising emotions at work and in education is forbidden but for medical and safety reasons.

## How far to trust a number

The percentages are calibrated on speakers that the model did not hear in training. “Not sure”
appears when several emotions are about equally likely, when there is no speech, or when the sound
is unlike anything the model knows. The line “nine times in ten the truth is among …” names the
smallest set of emotions with that property on such speakers; a long set is an honest shrug.

## What happens to your voice

"""

CLOSING = """
## Keys

<kbd>1</kbd> to <kbd>9</kbd> choose an emotion. On the picture <kbd>←</kbd> and <kbd>→</kbd> move
through the sound and <kbd>space</kbd> plays it. On Label, <kbd>?</kbd> lists all keys.
"""


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    gr.Markdown(
        fixed_in_each(lambda: f"{say(TEXT)}{personal_data.what_is_kept(services)}\n{say(CLOSING)}"),
        elem_id="about-text",
    )
    with gr.Accordion("Delete what I labelled", open=False, elem_id="about-delete"):
        gr.HTML(f'<p class="hint">{personal_data.DELETED}</p>')
        with gr.Row():
            name = gr.Textbox(
                label="Your name here, to confirm", max_lines=1, max_length=200,
                elem_id="about-delete-name",
            )  # fmt: skip
            delete = gr.Button("Delete what I labelled", variant="stop", elem_id="about-delete-do")
        status = gr.HTML(page_html.status(""), elem_id="about-delete-status")
    delete.click(_deleter(services), name, status, api_visibility="private", concurrency_id="write")


def _deleter(services: Services) -> Callable[..., str]:
    def delete(typed: str, request: gr.Request) -> str:
        who = services.identity.annotator(request)
        try:
            text = personal_data.delete_mine(services, who, typed or "")
        except (PageError, StoreError) as error:
            return page_html.status(str(error), "refused")
        return page_html.status(text, "done")

    return delete
