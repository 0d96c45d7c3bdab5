"""About: what such a model can and can't tell about a person, and what happens to the voice."""

from __future__ import annotations

import gradio as gr

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

PLACES = {
    "local": "Everything stays on this machine. Nothing is sent anywhere.",
    "users": "Clips go to the machine that runs this page and nowhere else.",
    "space": "Clips go to the Hugging Face Space that runs this page.",
    "closed": "Clips go to the machine that runs this page and nowhere else.",
}

KEPT = """An upload or recording lives in a temporary folder and is deleted within a day. Only when
you choose an emotion for it is the clip kept, together with your choice, so that the model can
learn from it; whoever runs this page can delete it again from the folder `clips`."""


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    gr.Markdown(f"{TEXT}{PLACES[services.identity.mode]} {KEPT}\n{CLOSING}", elem_id="about-text")
