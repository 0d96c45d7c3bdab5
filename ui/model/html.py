"""Pieces of HTML for the Model tab; what varies is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ui import page_html
from ui.language import say, translated
from ui.model.figures import ALL, NO_FIGURES, Curve, Figures, called
from ui.model.run_words import note_in_words
from ui.model.runs import RunState
from ui.model.versions import VersionEvent, VersionRow
from ui.theme import COLOURS

_PHASES = {
    "none": ("No run in progress.", ""),
    "running": ("Training.", ""),
    "stopping": ("Stopping after saving its progress.", ""),
    "elsewhere": ("A run that was started elsewhere is in progress.", ""),
    "done": ("The run finished.", "done"),
    "stopped": ("Stopped; the champion is unchanged.", ""),
    "interrupted": (
        "The run was interrupted: its process was killed, or the machine was restarted. The "
        "champion is unchanged.",
        "refused",
    ),
    "failed": ("The run failed; the champion is unchanged.", "refused"),
}


def headline(figures: Figures | None) -> str:
    """Return the three figures that people ask for, each with a line on what it says."""
    if figures is None or figures.uar is None:
        return f'<p class="notice">{code(NO_FIGURES)}</p>'
    span = "" if figures.low is None else f"{figures.low * 100:.0f} to {figures.high * 100:.0f} %"
    guess = "" if figures.guess is None else f"guessing: {figures.guess * 100:.0f} %"
    boxes = [
        ("UAR", figures.uar, " · ".join(filter(None, (span, guess))) or "mean recall"),
        ("Accuracy", figures.accuracy, f"{figures.clips} clips"),
        ("Macro-F1", figures.macro_f1, _speakers(figures)),
        ("Calibration error", figures.ece, "0 % is perfect"),
    ]
    cells = "".join(
        f'<div class="figure"><dt>{name}</dt><dd>{value * 100:.1f} %</dd>'
        f'<dd class="beside">{escape(beside)}</dd></div>'
        for name, value, beside in boxes
        if value is not None
    )
    return f'<dl class="figures">{cells}</dl>'


def code(text: str) -> str:
    """Return a text with what stands between backticks as code.

    >>> code("`a` < b")
    '<code>a</code> &lt; b'
    """
    page_html = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(page_html))


def _speakers(figures: Figures) -> str:
    return f"{figures.speakers} speakers not in training" if figures.speakers else "of all emotions"


def classes(figures: Figures | None) -> str:
    """Return precision, recall and F1 of each emotion as a table."""
    if figures is None or not figures.rows:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_name(row.emotion)}</th>{_bar(row.recall, row.emotion)}'
        f"<td>{row.precision * 100:.0f}</td><td>{row.f1 * 100:.0f}</td><td>{row.clips}</td></tr>"
        for row in figures.rows
    )
    return (
        '<div class="scroll"><table class="plain"><caption>By emotion, in %</caption><thead><tr>'
        '<th scope="col">emotion</th><th scope="col" title="of the clips with this emotion, '
        'how many were recognised">recall</th><th scope="col" title="of the clips predicted as '
        'this emotion, how many are right">precision</th><th scope="col">F1</th>'
        f'<th scope="col">clips</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _name(emotion: str) -> str:
    sign = page_html.swatch(emotion) if emotion in COLOURS else ""
    return f"{sign}<span>{escape(emotion)}</span>"


def _bar(value: float, emotion: str) -> str:
    tint = emotion if emotion in COLOURS else "neutral"
    return (
        f'<td class="bar emotion-{tint}"><span class="fill" aria-hidden="true" '
        f'style="--share:{value:.3f}"></span><span>{value * 100:.0f}</span></td>'
    )


def corpora(found: Sequence[Figures]) -> str:
    """Return a table with a row a corpus."""
    own = [one for one in found if one.name != ALL]
    if not own:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(called(one.name))}</th>{_cell(one.uar)}{_interval(one)}'
        f"{_cell(one.guess)}{_cell(one.accuracy)}{_cell(one.macro_f1)}"
        f"<td>{one.clips}</td><td>{one.speakers or '–'}</td></tr>"
        for one in own
    )
    return (
        '<div class="scroll"><table class="plain"><caption>By corpus, in %</caption>'
        '<thead><tr><th scope="col">corpus</th><th scope="col">UAR</th>'
        '<th scope="col">95 %</th><th scope="col">guessing</th><th scope="col">accuracy</th>'
        '<th scope="col">macro-F1</th><th scope="col">clips</th><th scope="col">speakers</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(value: float | None) -> str:
    return "<td>–</td>" if value is None else f"<td>{value * 100:.1f}</td>"


def _interval(one: Figures) -> str:
    if one.low is None or one.high is None:
        return "<td>–</td>"
    return f"<td>{one.low * 100:.0f}–{one.high * 100:.0f}</td>"


DOTTED = (
    "On the dotted line, “70 % likely” is right seven times in ten. Below it the model is "
    "overconfident, above it underconfident."
)


def curve_words(curve: Curve | None, missing: str) -> str:
    """Return the calibration curve in words."""
    if curve is None:
        return f'<p class="hint">{code(missing)}</p>'
    off = ""
    if curve.after is not None:
        beside = [(say("an honest model"), curve.floor), (say("before scaling"), curve.before)]
        more = "".join(f"; {name}: {v * 100:.1f} %" for name, v in beside if v is not None)
        share = f"{curve.after * 100:.1f} %{more}"
        off = " " + say("On average it is off by {share}.", share=share)
    return f'<p class="hint">{say(DOTTED)}{off}</p>'


DIAGONAL = "Rows add up to 100 %; a perfect model fills the diagonal."


def confusion_words(figures: Figures | None) -> str:
    """Return what is mistaken for what most often, in words."""
    if figures is None or not figures.confusion:
        return ""
    found = sorted(
        (
            (count / max(sum(row), 1), truth, predicted)
            for truth, row in zip(figures.emotions, figures.confusion, strict=True)
            for predicted, count in zip(figures.emotions, row, strict=True)
            if truth != predicted and count
        ),
        reverse=True,
    )[:3]
    listed = "; ".join(
        say("{truth} as {predicted}", truth=say(truth), predicted=say(predicted))
        + f" {page_html.percent(share)}"
        for share, truth, predicted in found
    )
    most = " " + say("Most frequent mistakes: {listed}.", listed=listed) if listed else ""
    return f'<p class="hint">{say(DIAGONAL)}{most}</p>'


def history(found: Sequence[VersionRow], done: Sequence[VersionEvent]) -> str:
    """Return the versions, newest first, and what was done with them."""
    items = "".join(_version(line) for line in found)
    acts = "".join(
        f'<li><time datetime="{escape(act.time)}">{escape(when(act.time))}</time> '
        f"{escape(act.text)}</li>"
        for act in done
    )
    log = f'<details><summary>History</summary><ul class="acts-done">{acts}</ul></details>'
    return f'<ol class="versions">{items}</ol>{log if acts else ""}'


def _version(line: VersionRow) -> str:
    mark = '<span class="tag">serves</span>' if line.serves else ""
    mark += '<span class="tag soft">shipped</span>' if line.shipped else ""
    uar = "" if line.uar is None else f'<span class="uar">UAR {line.uar * 100:.1f} %</span>'
    items = "".join(f"<li>{escape(text)}</li>" for text in line.changes if text)
    trouble = f'<p class="notice">{escape(line.problem)}</p>' if line.problem else ""
    return (
        f'<li><p class="version"><b>{escape(line.name)}</b>{mark}{uar}'
        f'<time datetime="{escape(line.created)}">{escape(when(line.created))}</time></p>'
        f"<ul>{items}</ul>{trouble}</li>"
    )


def when(iso: str) -> str:
    """Return a time as people read it.

    >>> when("2026-01-02T03:04:05+00:00")
    '2026-01-02 03:04'
    """
    return iso[:16].replace("T", " ")


def run(state: RunState) -> str:
    """Return how a run stands: one sentence, a bar, the end of its log."""
    text, kind = _PHASES[state.phase]
    text = say(text)
    if state.phase == "elsewhere":
        text += f" {translated(state.note)}"
    if state.phase == "running" and not state.total:
        text = say("Training: reading and decoding the clips first.")
    elif state.phase == "running" and state.doing not in ("", "training"):
        text = say("Training is done; {doing}.", doing=say(state.doing))
    elif not state.busy and state.note:
        note = note_in_words(state.note)
        if state.phase == "failed":  # a command line's words, which begin in lower case
            note = f"{note[0].upper()}{note[1:]}"
        text += f" {note if note.endswith('.') else note + '.'}"
    if state.can_go_on:
        text += " " + say("“Go on with it” starts the same run again, from what it had saved.")
    beside = f" {clock(state.seconds)}" if state.phase not in ("none", "elsewhere") else ""
    beside += ", " + say("started by {name}", name=state.who) if state.who and state.busy else ""
    bar = ""
    if state.total:
        share = 100 * (state.share or state.done / state.total)
        bar = (
            f'<div class="track" role="progressbar" aria-valuemin="0" aria-valuemax="{state.total}"'
            f' aria-valuenow="{state.done}" aria-label="Epochs done"><span class="fill" '
            f'style="width:{share:.0f}%"></span></div><p class="hint">{state.done} of '
            f"{state.total} epochs, {share:.0f} % of the steps</p>"
        )
    log = (
        f'<pre class="log" tabindex="0" translate="no">{escape(state.log)}</pre>'
        if state.log
        else ""
    )
    return (
        f'<div class="run"><p class="saved {kind}" role="status">{escape(text)}'
        f"<span>{escape(beside)}</span></p>{bar}{log}</div>"
    )


def clock(seconds: float) -> str:
    """Return a length of time.

    >>> clock(75), clock(3700)
    ('1:15 min', '1:01 h')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours}:{left:02d} h" if hours else f"{minutes}:{rest:02d} min"
