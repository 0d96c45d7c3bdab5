"""The page's public API, for gradio_client: /predict and /augment, and nothing else.

The same two are tools of a Model Context Protocol server where the settings ask for it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import gradio as gr

from ser_core.errors import SerError
from ser_core.home import Home
from ui import analysis, temporary
from ui.services import CLIPS_AT_ONCE, Services

ENDPOINTS = ("predict", "augment")
"""What the page publishes; every other listener is private."""

TOOLS = ("predict_tool", "augment_tool")
"""Published beside them where the page is an MCP server too (`AppSettings.mcp`)."""


def build(services: Services) -> None:
    """Publish the endpoints inside the current Blocks."""
    with gr.Column(visible=False):
        file = gr.File(type="filepath", label="audio")
        recipe = gr.JSON(label="recipe")
        seed = gr.Number(0, precision=0, label="seed")
        model = gr.Textbox("", label="model")
        answer, drawn = gr.JSON(label="prediction"), gr.JSON(label="drawn")
        wav = gr.File(label="wav")
        ask, change = gr.Button(), gr.Button()

    def clip_prediction(audio: str, model: str = "") -> dict[str, Any]:
        """Return the emotion of a clip of speech, with probabilities, uncertainty and windows."""
        return predicted(services, audio, model)

    def clip_augmentation(audio: str, recipe: Any, seed: float = 0) -> tuple[str, Any]:
        """Return the clip as WAV after a recipe of augmentations, and the parameters drawn.

        A step that masks the picture which the model sees, and so leaves the WAV as it is, says
        "acts_on": "picture" among what was drawn.
        """
        return augmented(services, audio, recipe, int(seed or 0))

    predict, augment = ENDPOINTS
    ask.click(
        clip_prediction, [file, model], answer, api_name=predict, concurrency_limit=CLIPS_AT_ONCE
    )
    change.click(
        clip_augmentation,
        [file, recipe, seed],
        [wav, drawn],
        api_name=augment,
        concurrency_limit=CLIPS_AT_ONCE,
    )
    if services.settings.mcp:
        # Gradio hands a tool's answer on as Python writes it; a tool of its own answers in JSON.
        for plain in (clip_prediction, clip_augmentation):
            plain._mcp_type = "endpoint"  # type: ignore[attr-defined]
        _build_tools(services)


def _build_tools(services: Services) -> None:
    """Publish the tools; their names are those of the functions."""
    with gr.Column(visible=False):
        file = gr.File(type="filepath", label="audio")
        recipe = gr.Textbox("[]", label="recipe")
        model = gr.Textbox("", label="model")
        seed = gr.Number(0, precision=0, label="seed")
        text = gr.Textbox(label="json")
        ask, change = gr.Button(), gr.Button()

    def predict(audio: str, model: str = "") -> str:
        """Recognise the emotion in a clip of speech.

        Args:
            audio: the clip; a URL, or a data URL that holds it.
            model: default, encoder or champion; empty for the one that serves.

        Returns:
            JSON: file, emotion, confidence, probabilities, entropy, unsure (null, or why the
            model abstains), windows (start and end in seconds), model.
        """
        return json.dumps(predicted(services, audio, model), ensure_ascii=False)

    def augment(audio: str, recipe: str = "[]", seed: float = 0) -> str:
        """Change a clip of speech by a recipe of augmentations.

        Args:
            audio: the clip; a URL, or a data URL that holds it.
            recipe: JSON list of {name, ...parameters}.
            seed: of what is drawn, 0 or more.

        Returns:
            JSON: drawn (the parameters; a step that masks the picture which the model sees, and
            so leaves the sound as it is, has "acts_on": "picture"), wav (the augmented clip as a
            data URL).
        """
        try:
            steps = json.loads(recipe or "[]")
        except json.JSONDecodeError as error:
            raise gr.Error(f"The recipe is not JSON: {error}.", print_exception=False) from error
        path, drawn = augmented(services, audio, steps, int(seed or 0))
        wav = base64.b64encode(Path(path).read_bytes()).decode()
        return json.dumps({"drawn": drawn, "wav": f"data:audio/wav;base64,{wav}"})

    names = dict(zip(("predict", "augment"), TOOLS, strict=True))
    ask.click(
        predict, [file, model], text, api_name=names["predict"], concurrency_limit=CLIPS_AT_ONCE
    )
    change.click(
        augment,
        [file, recipe, seed],
        text,
        api_name=names["augment"],
        concurrency_limit=CLIPS_AT_ONCE,
    )


def predicted(services: Services, path: str | None, model: str | None = "") -> dict[str, Any]:
    """Return the prediction's JSON.

    Args:
        services: the models and the limits.
        path: the clip's file.
        model: see `ServedModels.get`; "" is the one that serves.

    Raises:
        gr.Error: the clip can't be used; the message says why.
    """
    try:
        recognizer = services.recognizer(model or "")
        return analysis.predicted(services, _given(path), recognizer).to_json()
    except SerError as error:
        raise gr.Error(str(error), print_exception=False) from error


def augmented(services: Services, path: str | None, recipe: Any, seed: int) -> tuple[str, Any]:
    """Return the path of the augmented WAV and what was drawn.

    What was drawn is a recipe that draws exactly itself; a step in it that acts on the picture,
    not on the WAV, says so.

    Raises:
        gr.Error: the clip or the recipe can't be used; the message says why.
    """
    import numpy as np

    from ser_core.audio import to_wav_bytes
    from ser_core.augment import Chain
    from ser_core.augment.noises import noises_in

    try:
        if seed < 0:
            raise gr.Error(f"The seed is {seed}; 0 or more is expected.", print_exception=False)
        noises = noises_in(Home(services.home).noises)
        chain = Chain.from_json(recipe if recipe is not None else [], noises)
        with services.long_clips.clip() as turns, turns.preparing():
            clip = analysis.decode(services, _given(path), turns)
            drawn = chain.draw(np.random.default_rng(seed), clip.samples, clip.sample_rate)
            changed = drawn.apply(clip.samples, clip.sample_rate)
    except SerError as error:
        raise gr.Error(str(error), print_exception=False) from error
    target = temporary.new_folder("augmented") / "augmented.wav"
    target.write_bytes(to_wav_bytes(changed, clip.sample_rate))
    return str(target), [
        step.to_json() | ({"acts_on": "picture"} if step.effect.kind == "feature" else {})
        for step in drawn.steps
    ]


def _given(path: str | None) -> str:
    if not path:
        raise gr.Error("No file was sent; an audio file is expected.", print_exception=False)
    return path
