"""A long clip in words and figures, beside its time line; what varies is escaped."""

from __future__ import annotations

from typing import Any

from ui.language import say
from ui.page_html import percent, swatch

MOST_NAMED = 3
"""Changes named at the top."""

FIRST = 8
"""Changes shown at once; the rest are folded away."""


def summary(prediction: dict[str, Any]) -> str:
    """Return what a clip longer than the model's window amounts to; "" for a shorter one.

    Args:
        prediction: as ``Prediction.to_json`` gives it.
    """
    summed = prediction.get("summary")
    if not summed:
        return ""
    seconds = prediction["seconds"]
    rows = "".join(_row(one, seconds) for one in summed["emotions"])
    return (
        f'<section class="over-time" aria-label="{say("The clip over time")}">'
        f'<div class="scroll"><table class="plain"><caption>{say("Share of the speech")}'
        f'</caption><thead><tr><th scope="col">{say("emotion")}</th>'
        f'<th scope="col">{say("share")}</th>'
        f'<th scope="col" title="{say("of these seconds, how many the model was not sure of")}">'
        f'{say("not sure")}</th><th scope="col">{say("longest stretch")}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<div class="beside"><p class="hint">{sentence(summed)}</p>'
        f"{_changes(summed, seconds)}</div>"
        "</section>"
    )


def headline(prediction: dict[str, Any]) -> str:
    """Return what changed and when, as the first thing one reads of a long clip.

    "" for a clip that fits into the model's window, or stays the same.

    Args:
        prediction: as ``Prediction.to_json`` gives it.
    """
    changes = (prediction.get("summary") or {}).get("changes", ())
    if not changes:
        return ""
    seconds = prediction["seconds"]
    shown = [changes[0]["before"], *(one["after"] for one in changes[:MOST_NAMED])]
    places = [
        "",
        *(f" {say('from {at}', at=moment(one['at'], seconds))}" for one in changes[:MOST_NAMED]),
    ]
    steps = [
        f'<span class="step">{swatch(name)}{say(name)}<small>{place}</small></span>'
        for name, place in zip(shown, places, strict=True)
    ]
    left = len(changes) - MOST_NAMED
    more = (
        f'<span class="step"><small>{say("and {left} more below", left=left)}</small></span>'
        if left > 0
        else ""
    )
    return f'<p class="course">{"".join(steps)}{more}</p>'


def sentence(summed: dict[str, Any]) -> str:
    """Return speech, silence and uncertainty in one sentence or two."""
    speaking, silent = f"{summed['speaking']:.0f}", f"{summed['silent']:.0f}"
    parts = [
        say("{speaking} s of speech, {silent} s of silence.", speaking=speaking, silent=silent)
    ]
    if summed["unsure"] > 0:
        share = percent(summed["unsure"])
        parts.append(say("In {share} of the speech the model was not sure.", share=share))
    if summed["unjudged"] > 0:
        parts.append(say("{share} was too short to predict.", share=percent(summed["unjudged"])))
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
        f'<tr><th scope="row">{swatch(name)}<span>{say(name)}</span></th>'
        f'<td class="bar emotion-{name}"><span class="fill" aria-hidden="true" '
        f'style="--share:{one["share"]:.3f}"></span><span>{percent(one["share"])}</span></td>'
        f"<td>{_uncertain(one['unsure'])}</td>"
        f"<td>{_seek(longest['start'], f'{start} – {end}')}</td></tr>"
    )


def _uncertain(share: float) -> str:
    return percent(share) if share > 0 else "–"


def _changes(summed: dict[str, Any], seconds: float) -> str:
    items = [
        f"<li>{_seek(one['at'], moment(one['at'], seconds))}"
        f"<span>{swatch(one['before'])}{say(one['before'])}</span>"
        f'<span class="visually-hidden">{say("then")}</span><span aria-hidden="true">→</span>'
        f"<span>{swatch(one['after'])}{say(one['after'])}</span></li>"
        for one in summed["changes"]
    ]
    if not items:
        return f'<p class="hint">{say("The emotion stays the same throughout.")}</p>'
    head = f'<h3 class="section-title">{say("Changes ({count})", count=len(items))}</h3>'
    shown = f'<ol class="changes">{"".join(items[:FIRST])}</ol>'
    rest = items[FIRST:]
    if not rest:
        return head + shown
    return (
        f"{head}{shown}<details><summary>{say('{count} more', count=len(rest))}</summary>"
        f'<ol class="changes">{"".join(rest)}</ol></details>'
    )


def _seek(at: float, text: str) -> str:
    return (
        f'<button type="button" class="seek" data-seek="{at:.3f}" '
        f'title="{say("Jump to this moment")}">{text}</button>'
    )
