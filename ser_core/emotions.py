"""The canonical emotions and the one table of their aliases."""

from __future__ import annotations

import difflib
import re
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
    "anger": ("angry", "ang", "mad", "rage", "furious", "hot anger", "cold anger", "angriness"),
    "boredom": ("bored", "boring", "bor"),
    "calm": ("calmness", "relaxed", "cal", "calmly"),
    "disgust": ("disgusted", "dis", "disgusting"),
    "fear": ("fearful", "fea", "afraid", "scared", "anxiety", "anxious", "frightened"),
    "joy": ("happy", "happiness", "hap", "joyful", "glad", "cheerful", "joyous"),
    "neutral": ("neu", "neutrality", "neutral state"),
    "sadness": ("sad", "unhappy", "sorrow", "sorrowful"),
    "surprise": (
        *("surprised", "sur", "ps", "pleasant surprise", "pleasant surprised", "astonished"),
        *("pleasantly surprised", "surprising"),
    ),
}
"""Other names of each emotion, as corpora, tables and people write them."""

FOREIGN: dict[str, dict[str, tuple[str, ...]]] = {
    "German": {
        "anger": ("ärger", "aerger", "wut", "wütend", "ärgerlich"),
        "boredom": ("langeweile", "gelangweilt"),
        "calm": ("ruhig",),
        "disgust": ("ekel", "angeekelt"),
        "fear": ("angst", "ängstlich"),
        "joy": ("freude", "fröhlich", "glücklich"),
        "sadness": ("trauer", "traurig", "traurigkeit"),
        "surprise": ("überraschung", "ueberraschung", "überrascht"),
    },
    "Spanish": {
        "anger": ("enojo", "ira", "enfado"),
        "boredom": ("aburrimiento",),
        "calm": ("calma",),
        "disgust": ("asco",),
        "fear": ("miedo",),
        "joy": ("alegría", "alegria", "felicidad"),
        "sadness": ("tristeza",),
        "surprise": ("sorpresa",),
    },
    "French": {
        "anger": ("colère", "colere"),
        "boredom": ("ennui",),
        "calm": ("calme",),
        "disgust": ("dégoût", "degout"),
        "fear": ("peur",),
        "joy": ("joie",),
        "neutral": ("neutre",),
        "sadness": ("tristesse",),
    },
    "Italian": {
        "anger": ("rabbia",),
        "disgust": ("disgusto",),
        "fear": ("paura",),
        "joy": ("gioia",),
        "neutral": ("neutrale",),
        "sadness": ("tristezza",),
    },
    "Chinese": {
        "anger": ("生气", "愤怒", "生氣", "憤怒"),
        "boredom": ("无聊",),
        "calm": ("平静", "平靜"),
        "disgust": ("厌恶", "厭惡"),
        "fear": ("恐惧", "害怕", "恐懼"),
        "joy": ("快乐", "开心", "高兴", "快樂", "開心", "高興"),
        "neutral": ("中立", "中性"),
        "sadness": ("伤心", "难过", "悲伤", "傷心", "難過", "悲傷"),
        "surprise": ("惊喜", "吃惊", "惊讶", "驚喜", "吃驚", "驚訝"),
    },
    "Japanese": {
        "anger": ("怒り",),
        "disgust": ("嫌悪",),
        "fear": ("恐れ", "恐怖"),
        "joy": ("喜び",),
        "neutral": ("平常",),
        "sadness": ("悲しみ",),
        "surprise": ("驚き",),
    },
}
"""Names in other languages; they are read like the aliases, but never offered as a correction."""

NO_EMOTION: frozenset[str] = frozenset(
    [
        *("", "-", "–", "?", "none", "nan", "null", "nil", "na", "n/a", "n a", "other", "others"),
        *("oth", "unknown", "unk", "<unk>", "xxx", "undefined", "no agreement", "no emotion"),
        *("其他", "其它", "sonstiges", "autre", "otro"),
    ]
)
"""Words by which a table says that it gives no emotion; such a row is never taken as neutral."""

_CANONICAL = (
    {emotion: emotion for emotion in EMOTIONS}
    | {alias: emotion for emotion, aliases in ALIASES.items() for alias in aliases}
    | {
        word: emotion
        for language in FOREIGN.values()
        for emotion, words in language.items()
        for word in words
    }
)
_NEGATION = re.compile(r"(?:un|non|not|in|dis|anti)\W?")


def fold(label: str) -> str:
    """Return a label as it is compared: case, quotes, spacing and Unicode form aside.

    >>> fold("  Pleasant_Surprise ")
    'pleasant surprise'
    """
    folded = unicodedata.normalize("NFC", label).strip().strip("\"'").casefold()
    return " ".join(folded.replace("_", " ").replace("-", " ").split()) or folded


def is_none(label: str) -> bool:
    """Return whether a label says that there is no emotion, or none that could be named.

    >>> is_none("None"), is_none("xxx"), is_none("neutral")
    (True, True, False)
    """
    return fold(label) in NO_EMOTION


def canonical(label: str) -> str:
    """Return the canonical emotion that ``label`` names, whatever its case and spacing.

    Args:
        label: an emotion or one of its aliases.

    Raises:
        UnknownEmotionError: no alias covers the label; the message offers the nearest known one.

    >>> canonical(" Happiness"), canonical("ANG"), canonical("Pleasant_surprised")
    ('joy', 'anger', 'surprise')
    """
    emotion = _CANONICAL.get(fold(label))
    if emotion is None:
        near = nearest(label)
        hint = f" Did you mean “{near}”?" if near else f" Known are: {', '.join(EMOTIONS)}."
        raise UnknownEmotionError(f"“{label[:60]}” is not an emotion known here.{hint}")
    return emotion


def nearest(label: str) -> str | None:
    """Return the canonical emotion whose English name or alias was misspelt as ``label``, or None.

    A hint is given only where a slip of the pen explains the word: same first letter, few letters
    apart, and not a negation of the emotion that would be offered.

    >>> nearest("hapy"), nearest("merry"), nearest("xyzzy"), nearest("unfearful")
    ('joy', None, None, None)
    """
    word = fold(label)
    known = [*EMOTIONS, *(alias for aliases in ALIASES.values() for alias in aliases)]
    # Three-letter codes are near to too much.
    long = [one for one in known if len(one) > 3 or one in {*EMOTIONS, "sad"}]
    near = [one for one in long if one[:1] == word[:1]]
    found = difflib.get_close_matches(word, near, n=1, cutoff=0.75)
    if not found or (_NEGATION.match(word) and not _NEGATION.match(found[0])):
        return None
    return _CANONICAL[found[0]]
