"""A second emotion and an intensity beside a decision's emotion, for labels and adjudication."""

from __future__ import annotations

from label_store.event import LEVELS
from ser_core.emotions import EMOTIONS
from ui.calls import UNEXPECTED
from ui.errors import PageError
from ui.language import say

WITH_SECOND = "{emotion} with {second}"
WITH_INTENSITY = "{emotion}, intensity {level}"

SAME = (
    "The second emotion is the same as the first. Nothing was saved; choose another, or take it "
    "back with Shift and its digit."
)


def bar(name: str) -> str:
    """Return what a decision says beside its emotion, as HTML; hidden and filled by mixed.js.

    Args:
        name: begins the ids of its parts and of the row of emotions, ``<name>-choices``.
    """
    return (
        f'<div id="{name}-mixed" class="mixed" hidden>'
        f'<button type="button" id="{name}-second" aria-pressed="false">Second emotion<b>–</b>'
        "</button>"
        f'<button type="button" id="{name}-intensity" class="key-KeyG">Intensity<b>–</b></button>'
        '<p class="hint" role="status"></p></div>'
    )


def in_words(emotion: str, second: str = "", intensity: int | str | None = None) -> str:
    """Return a label in words, with the second emotion and the intensity where it has them.

    >>> in_words("anger"), in_words("anger", "fear", 2)
    ('anger', 'anger with fear, intensity 2')
    """
    text = say(emotion)
    if second:
        text = say(WITH_SECOND, emotion=text, second=say(second))
    return say(WITH_INTENSITY, emotion=text, level=intensity) if intensity else text


def said_beside(text: str) -> tuple[str, int | None]:
    """Return the second emotion and the intensity as mixed.js writes them; one that is none is 0.

    >>> said_beside("joy|2"), said_beside("|"), said_beside("|9x")
    (('joy', 2), ('', None), ('', 0))
    """
    second, _, level = (text or "").partition("|")
    return second, (int(level) if level in LEVELS else 0) if level else None


def check_mixed(second: str, intensity: int | None, emotion: str = "") -> None:
    """Refuse a second emotion or an intensity that no page sends.

    Args:
        second: the second emotion, or "".
        intensity: 1 to 3, or None.
        emotion: the first one, where it is known.

    Raises:
        PageError: it is not an emotion, not one of the intensities, or the first emotion again.
    """
    known = not second or second in EMOTIONS
    if not known or (intensity is not None and str(intensity) not in LEVELS):
        raise PageError(UNEXPECTED)
    if emotion and emotion == second:
        raise PageError(SAME)
