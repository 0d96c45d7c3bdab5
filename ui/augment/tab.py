"""Augment: choose effects, hear and see what they do, and what the model makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ser_core.augment import RECIPES
from ser_core.errors import SerError
from ui import clip_source, model_choice
from ui.augment import html
from ui.augment.figures import comparison
from ui.augment.session import AugmentResult, adopt, change, parse, table
from ui.language import say, translated
from ui.services import CLIPS_AT_ONCE, Services
from ui.working_clip import WorkingClip, open_clip

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

START = '{"recipe": [{"name": "gaussian_noise", "snr": 20}], "seed": 0}'


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    held, effects = gr.State(None), table(services.home)
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            sound = clip_source.build(services, "augment")
            chain = gr.HTML(
                START,
                html_template=html.CHAIN,
                css_template=html.static("chain.css"),
                js_on_load=html.static("chain.js"),
                table=effects,
                recipes=RECIPES,
                words=html.words(effects, tuple(RECIPES)),
                elem_id="augment-chain",
            )
        with gr.Column(scale=7, min_width=300):
            card = gr.HTML(
                html.INTRO,
                css_template=html.static("card.css"),
                elem_id="augment-answer",
            )
            with gr.Column(visible=False) as below:
                player = gr.HTML(
                    "",
                    html_template=html.PLAYER,
                    css_template=html.static("player.css"),
                    js_on_load=html.static("player.js"),
                    original="",
                    elem_id="augment-player",
                )
                plot = gr.Plot(
                    show_label=False,
                    container=False,
                    elem_id="augment-picture",
                    elem_classes=["picture", "follows-augment-player"],
                )
                gr.HTML(html.HINTS)
                drawn = gr.HTML(css_template=html.static("card.css"), elem_id="augment-drawn")
    model = model_choice.asked()

    def switched(path: str | None, text: Any, event: gr.EventData) -> tuple[Any, ...]:
        return moved(services, path, text, model_choice.chosen(event))

    shown = [held, card, below, player, plot, drawn]
    options = {
        "api_visibility": "private",
        "concurrency_id": "augment",
        "concurrency_limit": CLIPS_AT_ONCE,
        "trigger_mode": "always_last",
    }
    sound.change(
        lambda path, text, model: opened(services, path, text, model),
        [sound, chain, model],
        shown,
        show_progress_on=card,
        **options,
    )
    chain.input(
        lambda path, text, model: moved(services, path, text, model),
        [held, chain, model],
        shown,
        show_progress="hidden",
        **options,
    )
    model_choice.line_of_page().select(
        switched,
        [held, chain],
        shown,
        show_progress_on=card,
        **options,
    )
    chain.submit(adopted, chain, [chain, card], show_progress="hidden", **options).success(
        lambda path, text, model: moved(services, path, text, model),
        [held, chain, model],
        shown,
        show_progress="hidden",
        **options,
    )


def opened(services: Services, path: str | None, text: Any, model: str = "") -> tuple[Any, ...]:
    """Return everything for a clip that was just chosen."""
    if path is None:
        return None, html.INTRO, gr.update(visible=False), gr.skip(), gr.skip(), gr.skip()
    try:
        working = open_clip(services, path, services.recognizer(model))
    except SerError as error:
        hidden = gr.update(visible=False)
        return None, html.problem(str(error)), hidden, gr.skip(), gr.skip(), gr.skip()
    return path, *_after(services, path, text, model, working)


def moved(services: Services, path: str | None, text: Any, model: str = "") -> tuple[Any, ...]:
    """Return what changes when a slider moved or another model answers; the clip stays."""
    if path is None:
        return (gr.skip(),) * 6
    return gr.skip(), *_after(services, path, text, model, None)


def adopted(text: Any) -> tuple[Any, str | Any]:
    """Return the editor's value for a pasted recipe.

    Raises:
        gr.Error: it is invalid; the message says where and why.
    """
    try:
        return adopt(text), gr.skip()
    except SerError as error:
        text, title = translated(str(error)), say("The recipe")
        raise gr.Error(text, title=title, print_exception=False) from error


def _after(
    services: Services, path: str, text: Any, model: str, fresh: WorkingClip | None
) -> tuple[Any, ...]:
    try:
        recognizer = services.recognizer(model)
        found = change(services, path, *parse(text), recognizer)
    except SerError as error:
        still = gr.update(visible=False) if fresh is not None else gr.skip()
        return html.problem(str(error)), still, gr.skip(), gr.skip(), gr.skip()
    return (
        html.comparison(found.original.prediction, found.prediction, found.notes),
        gr.update(visible=True),
        _sounds(found, fresh),
        _figure(recognizer, found),
        html.drawn(found.drawn.to_json()),
    )


def _sounds(found: AugmentResult, fresh: WorkingClip | None) -> Any:
    rate = found.original.clip.sample_rate
    value = html.sound(found.samples, rate, f"B {say('augmented')}")
    if fresh is None:
        return value
    original = html.sound(fresh.clip.samples, rate, f"A {say('original')}")
    return gr.update(value=value, original=original)


def _figure(recognizer: Recognizer, found: AugmentResult) -> Any:
    clip = found.original.clip
    return comparison(recognizer, clip.samples, found.samples, clip.sample_rate, found.drawn)
