"""Robustness: one button, every effect at three strengths, and where the answer changes."""

from __future__ import annotations

from html import escape

import gradio as gr

from ser_core.augment import EFFECTS, ROBUSTNESS, STRENGTHS
from ser_core.errors import SerError
from ui import clip_source, model_choice, page_html
from ui.language import say
from ui.robustness.session import Cell, Sweep, sweep
from ui.services import CLIPS_AT_ONCE, Services
from ui.theme import HERE

INTRO = (
    '<div class="welcome"><h2>How robust is the answer?</h2>'
    "Over a telephone, from across the room or a little faster, a person still hears the same "
    "emotion. Choose a clip and press the button to see whether the model does, "
    f"under {len(ROBUSTNESS)} effects at {len(STRENGTHS)} strengths each.</div>"
)
CAPTION = (
    "The prediction under each effect, and by how many points the probability of {emotion} changes"
)
LEGEND = (
    "Each cell shows the prediction and by how many points the probability of {emotion} changed: "
    "the stronger the colour, the more. A framed cell is a changed answer. Hover over a cell to "
    "see its settings."
)
CHOOSE = "Choose a clip first: upload one, record one or use an example."


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            sound = clip_source.build(services, "robustness")
            button = gr.Button("Test the answer", variant="primary", elem_id="robustness-run")
        with gr.Column(scale=7, min_width=300):
            card = gr.HTML(
                INTRO,
                css_template=(HERE / "robustness" / "map.css").read_text(encoding="utf-8"),
                elem_id="robustness-map",
            )

    def run(
        path: str | None,
        model: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        return swept(services, path, progress, model)

    button.click(
        run,
        [sound, model_choice.asked()],
        card,
        api_visibility="private",
        concurrency_id="augment",
        concurrency_limit=CLIPS_AT_ONCE,
        trigger_mode="once",
    )
    sound.clear(lambda: INTRO, None, card, api_visibility="private", queue=False)


def swept(services: Services, path: str | None, progress: gr.Progress, model: str = "") -> str:
    """Return the heat map of a clip, or a sentence on why there is none."""

    def tell(done: int, of: int) -> None:
        progress((done, of), desc=say("Listening"), unit=say("copies"))

    if path is None:
        return page_html.problem(CHOOSE)
    try:
        return heat_map(sweep(services, path, tell, services.recognizer(model)))
    except SerError as error:
        return page_html.problem(str(error))


def summary(found: Sweep) -> str:
    """Return the sweep in one sentence."""
    return say("Stable under {held} of {all} effects", held=found.held, all=len(found.rows))


def heat_map(found: Sweep) -> str:
    """Return the sweep as a table with one cell an effect and strength."""
    head = "".join(f'<th scope="col">{escape(say(strength))}</th>' for strength in STRENGTHS)
    rows = "".join(_row(found, name, cells) for name, cells in found.rows.items())
    at = ", ".join(
        say(
            "{strength} {part} of {whole}",
            strength=say(strength),
            part=found.held_at(place),
            whole=len(found.rows),
        )
        for place, strength in enumerate(STRENGTHS)
    )
    emotion = say(found.emotion)
    tested = say("Only the first {seconds} s were tested.", seconds=f"{found.seconds:.0f}")
    cut = f'<p class="notice"><b>{say("Note")}.</b> {tested}</p>' if found.cut else ""
    holds = say("The answer holds: {at}.", at=at)
    caption = say(CAPTION, emotion=emotion)
    return (
        '<section class="answer" aria-live="polite" '
        f'aria-label="{say("Robustness of the answer")}">'
        f'<p class="verdict"><span class="word" data-summary>{summary(found)}</span></p>'
        f'<p class="file">{say("Without any effect:")} {page_html.swatch(found.emotion)} '
        f"<b>{emotion}</b>, {page_html.percent(found.confidence)}. {holds}</p>{cut}"
        f'<div class="scroll"><table class="heat-map"><caption class="visually-hidden">'
        f'{caption}</caption><thead><tr><th scope="col">{say("effect")}</th>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>{_legend(found)}</section>"
    )


def _row(found: Sweep, name: str, cells: tuple[Cell, ...]) -> str:
    effect = EFFECTS[name]
    mark = "✓" if found.stable(name) else "⚡"
    word = say("stable") if found.stable(name) else say("flips")
    inside = "".join(_cell(found, cell) for cell in cells)
    return (
        f'<tr data-effect="{name}"><th scope="row" title="{escape(say(effect.summary))}">'
        f'<span aria-label="{word}">{mark}</span> {escape(say(effect.title))}</th>{inside}</tr>'
    )


def _cell(found: Sweep, cell: Cell) -> str:
    flips = cell.emotion != found.emotion
    depth = min(abs(cell.change) * 160, 100)
    tone = "up" if cell.change > 0 else "down"
    settings = {key.replace("_", " "): value for key, value in cell.settings.items()}
    title = escape(", ".join(f"{say(key)} {value:g}" for key, value in settings.items()))
    points = f"{100 * cell.change:+.0f}".replace("-", "−")
    points = "±0" if points in ("+0", "−0") else points
    word = say("no answer" if cell.emotion is None else cell.emotion)
    sign = page_html.swatch(cell.emotion) if cell.emotion is not None else ""
    return (
        f'<td class="{tone}{" flips" if flips else ""}" style="--depth:{depth:.0f}%" '
        f'title="{title}">{sign}<span class="name">{word}</span>'
        f'<span class="points">{points}</span>'
        f'<span class="visually-hidden"> {say("points, flips") if flips else say("points")}'
        "</span></td>"
    )


def _legend(found: Sweep) -> str:
    return f'<p class="hint">{say(LEGEND, emotion=say(found.emotion))}</p>'
