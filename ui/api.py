"""The page's public API, for gradio_client: /predict and /augment, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from ser_core.errors import SerError
from ui.analysis import read
from ui.services import Services


def build(services: Services) -> None:
    """Publish the endpoints inside the current Blocks."""
    with gr.Column(visible=False):
        file = gr.File(type="filepath", label="audio")
        recipe = gr.JSON(label="recipe")
        seed = gr.Number(0, precision=0, label="seed")
        answer, drawn = gr.JSON(label="prediction"), gr.JSON(label="drawn")
        wav = gr.File(label="wav")
        ask, change = gr.Button(), gr.Button()

    def predict(audio: str) -> dict[str, Any]:
        """Return the emotion of a clip of speech, with probabilities, doubt and windows."""
        return predicted(services, audio)

    def augment(audio: str, recipe: Any, seed: float = 0) -> tuple[str, Any]:
        """Return the clip as WAV after a recipe of augmentations, and the parameters drawn."""
        return augmented(services, audio, recipe, int(seed or 0))

    ask.click(predict, file, answer, api_name="predict", concurrency_limit=2)
    change.click(
        augment, [file, recipe, seed], [wav, drawn], api_name="augment", concurrency_limit=2
    )


def predicted(services: Services, path: str | None) -> dict[str, Any]:
    """Return the prediction's JSON.

    Raises:
        gr.Error: the clip can't be used; the message says why.
    """
    try:
        return services.serving.recognizer.predict(read(services, _given(path))).to_json()
    except SerError as error:
        raise gr.Error(str(error), print_exception=False) from error


def augmented(services: Services, path: str | None, recipe: Any, seed: int) -> tuple[str, Any]:
    """Return the path of the augmented WAV and what was drawn.

    Raises:
        gr.Error: the clip or the recipe can't be used; the message says why.
    """
    import numpy as np

    from ser_core.audio import to_wav_bytes
    from ser_core.augment import Chain

    try:
        if seed < 0:
            raise gr.Error(f"The seed is {seed}; 0 or more is expected.", print_exception=False)
        clip = read(services, _given(path))
        chain = Chain.from_json(recipe if recipe is not None else [])
        drawn = chain.draw(np.random.default_rng(seed), clip.samples, clip.sample_rate)
        changed = drawn.apply(clip.samples, clip.sample_rate)
    except SerError as error:
        raise gr.Error(str(error), print_exception=False) from error
    target = Path(tempfile.mkdtemp(prefix="augmented-")) / "augmented.wav"
    target.write_bytes(to_wav_bytes(changed, clip.sample_rate))
    return str(target), drawn.to_json()


def _given(path: str | None) -> str:
    if not path:
        raise gr.Error("No file was sent; an audio file is expected.", print_exception=False)
    return path
