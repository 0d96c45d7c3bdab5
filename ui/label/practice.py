"""The practice round on the Label tab: which gold clip is asked, and what is said of the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from label_store.annotators import Practice
from label_store.errors import SaveError
from label_store.event import LabelEvent
from label_store.gold import Gold
from label_store.practice import (
    PracticeProgress,
    answers,
    next_clips,
    note_pass,
    practice_clips,
    progress,
)
from ui.annotation_settings import SettingsReader
from ui.catalogue import Source
from ui.identity import Annotator
from ui.language import say
from ui.page_html import swatch
from ui.services import Services

ROUND = "practice round"
"""Why a gold clip is shown before its annotator's labels count."""

BEGIN = (
    "Practice round: {needed} clips whose emotion is known. After each answer you see what it is; "
    "your labels count once {least} % of the answers are right."
)
SO_FAR = "Practice round: {answered} of {needed}, {share} % right; {least} % have to be."
GO_ON = (
    "Practice round: {share} % of your last {needed} answers are right; {least} % have to be. Go "
    "on, the latest answers count."
)
RIGHT = "Right: it is known to be {emotion}."
WRONG = "It is known to be {emotion}; you chose {given}."
AGAIN = "You answered that clip before, and the first answer counts."
PASSED = "You passed the practice round, {right} of {needed} right. Your labels count from now on."
HEAR = "Hear that clip again"


@dataclass(frozen=True)
class GoldAnswer:
    """What somebody just answered.

    Attributes:
        known, given: the known emotion and theirs.
        counts: whether it counts as an answer of the round.
        sound: the clip's sound, as a URL; "" where it can't be played.
    """

    known: str
    given: str
    counts: bool
    sound: str = ""


@dataclass(frozen=True)
class PracticeNote:
    """What the page says of the practice round: how far somebody is, and the latest answer."""

    progress: PracticeProgress
    latest: GoldAnswer | None = None

    def sentences(self) -> str:
        """Return what is said of the latest answer, in the reader's language; "" without one."""
        parts = []
        if self.latest is not None:
            known, given = say(self.latest.known), say(self.latest.given)
            alike = self.latest.known == self.latest.given
            parts = [say(RIGHT, emotion=known) if alike else say(WRONG, emotion=known, given=given)]
            parts += [] if self.latest.counts else [say(AGAIN)]
        if self.progress.passed is not None:
            parts.append(say(PASSED, right=self.progress.right, needed=self.progress.needed))
        return " ".join(parts)

    def so_far(self) -> str:
        """Return how far they are, in the reader's language; "" once they passed."""
        now = self.progress
        if now.passed is not None:
            return ""
        text = GO_ON if now.answered >= now.needed else SO_FAR if now.answered else BEGIN
        numbers = {"answered": now.answered, "needed": now.needed}
        share, least = (f"{100 * value:.0f}" for value in (now.accuracy, now.share))
        return say(text, **numbers, share=share, least=least)


class PracticeRound:
    """Asks those who have not passed yet about gold clips.

    Args:
        services: the label store and the clips.
        settings: what is asked, and the gold clips.
        rng: mixes the gold clips.
    """

    def __init__(
        self, services: Services, settings: SettingsReader, rng: np.random.Generator
    ) -> None:
        self._services = services
        self._settings = settings
        self._rng = rng

    def standing(self, who: Annotator, session: str = "") -> PracticeProgress | None:
        """Return how far somebody is; None where nothing is asked of them, or no more.

        Those whose answers are enough already, or who marked every gold clip, pass here.
        """
        asked = self._asked(who)
        if asked is None:
            return None
        found = self._noted(asked, who, session)
        return found if found.passed is None and found.needed else None

    def next(
        self, who: Annotator, sources: Mapping[str, Source], but: Collection[str], liked: str = ""
    ) -> tuple[str, Source] | None:
        """Return the gold clip to ask somebody about; None where there is none.

        Args:
            who: the annotator.
            sources: clips by hash.
            but: clips that can't be shown.
            liked: the clip that was made ready for it, taken where its turn has come.
        """
        asked = self._asked(who)
        if asked is None:
            return None
        _, gold = asked
        places = {
            clip: found
            for clip in practice_clips(gold, who.name)
            if clip not in but and (found := self._source(clip, gold, sources)) is not None
        }
        mixed = sorted(places)
        self._rng.shuffle(mixed)
        mixed.sort(key=lambda clip: clip != liked)
        state = self._services.store.state()
        skips = {clip: state.clip(clip).skips.get(who.name) for clip in mixed}
        skipped = {clip: entry.number for clip, entry in skips.items() if entry is not None}
        order = next_clips(answers(self._services.store, gold, who.name), mixed, skipped)
        return (order[0], places[order[0]]) if order else None

    def note(
        self, who: Annotator, session: str, event: LabelEvent, sound: str
    ) -> PracticeNote | None:
        """Return what is to be said of a label that was just saved; None where it was no answer.

        Args:
            who, session: the annotator, in which session.
            event: the label.
            sound: the clip's, as a URL.
        """
        asked = self._asked(who)
        if asked is None or event.clip not in asked[1].clips:
            return None
        gold = asked[1]
        given = answers(self._services.store, gold, who.name)
        counts = any(one.number == event.number for one in given)
        latest = GoldAnswer(gold.clips[event.clip].emotion, event.emotion, counts, sound)
        return PracticeNote(self._noted(asked, who, session), latest)

    def _asked(self, who: Annotator) -> tuple[Practice, Gold] | None:
        found = self._settings.read()
        practice = found.annotators.practice
        passed = who.name in self._services.store.state().passed
        if practice is None or passed or not (who.may_write and who.may_hear):
            return None
        return practice, found.gold

    def _noted(
        self, asked: tuple[Practice, Gold], who: Annotator, session: str
    ) -> PracticeProgress:
        practice, gold = asked
        store = self._services.store
        try:
            return note_pass(store, gold, practice, who.name, session=session)
        except SaveError:  # the answers are saved, so that it is noted the next time
            return progress(store, gold, practice, who.name)

    def _source(self, clip: str, gold: Gold, sources: Mapping[str, Source]) -> Source | None:
        if clip in sources:
            return sources[clip]
        # Not hashed yet in this run; the row that it was marked in says where it is.
        one = gold.clips[clip]
        place = (one.corpus, one.file_name)
        rows = self._services.catalogue.listing().sources
        return next((row for row in rows if row.place == place and row.path is not None), None)


def note_html(note: PracticeNote | None) -> str:
    """Return what stands under the clip's card during the practice round."""
    if note is None:
        return ""
    text = f'<p class="so-far">{escape(note.so_far())}</p>' if note.so_far() else ""
    latest = note.latest
    if latest is not None or note.progress.passed is not None:
        kind = "right" if latest is None or latest.known == latest.given else "wrong"
        mark = swatch(latest.known) if latest is not None else ""
        text += f'<p class="outcome {kind}">{mark} {escape(note.sentences())}</p>'
    if latest is not None and latest.sound:
        hear = escape(say(HEAR))
        text += (
            f'<div class="hear"><span aria-hidden="true">{hear}</span>'
            f'<audio controls preload="none" src="{latest.sound}" aria-label="{hear}"></audio>'
            "</div>"
        )
    return f'<section class="practice-round" aria-label="{escape(say(ROUND))}">{text}</section>'
