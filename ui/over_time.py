"""A long clip in words and figures, beside its time line; what varies is escaped."""

from __future__ import annotations

from typing import Any

from ui.parts import percent, swatch

FIRST = 8
"""Changes shown at once; the rest are folded away."""


def summary(prediction: dict[str, Any]) -> str:
    """Return what a clip longer than the model's window amounts to; "" for a shorter one.

    Args:
        prediction: as ``Prediction.to_json`` gives it.
    """
    told = prediction.get("summary")
    if not told:
        return ""
    seconds = prediction["seconds"]
    rows = "".join(_row(one, seconds) for one in told["emotions"])
    return (
        '<section class="over-time" aria-label="The clip over time">'
        '<div class="scroll"><table class="plain"><caption>Of the time in which somebody speaks'
        '</caption><thead><tr><th scope="col">emotion</th><th scope="col">share</th>'
        '<th scope="col" title="of these seconds, how many the model was not sure of">unsure</th>'
        '<th scope="col">longest stretch</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<div class="beside"><p class="hint">{sentence(told)}</p>{_changes(told, seconds)}</div>'
        "</section>"
    )


def sentence(told: dict[str, Any]) -> str:
    """Return speech, silence and doubt in one sentence or two."""
    parts = [f"{told['speaking']:.0f} s of speech, {told['silent']:.0f} s of silence."]
    if told["unsure"] > 0:
        parts.append(f"In {percent(told['unsure'])} of the speech the model was not sure.")
    if told["unjudged"] > 0:
        parts.append(f"{percent(told['unjudged'])} stood too much alone to be judged.")
    return " ".join(parts)


def moment(at: float, seconds: float) -> str:
    """Return a place in a clip as people read it.

    Args:
        at: seconds from the clip's beginning.
        seconds: the clip's length; in one of less than a minute, tenths count.

    >>> moment(4.5, 9.0), moment(75.2, 600.0), moment(3725.0, 4000.0)
    ('4.5 s', '1:15', '1:02:05')
    """
    if seconds < 60:
        return f"{at:.1f} s"
    minutes, rest = divmod(int(at), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours}:{left:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _row(one: dict[str, Any], seconds: float) -> str:
    name, longest = one["emotion"], one["longest"]
    start, end = moment(longest["start"], seconds), moment(longest["end"], seconds)
    return (
        f'<tr><th scope="row">{swatch(name)}<span>{name}</span></th>'
        f'<td class="bar emotion-{name}"><span class="fill" aria-hidden="true" '
        f'style="--share:{one["share"]:.3f}"></span><span>{percent(one["share"])}</span></td>'
        f"<td>{_doubt(one['unsure'])}</td>"
        f"<td>{_seek(longest['start'], f'{start} – {end}')}</td></tr>"
    )


def _doubt(share: float) -> str:
    return percent(share) if share > 0 else "–"


def _changes(told: dict[str, Any], seconds: float) -> str:
    items = [
        f"<li>{_seek(one['at'], moment(one['at'], seconds))}"
        f"<span>{swatch(one['before'])}{one['before']}</span>"
        f'<span aria-label="then">→</span><span>{swatch(one["after"])}{one["after"]}</span></li>'
        for one in told["changes"]
    ]
    if not items:
        return '<p class="hint">It stays the same throughout.</p>'
    head = f'<h3 class="section-title">Changes ({len(items)})</h3>'
    shown = f'<ol class="changes">{"".join(items[:FIRST])}</ol>'
    rest = items[FIRST:]
    if not rest:
        return head + shown
    return (
        f"{head}{shown}<details><summary>{len(rest)} more</summary>"
        f'<ol class="changes">{"".join(rest)}</ol></details>'
    )


def _seek(at: float, text: str) -> str:
    return (
        f'<button type="button" class="seek" data-seek="{at:.3f}" '
        f'title="Go there in the sound">{text}</button>'
    )
