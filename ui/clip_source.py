"""Choosing the clip that a tab works on: upload, record, an example, or the one in Recognise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ser_core.errors import SerError
from ui import temporary
from ui.language import fixed, say
from ui.services import Services

EXAMPLES: dict[str, str] = {
    "1_even": "English, even",
    "2_lively": "English, lively",
    "3_slow": "English, slow",
    "4_hard": "English, hard",
    "5_german": "German",
    "6_polish": "Polish",
}
"""What the shipped examples are called; all are synthetic voices."""

RECOGNISE = "clip"
"""Where the Recognise tab holds its clip."""


def build(services: Services, name: str) -> gr.Audio:
    """Build the choice inside the current Blocks and return the component that holds the clip.

    Args:
        services: for the examples.
        name: makes the elements' ids: ``<name>-clip``.
    """
    sound = gr.Audio(
        label=fixed("A clip of speech"),
        sources=["upload", "microphone"],
        type="filepath",
        buttons=[],
        editable=False,
        elem_id=f"{name}-clip",
        waveform_options=gr.WaveformOptions(show_recording_waveform=False),
    )
    plain = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    sound.upload(lambda path: playable_copy(services, path), sound, sound, **plain)
    other = _of_page(RECOGNISE)
    with gr.Row(elem_classes="examples"):
        if other is not None:
            take = gr.Button(fixed("From Recognise"), size="sm", min_width=110)
            take.click(_taken, other, sound, **plain)
        for path in example_files(services)[:3]:
            button = gr.Button(fixed(example_title(path)), size="sm", min_width=40)
            button.click(lambda path=str(path): path, None, sound, **plain)
    return sound


def playable_copy(services: Services, path: str | None) -> Any:
    """Return what a player is given for a clip: a decoded copy where browsers lack its codec.

    GSM, ADPCM, ALAC, AMR and the like are decoded to 16-bit WAV; anything else stays as it is.

    Args:
        services: the limits.
        path: the clip's file.
    """
    from ser_core import audio
    from ser_core.audio.playback import browsers_play

    if path is None:
        return gr.skip()
    data = Path(path).read_bytes()
    if browsers_play(data):
        return gr.skip()
    limits = services.settings
    try:
        clip = audio.load(data, max_seconds=limits.max_seconds, max_bytes=limits.max_bytes)
    except SerError:  # whoever works on the clip says what is wrong with it
        return gr.skip()
    copy = temporary.new_folder("clip") / f"{Path(path).stem}.wav"
    copy.write_bytes(audio.to_wav_bytes(clip.samples, clip.sample_rate))
    return str(copy)


def _taken(path: str | None) -> str | None:
    if path is None:
        gr.Info(say("There is no clip in Recognise yet."))
    return path


def _of_page(name: str) -> gr.Audio | None:
    page = Context.root_block
    held = page.blocks.values() if page is not None else ()
    found = [block for block in held if isinstance(block, gr.Audio) and block.elem_id == name]
    return found[0] if found else None


def example_files(services: Services) -> list[Path]:
    """Return the clips that the page offers to try, in order of name."""
    from ser_core.audio import AUDIO_ENDINGS

    folder = services.settings.examples
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_ENDINGS)[:6]


def example_title(path: Path) -> str:
    """Return what an example is called on its button.

    >>> example_title(Path("2_lively.flac")), example_title(Path("my-own_clip.wav"))
    ('English, lively', 'My own clip')
    """
    title = EXAMPLES.get(path.stem, path.stem.replace("_", " ").replace("-", " "))
    return title[:1].upper() + title[1:]
