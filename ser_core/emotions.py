"""The canonical emotions and the one table of their aliases."""

from __future__ import annotations

import difflib
import unicodedata

from ser_core.errors import UnknownEmotionError

EMOTIONS: tuple[str, ...] = (
    "anger",
    "boredom",
    "calm",
    "disgust",
    "fear",
    "joy",
    "neutral",
    "sadness",
    "surprise",
)
"""Every canonical emotion, in the order that models, tables and pictures use."""

ALIASES: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "ang", "ärger", "aerger", "wut", "mad", "rage"),
    "boredom": ("bored", "boring", "langeweile", "bor"),
    "calm": ("calmness", "relaxed", "cal"),
    "disgust": ("disgusted", "dis", "ekel"),
    "fear": ("fearful", "fea", "afraid", "scared", "angst", "anxiety", "anxious"),
    "joy": ("happy", "happiness", "hap", "freude", "joyful", "glad"),
    "neutral": ("neu", "neutrality", "none"),
    "sadness": ("sad", "trauer", "unhappy"),
    "surprise": (
        "surprised",
        "sur",
        "ps",
        "pleasant surprise",
        "pleasant surprised",
        "überraschung",
        "ueberraschung",
    ),
}
"""Other names of each emotion, as corpora, tables and people write them."""

_CANONICAL = {emotion: emotion for emotion in EMOTIONS} | {
    alias: emotion for emotion, aliases in ALIASES.items() for alias in aliases
}


def _fold(label: str) -> str:
    folded = unicodedata.normalize("NFC", label).strip().strip("\"'").casefold()
    return " ".join(folded.replace("_", " ").replace("-", " ").split())


def canonical(label: str) -> str:
    """Return the canonical emotion that ``label`` names, whatever its case and spacing.

    Args:
        label: an emotion or one of its aliases.

    Raises:
        UnknownEmotionError: no alias covers the label; the message offers the nearest known one.

    >>> canonical(" Happiness"), canonical("ANG"), canonical("Pleasant_surprised")
    ('joy', 'anger', 'surprise')
    """
    emotion = _CANONICAL.get(_fold(label))
    if emotion is None:
        near = nearest(label)
        hint = f" Did you mean “{near}”?" if near else f" Known are: {', '.join(EMOTIONS)}."
        raise UnknownEmotionError(f"“{label[:60]}” is not an emotion known here.{hint}")
    return emotion


def nearest(label: str) -> str | None:
    """Return the canonical emotion whose name or alias is spelled most like ``label``, or None.

    >>> nearest("hapy"), nearest("xyzzy")
    ('joy', None)
    """
    found = difflib.get_close_matches(_fold(label), list(_CANONICAL), n=1, cutoff=0.6)
    return _CANONICAL[found[0]] if found else None
