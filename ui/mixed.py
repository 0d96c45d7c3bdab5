"""A second emotion and an intensity beside a decision's emotion, for labels and adjudication."""

from __future__ import annotations

from label_store.event import LEVELS, Saved
from label_store.event_rows import JournalEntry
from ser_core.emotions import EMOTIONS
from ui.calls import UNEXPECTED
from ui.errors import PageError
from ui.language import say

WITH_SECOND = "{emotion} with {second}"
WITH_INTENSITY = "{emotion}, intensity {level}"
UNDONE = "Saved #{number}: undone, {name} is open again."
UNDONE_MIXED = "Saved #{number}: {what} undone, {name} is open again."

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


def undone_in_words(saved: Saved, name: str, before: JournalEntry | None) -> str:
    """Return what an undo is told with; it names what was undone where that was mixed.

    Args:
        saved: the undo.
        name: what the clip is called; what the tables know is put into the reader's language.
        before: the event that was undone, where it is known.
    """
    if before is None or not (before.second_emotion or before.intensity):
        return say(UNDONE, number=saved.number, name=say(name))
    what = in_words(before.emotion, before.second_emotion, before.intensity)
    return say(UNDONE_MIXED, number=saved.number, what=what, name=say(name))


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
