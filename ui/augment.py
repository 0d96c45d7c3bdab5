"""Augment: choose effects, hear and see what they do, and what the model makes of it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ser_core.augment import RECIPES
from ser_core.errors import SerError
from ui import augment_clip, augment_parts
from ui.augment_bench import Bench, Outcome, adopt, change, open_clip, parse, table
from ui.augment_pictures import comparison
from ui.services import Services

START = '{"recipe": [{"name": "gaussian_noise", "snr": 20}], "seed": 0}'


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    held = gr.State(None)
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            sound = augment_clip.build(services, "augment")
            chain = gr.HTML(
                START,
                html_template=augment_parts.CHAIN,
                css_template=augment_parts.static("chain.css"),
                js_on_load=augment_parts.static("chain.js"),
                table=table(services.home),
                recipes=RECIPES,
                elem_id="augment-chain",
            )
        with gr.Column(scale=7, min_width=300):
            card = gr.HTML(
                augment_parts.INTRO,
                css_template=augment_parts.static("card.css"),
                elem_id="augment-answer",
            )
            with gr.Column(visible=False) as below:
                player = gr.HTML(
                    "",
                    html_template=augment_parts.PLAYER,
                    css_template=augment_parts.static("player.css"),
                    js_on_load=augment_parts.static("player.js"),
                    original="",
                    elem_id="augment-player",
                )
                plot = gr.Plot(
                    show_label=False,
                    container=False,
                    elem_id="augment-picture",
                    elem_classes=["picture", "follows-augment-player"],
                )
                gr.HTML(augment_parts.HINTS)
                drawn = gr.HTML(
                    css_template=augment_parts.static("card.css"), elem_id="augment-drawn"
                )
    shown = [held, card, below, player, plot, drawn]
    options = {
        "api_visibility": "private",
        "concurrency_id": "bench",
        "concurrency_limit": 2,
        "trigger_mode": "always_last",
    }
    sound.change(
        lambda path, text: opened(services, path, text),
        [sound, chain],
        shown,
        show_progress_on=card,
        **options,
    )
    chain.input(
        lambda path, text: moved(services, path, text),
        [held, chain],
        shown,
        show_progress="hidden",
        **options,
    )
    chain.submit(adopted, chain, [chain, card], show_progress="hidden", **options).success(
        lambda path, text: moved(services, path, text),
        [held, chain],
        shown,
        show_progress="hidden",
        **options,
    )


def opened(services: Services, path: str | None, text: Any) -> tuple[Any, ...]:
    """Return everything for a clip that was just chosen."""
    if path is None:
        return None, augment_parts.INTRO, gr.update(visible=False), gr.skip(), gr.skip(), gr.skip()
    try:
        bench = open_clip(services, path)
    except SerError as error:
        hidden = gr.update(visible=False)
        return None, augment_parts.problem(str(error)), hidden, gr.skip(), gr.skip(), gr.skip()
    return path, *_after(services, path, text, bench)


def moved(services: Services, path: str | None, text: Any) -> tuple[Any, ...]:
    """Return what changes when a slider moved; the clip stays."""
    if path is None:
        return (gr.skip(),) * 6
    return gr.skip(), *_after(services, path, text, None)


def adopted(text: Any) -> tuple[Any, str | Any]:
    """Return the editor's value for a pasted recipe.

    Raises:
        gr.Error: it is none; the message says where and why.
    """
    try:
        return adopt(text), gr.skip()
    except SerError as error:
        raise gr.Error(str(error), title="The recipe", print_exception=False) from error


def _after(services: Services, path: str, text: Any, fresh: Bench | None) -> tuple[Any, ...]:
    try:
        found = change(services, path, *parse(text))
    except SerError as error:
        still = gr.update(visible=False) if fresh is not None else gr.skip()
        return augment_parts.problem(str(error)), still, gr.skip(), gr.skip(), gr.skip()
    return (
        augment_parts.comparison(found.bench.judged, found.judged, found.notes),
        gr.update(visible=True),
        _sounds(found, fresh),
        _figure(services, found),
        augment_parts.drawn(found.drawn.to_json()),
    )


def _sounds(found: Outcome, fresh: Bench | None) -> Any:
    rate = found.bench.clip.sample_rate
    value = augment_parts.sound(found.samples, rate, "B augmented")
    if fresh is None:
        return value
    original = augment_parts.sound(fresh.clip.samples, rate, "A original")
    return gr.update(value=value, original=original)


def _figure(services: Services, found: Outcome) -> Any:
    clip = found.bench.clip
    return comparison(
        services.serving.recognizer, clip.samples, found.samples, clip.sample_rate, found.drawn
    )
