"""Features: what can be measured of a voice over time, each as a picture with a line on it."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ser_core.errors import SerError
from ui import clip_source, model_choice, page_html
from ui.features.figures import TITLES, pictures, says
from ui.language import say, translated
from ui.services import CLIPS_AT_ONCE, Services
from ui.working_clip import open_clip

INTRO = (
    '<div class="welcome"><h2>What can be measured of a voice?</h2>'
    "Long before there were neural networks, emotion was read from a handful of numbers: how loud, "
    "how high, how bright, how rough. Choose a clip to see them over time, each with a line on "
    "what it means. None of them is an emotion; only together, and for many speakers, do they "
    "lean one way or the other.</div>"
)
MOVES = "A click on one, or <kbd>←</kbd> <kbd>→</kbd>, moves it."


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            sound = clip_source.build(services, "features")
        with gr.Column(scale=7, min_width=300):
            card = gr.HTML(INTRO, elem_id="features-answer")
    with gr.Column(visible=False) as below:
        captions, plots = _places()
    sound.change(
        lambda path, model: shown(services, path, model),
        [sound, model_choice.asked()],
        [card, below, *captions, *plots],
        show_progress_on=card,
        api_visibility="private",
        concurrency_id="augment",
        concurrency_limit=CLIPS_AT_ONCE,
        trigger_mode="always_last",
    )


def shown(services: Services, path: str | None, model: str = "") -> tuple[Any, ...]:
    """Return the pictures of a clip, or a sentence on why there are none."""
    nothing = (gr.update(visible=False), *[gr.skip()] * (2 * len(TITLES)))
    if path is None:
        return INTRO, *nothing
    try:
        recognizer = services.recognizer(model)
        working = open_clip(services, path, recognizer)
        clip = working.clip
        made = pictures(recognizer, clip.samples, clip.sample_rate)
    except SerError as error:
        return page_html.problem(str(error)), *nothing
    texts = [caption(one.title, one.says, one.words) for one in made]
    words = head(clip.name, clip.seconds, [working.cut, *working.prediction["warnings"]])
    return words, gr.update(visible=True), *texts, *[one.figure for one in made]


def caption(title: str, line: str, words: str = "") -> str:
    """Return a picture's title, what it says about a voice, and what it shows of this one."""
    shows = f' <span class="numbers">{escape(words)}</span>' if words else ""
    return (
        f'<h3 class="section-title">{escape(say(title))}</h3>'
        f'<p class="hint">{escape(say(line))}{shows}</p>'
    )


def head(name: str, seconds: float, notes: list[str]) -> str:
    """Return the card above the pictures."""
    notices = "".join(f'<p class="notice">{escape(translated(note))}</p>' for note in notes if note)
    views = say("{count} views of one voice", count=len(TITLES))
    return (
        '<section class="answer" aria-live="polite"><p class="verdict">'
        f'<span class="word" style="font-size:1.3rem">{views}</span></p>'
        f'<p class="file">{escape(name or say("clip"))} · {seconds:.1f} s</p>{notices}'
        f'<p class="hint">{say("Play the clip: the line runs through every picture.")} '
        f"{say(MOVES)}</p></section>"
    )


def _places() -> tuple[list[gr.HTML], list[gr.Plot]]:
    captions, plots = [], []
    names = list(TITLES)
    for pair in (names[place : place + 2] for place in range(0, len(names), 2)):
        with gr.Row(elem_classes="pair"):
            for name in pair:
                with gr.Column(min_width=300):
                    captions.append(gr.HTML(caption(TITLES[name][0], says(name))))
                    plots.append(
                        gr.Plot(
                            show_label=False,
                            container=False,
                            elem_id=f"features-{name}",
                            elem_classes=["picture", "follows-features-clip"],
                        )
                    )
    return captions, plots
