"""A clip of each emotion from the same corpus, to compare what one hears with."""

from __future__ import annotations

from ser_core.emotions import EMOTIONS
from ui import label_parts, parts
from ui.corpus_catalogue import Source
from ui.label_clip import GoneError
from ui.label_desk import Desk
from ui.label_shown import Shown


def reference_emotions(desk: Desk, shown: Shown) -> list[str]:
    """Return the emotions of which the clip's corpus has clips; none to those who label blind.

    A corpus that has few emotions, or a reference that sounds just like the clip, is an answer.
    """
    if shown.blind:
        return []
    there = desk.services.catalogue.listing().emotions.get(shown.source.corpus, frozenset())
    return [emotion for emotion in EMOTIONS if emotion in there]


def reference(desk: Desk, shown: Shown, emotion: str) -> str:
    """Return the HTML of a reference that plays, or a sentence on why there is none.

    Another speaker's clip is taken where there is one, so that the emotion is compared and not
    the voice; which one does not change from clip to clip.
    """
    found = [
        one
        for one in desk.services.catalogue.listing().sources
        if one.emotion == emotion and _fits(one, shown)
    ]
    found.sort(key=lambda one: (one.speaker == shown.source.speaker, one.name))
    for one in found[:3]:
        sha = desk.services.catalogue.hash_of(one)
        if not sha or sha == shown.sha:
            continue
        try:
            ready = desk.shelf.get(sha, one)
        except GoneError:  # another of the same emotion will do
            continue
        if ready.sound:
            return label_parts.reference_sound(ready.sound, emotion, one.name)
    return parts.status(f"This corpus has no other clip of {emotion} that can be played.")


def _fits(one: Source, shown: Shown) -> bool:
    return (
        one.corpus == shown.source.corpus
        and one.path is not None
        and not one.problem
        and bool(one.emotion)
        and one.path != shown.source.path
    )
