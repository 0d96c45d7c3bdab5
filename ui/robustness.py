"""Robustness: one button, eleven effects at three strengths, and where the answer flips."""

from __future__ import annotations

from html import escape

import gradio as gr

from ser_core.augment import EFFECTS, STRENGTHS
from ser_core.errors import SerError
from ui import augment_clip, parts
from ui.augment_parts import static
from ui.robustness_sweep import Cell, Sweep, sweep
from ui.services import Services

INTRO = (
    '<div class="welcome"><h2>How firm is the answer?</h2>'
    "The same sentence over a telephone, from a far corner, a little faster: a person would still "
    "hear the same emotion. Choose a clip and press the button, and the model is asked about it "
    "under eleven effects at three strengths each.</div>"
)
CHOOSE = "Choose a clip first: upload one, record one, or take an example."


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            sound = augment_clip.build(services, "robustness")
            button = gr.Button("Try everything", variant="primary", elem_id="robustness-run")
        with gr.Column(scale=7, min_width=300):
            card = gr.HTML(INTRO, css_template=static("robustness.css"), elem_id="robustness-map")

    def run(path: str | None, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        return swept(services, path, progress)

    button.click(
        run,
        sound,
        card,
        api_visibility="private",
        concurrency_id="bench",
        concurrency_limit=2,
        trigger_mode="once",
    )
    sound.clear(lambda: INTRO, None, card, api_visibility="private", queue=False)


def swept(services: Services, path: str | None, progress: gr.Progress) -> str:
    """Return the heat map of a clip, or a sentence on why there is none."""

    def tell(done: int, of: int) -> None:
        progress((done, of), desc="Listening", unit="windows")

    if path is None:
        return parts.problem(CHOOSE)
    try:
        return heat_map(sweep(services, path, tell))
    except SerError as error:
        return parts.problem(str(error))


def summary(found: Sweep) -> str:
    """Return the sweep in one sentence."""
    return f"Stable under {found.held} of {len(found.rows)} effects"


def heat_map(found: Sweep) -> str:
    """Return the sweep as a table with one cell an effect and strength."""
    head = "".join(f'<th scope="col">{escape(strength)}</th>' for strength in STRENGTHS)
    rows = "".join(_row(found, name, cells) for name, cells in found.rows.items())
    at = ", ".join(
        f"{strength} {found.held_at(place)} of {len(found.rows)}"
        for place, strength in enumerate(STRENGTHS)
    )
    cut = (
        f'<p class="notice"><b>Mind.</b> Only the first {found.seconds:.0f} s were tried.</p>'
        if found.cut
        else ""
    )
    return (
        '<section class="answer" aria-live="polite" aria-label="Robustness of the answer">'
        f'<p class="verdict"><span class="word" data-summary>{summary(found)}</span></p>'
        f'<p class="file">Without any effect: {parts.swatch(found.emotion)} '
        f"<b>{found.emotion}</b>, {parts.percent(found.confidence)}. "
        f"The answer holds: {at}.</p>{cut}"
        f'<div class="scroll"><table class="heat-map"><caption class="visually-hidden">'
        f"What the model hears under each effect, and by how many points the probability of "
        f'{found.emotion} changes</caption><thead><tr><th scope="col">effect</th>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>{_legend(found)}</section>"
    )


def _row(found: Sweep, name: str, cells: tuple[Cell, ...]) -> str:
    effect = EFFECTS[name]
    mark = "✓" if found.stable(name) else "⚡"
    word = "stable" if found.stable(name) else "flips"
    inside = "".join(_cell(found, cell) for cell in cells)
    return (
        f'<tr data-effect="{name}"><th scope="row" title="{escape(effect.summary)}">'
        f'<span aria-label="{word}">{mark}</span> {escape(effect.title)}</th>{inside}</tr>'
    )


def _cell(found: Sweep, cell: Cell) -> str:
    flips = cell.emotion != found.emotion
    depth = min(abs(cell.change) * 160, 100)
    tone = "up" if cell.change > 0 else "down"
    settings = escape(", ".join(f"{key} {value:g}" for key, value in cell.settings.items()))
    points = f"{100 * cell.change:+.0f}".replace("-", "−")
    points = "±0" if points in ("+0", "−0") else points
    word = "no answer" if cell.emotion is None else cell.emotion
    sign = parts.swatch(cell.emotion) if cell.emotion is not None else ""
    return (
        f'<td class="{tone}{" flips" if flips else ""}" style="--depth:{depth:.0f}%" '
        f'title="{settings}">{sign}<span class="name">{word}</span>'
        f'<span class="points">{points}</span>'
        f'<span class="visually-hidden">{" points, flips" if flips else " points"}</span></td>'
    )


def _legend(found: Sweep) -> str:
    return (
        f'<p class="hint">Each field names what the model hears, and by how many points the '
        f"probability of {found.emotion} changed: the stronger the colour, the more. A framed "
        "field is a flip. Hold the pointer over a field for its settings.</p>"
    )
