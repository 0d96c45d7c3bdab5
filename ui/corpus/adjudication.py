"""Adjudication on the Corpus tab, without the page: what is disputed, and what is decided."""

from __future__ import annotations

import json
from dataclasses import dataclass

from label_store.adjudication import (
    AlphaBeforeAfter,
    Dispute,
    adjudicate,
    alpha_before_after,
    disputes,
    find_dispute,
)
from label_store.corpus_rows import row_key
from label_store.errors import NothingToUndoError, StoreError
from label_store.event import Saved
from label_store.trust import who_counts
from ser_core.emotions import canonical
from ui.clip_cache import ClipCache, PreparedClip
from ui.corpus.annotators import require_reviewer
from ui.corpus.session import CorpusTableService
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.language import say, translated
from ui.mixed import check_mixed

NOT_PLAYED = "It can't be played here, so no decision is taken for it. Choose “Later”."


@dataclass(frozen=True)
class DisplayedDispute:
    """The disputed clip before a reviewer.

    Attributes:
        dispute: what annotators differ on.
        given: the corpus's own label, or "".
        ready: its sound and what the model says, None where its file is missing.
        trouble: why it can't be played; "" when it can.
    """

    dispute: Dispute
    given: str = ""
    ready: PreparedClip | None = None
    trouble: str = ""

    @property
    def ticket(self) -> str:
        """Item and revision; a key press brings it back."""
        one = self.dispute
        return json.dumps([one.key, one.start, one.end, one.head])


def _place(key: str, start: float | None) -> str:
    return json.dumps([key, start])


@dataclass(frozen=True)
class AdjudicationOverview:
    """How much there is to decide.

    Attributes:
        waiting: open disputes, ties first.
        settled: those decided.
        alpha: Krippendorff's alpha before and after the decisions.
    """

    waiting: tuple[Dispute, ...]
    settled: tuple[Dispute, ...]
    alpha: AlphaBeforeAfter


class Adjudication:
    """The disputes of one home, for reviewers.

    Args:
        service: the table, which knows where each clip is.
        clips: makes clips ready.
    """

    def __init__(self, service: CorpusTableService, clips: ClipCache) -> None:
        self.services = service.services
        self._service = service
        self._store = service.services.store
        self._clips = clips

    def overview(self, who: Annotator) -> AdjudicationOverview:
        """Return what waits and what was decided.

        Raises:
            PageError: the person may not see it.
            StoreError: the list of trusted annotators is damaged.
        """
        require_reviewer(who)
        trusted = who_counts(self._store)
        state = self._store.state()
        return AdjudicationOverview(
            tuple(disputes(state, trusted)),
            tuple(disputes(state, trusted, settled=True)),
            alpha_before_after(state, trusted),
        )

    def next(self, who: Annotator, later: tuple[str, ...] = ()) -> DisplayedDispute | None:
        """Return the clip to decide next, made ready to be heard; None = nothing is open.

        Args:
            who: the reviewer.
            later: what is put off, from `postponed`; it comes again once nothing else is left.

        Raises:
            PageError: the person may not see it.
        """
        waiting = self.overview(who).waiting
        turn = {place: number for number, place in enumerate(later, 1)}
        order = sorted(
            waiting, key=lambda one: (turn.get(_place(one.key, one.start), 0), not one.clip)
        )
        if not order:
            return None
        for following in order[1:2]:
            if following.clip:
                key = row_key(following.key, following.start, following.end)
                row = self._service.row(key)
                self._clips.fetch(following.clip, self._service.source(row))
        return self.shown(order[0])

    def postponed(self, ticket: str, later: tuple[str, ...]) -> tuple[str, ...]:
        """Return what is put off, with the clip that was on the page at the end."""
        try:
            key, start, _, _ = json.loads(ticket)
        except ValueError:  # there was no clip on the page
            return later
        place = _place(key, start)
        return (*(one for one in later if one != place), place)

    def shown(self, dispute: Dispute) -> DisplayedDispute:
        """Return a dispute with its clip made ready."""
        try:
            row = self._service.row(row_key(dispute.key, dispute.start, dispute.end))
            sha, source = self._service.clip_of(row)
            ready = self._clips.get(sha, source)
        except (GoneError, StoreError) as error:
            return DisplayedDispute(dispute, trouble=str(error))
        return DisplayedDispute(
            dispute, source.emotion, ready, "" if ready.sound else ready.trouble
        )

    def decide(
        self,
        who: Annotator,
        session: str,
        ticket: str,
        emotion: str,
        second: str = "",
        intensity: int | None = None,
    ) -> Saved:
        """Settle the clip that was on the page.

        Args:
            who, session: the reviewer, in which session.
            ticket: of the clip that was on the page when the key was pressed.
            emotion: what it is to be.
            second, intensity: heard beside it, and how strong, from 1 to 3; "" and None = not said.

        Raises:
            PageError: the person may not, the decision would not count, what is beside the emotion
                does not fit it, or the clip can't be heard.
            StoreError: it was changed meanwhile, or the disk did not take it; nothing was saved.
        """
        require_reviewer(who)
        self._require_trusted(who)
        emotion = canonical(emotion)
        check_mixed(second, intensity, emotion)
        dispute, head = self._of(ticket)
        shown = self.shown(dispute)
        if shown.ready is None or not shown.ready.sound:
            nothing = say("Nothing was saved.")
            raise PageError(f"{translated(shown.trouble)} {say(NOT_PLAYED)} {nothing}")
        self._store.keep_clip(shown.ready.data, shown.ready.suffix)
        return adjudicate(
            self._store,
            dispute,
            emotion,
            who.name,
            second_emotion=second,
            intensity=intensity,
            session=session,
            expect=head,
        )

    def undo(self, who: Annotator, session: str) -> Saved:
        """Take one's latest decision of this session back.

        Raises:
            PageError: the person may not, or there is none.
            StoreError: the disk did not take it.
        """
        require_reviewer(who)
        try:
            return self._store.undo(who.name, session, actions={"adjudicate"})
        except NothingToUndoError:
            raise PageError("There is no decision of yours here to undo.") from None

    def _require_trusted(self, who: Annotator) -> None:
        trusted = who_counts(self._store)
        if not trusted.trusts(who.name):
            raise PageError(
                f"{who.name} is not among the trusted annotators, so a decision would not count. "
                "Nothing was saved; change the list under “Annotators and gold clips” first."
            )
        if not trusted.counts_from_now(who.name):
            raise PageError(
                f"{who.name} has not passed the practice round, so a decision would not count. "
                "Nothing was saved; open Label and answer the gold clips first."
            )

    def _of(self, ticket: str) -> tuple[Dispute, str | None]:
        """Return the dispute of a ticket as it stands now, and the head that was on the page."""
        try:
            key, start, end, head = json.loads(ticket)
            found = find_dispute(
                self._store.state(),
                str(key),
                None if start is None else float(start),
                None if end is None else float(end),
            )
        except (ValueError, TypeError):
            raise PageError("There is no clip to decide. Nothing was saved.") from None
        if found is None:
            raise PageError("The annotators don't differ on it any more. Nothing was saved.")
        return found, None if head is None else str(head)
