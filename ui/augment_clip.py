"""Choosing the clip that a tab works on: upload, record, an example, or the one in Recognise."""

from __future__ import annotations

import gradio as gr
from gradio.context import Context

from ui.recognise import example_files
from ui.services import Services

RECOGNISE = "clip"
"""Where the Recognise tab holds its clip."""


def build(services: Services, name: str) -> gr.Audio:
    """Build the choice inside the current Blocks and return the component that holds the clip.

    Args:
        services: for the examples.
        name: makes the elements' ids: ``<name>-clip``.
    """
    sound = gr.Audio(
        label="A clip of speech",
        sources=["upload", "microphone"],
        type="filepath",
        buttons=[],
        editable=False,
        elem_id=f"{name}-clip",
        waveform_options=gr.WaveformOptions(show_recording_waveform=False),
    )
    plain = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    other = _of_page(RECOGNISE)
    with gr.Row(elem_classes="examples"):
        if other is not None:
            take = gr.Button("From Recognise", size="sm", min_width=110)
            take.click(_taken, other, sound, **plain)
        for place, path in enumerate(example_files(services)[:3], 1):
            button = gr.Button(f"Clip {place}", size="sm", min_width=40)
            button.click(lambda path=str(path): path, None, sound, **plain)
    return sound


def _taken(path: str | None) -> str | None:
    if path is None:
        gr.Info("There is no clip in Recognise yet.")
    return path


def _of_page(name: str) -> gr.Audio | None:
    page = Context.root_block
    held = page.blocks.values() if page is not None else ()
    found = [block for block in held if isinstance(block, gr.Audio) and block.elem_id == name]
    return found[0] if found else None
