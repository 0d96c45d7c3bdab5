"""A clip of each emotion from the same corpus, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

from ser_core.emotions import EMOTIONS
from ui import page_html
from ui.catalogue import Source
from ui.errors import GoneError
from ui.label import html
from ui.label.displayed import DisplayedClip
from ui.label.session import LabelSession


def reference_emotions(labelling: LabelSession, shown: DisplayedClip) -> list[str]:
    """Return the emotions of which the clip's corpus has clips; none to those who label blind.

    A corpus that has few emotions, or a reference that sounds just like the clip, is an answer.
    """
    if shown.blind:
        return []
    there = labelling.services.catalogue.listing().emotions.get(shown.source.corpus, frozenset())
    return [emotion for emotion in EMOTIONS if emotion in there]


def reference(labelling: LabelSession, shown: DisplayedClip, emotion: str) -> str:
    """Return the HTML of a reference that plays, or a sentence on why there is none.

    Another speaker's clip is taken where there is one, so that the emotion is compared and not
    the voice; which one does not change from clip to clip.
    """
    found = [
        one
        for one in labelling.services.catalogue.listing().sources
        if one.emotion == emotion and _fits(one, shown)
    ]
    found.sort(key=lambda one: (one.speaker == shown.source.speaker, one.name))
    playable = first_playable(labelling, found[:3], but=shown.sha)
    if playable:
        one, sound = playable
        return html.reference_sound(sound, emotion, one.name)
    return page_html.status(f"This corpus has no other {emotion} clip that can be played.")


def first_playable(
    labelling: LabelSession, sources: Sequence[Source], *, but: str
) -> tuple[Source, str] | None:
    """Return the first clip that can be played, with its sound; None where there is none.

    Args:
        labelling: the labelling of this home.
        sources: clips, best first.
        but: SHA-256 of a clip that is not wanted, "" for none.
    """
    for one in sources:
        sha = labelling.services.catalogue.hash_of(one)
        if not sha or sha == but:
            continue
        try:
            ready = labelling.clips.get(sha, one)
        except GoneError:  # another of the same emotion will do
            continue
        if ready.sound:
            return one, ready.sound
    return None


def _fits(one: Source, shown: DisplayedClip) -> bool:
    return (
        one.corpus == shown.source.corpus
        and one.path is not None
        and not one.problem
        and not one.segment  # the whole file would be played
        and bool(one.emotion)
        and one.path != shown.source.path
    )
