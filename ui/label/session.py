"""What labelling does, without the page: which clip comes next, what a key means, what is saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from label_store.candidate import QueueSettings
from label_store.errors import NothingToUndoError
from label_store.event import LabelEvent, Saved
from label_store.fold import WHOLE
from label_store.queue import LabelQueue, QueueProgress
from label_store.queue import Ticket as QueueTicket
from ser_core.emotions import canonical
from ui.analysis import storable
from ui.catalogue import Source, require_hearing
from ui.clip_cache import ClipCache
from ui.clip_source import example_files
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.label.background_scoring import BackgroundScoring
from ui.label.candidates import CandidatePool
from ui.label.displayed import (
    NO_CLIP,
    STALE,
    DisplayedClip,
    LabelDecision,
    Session,
    StaleDecisionError,
)
from ui.label.practice import ROUND, PracticeNote, PracticeRound
from ui.label.suggested import suggested_segments
from ui.language import say
from ui.mixed import check_mixed, in_words
from ui.segments import Segment, check_segment, labelled
from ui.services import Services

DECISIONS = frozenset({"label", "skip"})
"""What U takes back."""

SESSIONS = 500
"""Most sessions remembered; of more, the oldest has to load its clip again."""

BLIND = "The prediction is hidden, so there is nothing to confirm. Choose the emotion you hear."
BROUGHT = "brought"
"""Why a clip is shown that another tab handed over."""

IN_SEGMENTS = "labelled in segments"
"""Why a clip is skipped whose segments were labelled, where nobody says otherwise."""

PRACTISED = "Practice, not saved: {chosen}. The model predicts {predicted}."

PRACTICE = "practice"
"""Why an example is shown: to try the keys, with nothing saved."""

NO_EMOTION = "Choose an emotion for the segment, or let it go with Esc."

NOTHING_LEFT = "Nothing is left to label here."


class LabelSession:
    """The labelling of one home: one queue, the clip of every open page, and the rules.

    Args:
        services: store, model, settings.
        rng: draws the queue's random share.
        clock: seconds, for how long a decision took.
        lease_seconds: how long a clip is kept from others.
        clips: makes clips ready; one of its own by default.
    """

    def __init__(
        self,
        services: Services,
        rng: np.random.Generator,
        *,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = 600.0,
        clips: ClipCache | None = None,
    ) -> None:
        self.services = services
        self.clips = clips or ClipCache(services)
        self.pool = CandidatePool(services, rng, QueueSettings(lease_seconds=lease_seconds))
        self.round = PracticeRound(services, self.pool.annotation, rng)
        self.background = BackgroundScoring(
            services,
            lambda: self.pool.sources,
            draws=lambda: self.pool.by_draws,
        )
        # A Space's accelerator is lent by the second; there somebody has to ask for it.
        self.scores_in_background = not services.identity.space
        self._clock = clock
        self._lock = self.pool.lock
        self._sessions: dict[str, Session] = {}

    # ------------------------------------------------------------------ the queue

    def queue(self) -> LabelQueue:
        """Return the queue over all clips known now."""
        return self.pool.queue()

    def choose_by(self, strategy: str) -> None:
        """Choose the coming clips in another way (for everybody at this page's server).

        Raises:
            StoreError: no such strategy.
        """
        self.pool.choose_by(strategy)

    def score_in_background(self, on: bool) -> None:
        """Let the model score clips that nobody was shown yet, or not."""
        self.scores_in_background = on
        if on:
            self.background.start()
        else:
            self.background.stop()

    def progress(self, who: Annotator) -> QueueProgress:
        """Return how far somebody is."""
        return self.queue().progress(who.name)

    # ------------------------------------------------------------------ showing

    def current(self, who: Annotator, session: str) -> DisplayedClip | None:
        """Return the clip that a page shows to somebody now; None = none."""
        known = self._sessions.get(session)
        shown = known.shown if known and known.annotator == who.name else None
        if shown is not None and shown.why == BROUGHT:
            waiting = self.services.handover.get(session)
            if waiting is None or waiting.sha256 != shown.sha:
                return None  # it was taken back on the tab that brought it
        return shown

    def answer_by(self, who: Annotator, session: str, model: str) -> None:
        """Let another model answer on a page from its next clip on; the queue's order stays."""
        self._session(who, session).model = model

    def open(self, who: Annotator, session: str, *, blind: bool) -> DisplayedClip | None:
        """Return the clip to show, the one already shown where there is one; None = none left.

        A clip that another tab brought comes first, once.

        Raises:
            GoneError: its file can't be read any more.
        """
        waiting = self.services.handover.get(session)
        seen = self._session(who, session).brought
        turn = self.services.handover.turn(session)
        if waiting is not None and turn not in seen:
            seen.add(turn)
            return self._show(who, session, waiting.sha256, waiting, BROUGHT, blind=blind)
        shown = self.current(who, session)
        if shown is None:
            return self.advance(who, session, blind=blind)
        return self._show(who, session, shown.sha, shown.source, shown.why, blind=blind)

    def advance(self, who: Annotator, session: str, *, blind: bool) -> DisplayedClip | None:
        """Go on to the next clip and begin to fetch the one after it; None = none left.

        Those who may not hear the clips kept here get none of them.
        """
        page = self._session(who, session)
        if page.practice:
            example = page.practice.pop(0)
            return self._show(who, session, example.sha256, example, PRACTICE, blind=blind)
        page.practice = None
        if self.round.standing(who, session) is not None:
            shown = self._ask_gold(who, session)
            if shown is not None:
                return shown
        while who.may_hear:
            ticket = self._next(who, session)
            if ticket is None:
                self._session(who, session).shown = None
                return None
            sha = ticket.candidate.clip
            try:
                why = self._session(who, session).chosen.pop(sha, ticket.why)
                shown = self._show(who, session, sha, self.pool.sources[sha], why, blind=blind)
            except GoneError:
                self.pool.drop(sha)
                self.queue().leases.release(sha, who.name, session)
                continue
            self._fetch_ahead(who, session, sha)
            return shown
        page.shown = None
        return None

    def _ask_gold(self, who: Annotator, session: str) -> DisplayedClip | None:
        """Show the next clip of the practice round; None where none of them can be shown."""
        page = self._session(who, session)
        self.queue()
        while found := self.round.next(who, self.pool.sources, page.missing, page.ahead):
            try:
                shown = self._show(who, session, *found, ROUND, blind=True)
            except GoneError:
                page.missing.add(found[0])
                continue

            def fetch(shown: str = found[0]) -> None:
                following = self.round.next(who, self.pool.sources, {*page.missing, shown})
                if following is not None:
                    page.ahead = following[0]
                    self.clips.fetch(*following, page.model)

            threading.Thread(target=fetch, daemon=True).start()
            return shown
        return None

    def _next(self, who: Annotator, session: str) -> QueueTicket | None:
        queue = self.queue()
        with self._lock:
            return queue.next(who.name, session)

    def _fetch_ahead(self, who: Annotator, session: str, shown: str) -> None:
        page = self._session(who, session)

        def fetch() -> None:
            queue = self.queue()
            with self._lock:
                # The page may be closed by now: what is taken for it then, nobody gives back.
                if self._sessions.get(session) is not page:
                    return
                ticket = queue.next(who.name, session, prefetched=[shown])
            if ticket is not None:
                sha = ticket.candidate.clip
                if ticket.why != "resumed":
                    page.chosen[sha] = ticket.why
                self.clips.fetch(sha, self.pool.sources[sha], page.model)
            self.pool.learn()

        threading.Thread(target=fetch, daemon=True).start()

    def _show(
        self, who: Annotator, session: str, sha: str, source: Source, why: str, *, blind: bool
    ) -> DisplayedClip:
        page = self._session(who, session)
        ready = self.clips.get(sha, source, page.model)
        view = self.services.store.clip(sha)
        name = (view.file_name if who.may_hear else "") or source.name
        before = page.shown if page.shown and page.shown.sha == sha else None
        note, blind = page.note, blind or why == ROUND
        if why == ROUND and note is None and (now := self.round.standing(who)) is not None:
            note = PracticeNote(now)
        mine = view.annotations.get(WHOLE, {}).get(who.name)
        shown = DisplayedClip(
            sha,
            view.head,
            replace(source, name=name),
            ready,
            visible=not blind or why == BROUGHT or bool(before and before.visible),
            blind=blind,
            why=why,
            mine=mine.emotion if mine else "",
            second=mine.second_emotion if mine else "",
            intensity=int(mine.intensity) if mine and mine.intensity else None,
            segments=labelled(view.annotations, who.name),
            started=before.started if before else self._clock(),
            practice=note,
        )
        page.shown = shown
        return shown

    def reopen(self, who: Annotator, session: str, sha: str, *, blind: bool) -> DisplayedClip:
        """Show a clip of one's last decisions again; to a visitor only what they brought.

        Raises:
            PageError: it is not among the clips here, or not for them.
            GoneError: its file can't be read any more.
        """
        if not who.may_hear:
            self._require_brought(who, sha)
            source = self._kept(sha)
        else:
            self.queue()
            source = self.pool.sources.get(sha) or self._kept(sha)
        if source is None:
            raise PageError("That clip is no longer in a corpus here, nor in the store.")
        shown = self._show(who, session, sha, source, "reopened", blind=blind)
        if not who.may_hear:
            return shown
        queue = self.queue()
        with queue.leases.exclusive() as table:
            table.release(sha, who.name, session)
            table.take(sha, who.name, session, self.pool.settings.lease_seconds)
        return shown

    def practise(self, who: Annotator, session: str, *, blind: bool) -> DisplayedClip:
        """Show the shipped examples one after the other; nothing is saved.

        Raises:
            PageError: no examples came with this studio.
        """
        catalogue = self.services.catalogue
        found = [
            Source("", path.name, path, sha256=catalogue.hash_of(Source("", path.name, path)))
            for path in example_files(self.services)
        ]
        if not found:
            raise PageError("This studio has no examples to practise with.")
        self._session(who, session).practice = found[1:]
        first = found[0]
        return self._show(who, session, first.sha256, first, PRACTICE, blind=blind)

    def end_practice(self, who: Annotator, session: str) -> None:
        """Go back to the queue, for instance because there are clips to label."""
        page = self._session(who, session)
        if page.practice is not None or (page.shown and page.shown.why == PRACTICE):
            page.practice = page.shown = None

    def practised(self, who: Annotator, session: str, choice: LabelDecision) -> str:
        """Return the prediction for the example that was just decided on, saving nothing.

        Raises:
            PageError: the key came for another clip.
        """
        shown = self.current(who, session)
        if shown is None or choice.ticket != shown.ticket:
            raise StaleDecisionError(STALE if choice.ticket else NO_CLIP)
        check_mixed(choice.second, choice.intensity)
        predicted = (shown.ready.prediction or {}).get("emotion") or "no emotion"
        if choice.action == "skip":
            chosen = say("skipped")
        else:
            first = predicted if choice.action == "confirm" else choice.emotion
            chosen = in_words(first, choice.second, choice.intensity)
        return say(PRACTISED, chosen=chosen, predicted=say(predicted))

    def _require_brought(self, who: Annotator, sha: str) -> None:
        store = self.services.store
        own = who.is_known and any(one.annotator == who.name for one in store.history(sha))
        if not own or store.clip(sha).corpus:
            require_hearing(who)

    def _kept(self, sha: str) -> Source | None:
        path = self.services.store.clip_path(sha)
        view = self.services.store.clip(sha)
        return Source(view.corpus, view.file_name, path, sha256=sha) if path else None

    def practice_note(self, who: Annotator, session: str) -> PracticeNote | None:
        """Return what is to be said of the answer that was just given in the practice round."""
        return self._session(who, session).note

    # ------------------------------------------------------------------ deciding

    def decide(self, who: Annotator, session: str, choice: LabelDecision) -> Saved:
        """Save what a key means for the clip on the page.

        Raises:
            PageError: the person may not, the key came too late, there is nothing to confirm.
            GoneError: the clip's file went away.
            StoreError: the store refused or the disk did not take it; nothing was saved.
        """
        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        with self._lock:
            page = self._session(who, session)
            shown = self.current(who, session)
            if shown is None or choice.ticket != shown.ticket:
                raise StaleDecisionError(STALE if choice.ticket else NO_CLIP)
            if shown.why == PRACTICE:
                raise PageError("This is practice, which is not saved.")
            if choice.action == "remove":
                return self._remove(who, session, shown, choice)
            _check_fits(shown, choice)
            event = self._event(who, session, shown, choice)
            if not who.may_write:
                self.services.suggestion_limits.take(
                    session, shown.sha, f"{event.emotion} {choice.segment or ''}",
                    seconds=shown.ready.seconds, size=len(shown.ready.data),
                )  # fmt: skip
            saved = self._saved(who, session, shown, choice, event)
            if choice.segment is None:
                asked = shown.why == ROUND and choice.action == "label"
                sound = shown.ready.sound or ""
                page.note = self.round.note(who, session, saved.event, sound) if asked else None
                page.shown = None
                self.services.handover.drop(session, shown.sha)
            return saved

    def _saved(
        self, who: Annotator, session: str, shown: DisplayedClip, choice: LabelDecision,
        event: LabelEvent,
    ) -> Saved:  # fmt: skip
        """Keep the clip and the event, and withdraw the segment whose edges it moved."""
        store = self.services.store
        if choice.action != "skip":
            store.keep_clip(shown.ready.data, shown.ready.suffix)
        with store.exclusive():
            saved = store.append(event, expect=self._expected(shown, who))
            if choice.replaces not in (None, choice.segment) and who.may_write:
                store.withdraw(who.name, shown.sha, *choice.replaces, session=session)
        return saved

    def _remove(
        self, who: Annotator, session: str, shown: DisplayedClip, choice: LabelDecision
    ) -> Saved:
        if choice.segment is None or not who.may_write:
            raise PageError(who.reason or "No segment is chosen, so there is nothing to remove.")
        found = self.services.store.withdraw(who.name, shown.sha, *choice.segment, session=session)
        return found[-1]

    def suggest(self, who: Annotator, session: str, ticket: str) -> list[Segment]:
        """Return segments to begin with: where somebody speaks, and what the model hears there.

        What overlaps with a segment that the annotator has labelled is left out; to those who
        label blind the emotions are not told.

        Raises:
            PageError: the key came for another clip, or its sound can't be read.
        """
        shown = self.current(who, session)
        if shown is None or ticket != shown.ticket:
            raise StaleDecisionError(STALE if ticket else NO_CLIP)
        found = suggested_segments(shown.ready)
        if shown.blind:
            found = [replace(one, emotion="") for one in found]
        return [one for one in found if not any(_overlap(one, done) for done in shown.segments)]

    def decide_ahead(
        self, who: Annotator, session: str, shown: DisplayedClip, choice: LabelDecision
    ) -> Saved:
        """Save a decision on a clip that no page of this server shows.

        Args:
            who: whose decision.
            session: what the event gives as its session.
            shown: the clip, at the revision that the decision was made on.
            choice: the decision.

        Raises:
            PageError: there is nothing to confirm, or the segment lies outside the clip.
            StoreError: the store refused or the disk did not take it; nothing was saved.
        """
        with self._lock:
            if choice.action == "remove":
                return self._remove(who, session, shown, choice)
            _check_fits(shown, choice)
            event = self._event(who, session, shown, choice)
            saved = self._saved(who, session, shown, choice, event)
            if choice.segment is not None:
                return saved
            for page in self._sessions.values():
                if page.annotator == who.name and page.shown and page.shown.sha == shown.sha:
                    page.shown = None
            return saved

    def _expected(self, shown: DisplayedClip, who: Annotator) -> str | None:
        """Return the revision to compare with.

        On a clip that several are to label, annotations made by others meanwhile do not conflict:
        they overwrite nothing, and to show them would make the annotations depend on each other.
        """
        if self.queue().annotations_needed(shown.sha) < 2:
            return shown.head
        history = self.services.store.history(shown.sha)
        ids = [event.event_id for event in history]
        news = history[ids.index(shown.head) + 1 if shown.head in ids else 0 :]
        annotations = {"label", "skip", "suggest"}
        if all(event.action in annotations and event.annotator != who.name for event in news):
            return self.services.store.head(shown.sha)
        return shown.head

    def _event(
        self, who: Annotator, session: str, shown: DisplayedClip, choice: LabelDecision
    ) -> LabelEvent:
        # The prediction is for the whole clip, so it is not stored with a segment.
        prediction = (shown.ready.prediction or {}) if choice.segment is None else {}
        if choice.action == "confirm":
            emotion = self._confirmed(shown)
        else:
            emotion = canonical(choice.emotion) if choice.action == "label" else ""
        skip = choice.action == "skip"
        if skip and not who.may_write:
            raise PageError("Only annotators who may write can skip. Choose an emotion instead.")
        check_mixed(choice.second, choice.intensity, emotion)
        spent = round((self._clock() - shown.started) * 1000)
        return LabelEvent(
            action="skip" if skip else "label" if who.may_write else "suggest",
            annotator=who.name,
            clip=shown.sha,
            session=session,
            file_name=_named(shown.source),
            corpus=shown.source.corpus,
            emotion=emotion,
            second_emotion="" if skip else choice.second,
            intensity=None if skip else choice.intensity,
            reason=(choice.reason or (IN_SEGMENTS if shown.segments else "")) if skip else "",
            certainty=None if skip else choice.certainty,
            note=choice.note,
            previous=shown.head or "",
            prediction=prediction.get("emotion") or "",
            probabilities=prediction.get("probabilities"),
            model_version=prediction.get("model", {}).get("version", ""),
            prediction_visible=shown.visible and bool(prediction),
            start=choice.segment[0] if choice.segment else None,
            end=choice.segment[1] if choice.segment else None,
            milliseconds=spent if choice.milliseconds is None else choice.milliseconds,
        )

    def _confirmed(self, shown: DisplayedClip) -> str:
        prediction = shown.ready.prediction
        if shown.blind:
            raise PageError(BLIND)
        if prediction is None or prediction["emotion"] is None:
            raise PageError(
                "The model gave no emotion to confirm. Choose an emotion, or skip the clip."
            )
        return str(prediction["emotion"])

    def undo(
        self, who: Annotator, session: str, *, blind: bool
    ) -> tuple[Saved, DisplayedClip | None]:
        """Take one's latest decision back and show its clip again.

        Once those of this session are taken back it goes on with earlier ones, but not with
        one that goes on elsewhere: nobody there would know.

        Raises:
            PageError: the person may not write.
            StoreError: there is nothing to undo, or the disk did not take it.
        """
        if not who.may_write:
            raise PageError(who.reason or "Only those who may write can undo.")
        store = self.services.store
        self._session(who, session).note = None
        try:
            saved = store.undo(who.name, session, actions=DECISIONS)
        except NothingToUndoError:
            with self._lock:
                elsewhere = set(self._sessions) - {session}
            saved = store.undo(who.name, actions=DECISIONS, spare=elsewhere, undo_session=session)
        try:
            return saved, self.reopen(who, session, saved.event.clip, blind=blind)
        except (PageError, GoneError):  # the undo stands; its clip has no sound to show any more
            return saved, self.open(who, session, blind=blind)

    # ------------------------------------------------------------------ sessions

    def leave(self, session: str) -> None:
        """Give back what a closed page held."""
        with self._lock:
            page = self._sessions.pop(session, None)
        if page is None:
            return
        with self.queue().leases.exclusive() as table:
            for lease in table.held(page.annotator, session):
                table.release(lease.clip, page.annotator, session)

    def _session(self, who: Annotator, session: str) -> Session:
        with self._lock:
            page = self._sessions.get(session)
            if page is None or page.annotator != who.name:
                page = self._sessions[session] = Session(who.name)
                while len(self._sessions) > SESSIONS:
                    self._sessions.pop(next(iter(self._sessions)))
            return page


def _check_fits(shown: DisplayedClip, choice: LabelDecision) -> None:
    """Refuse a label of what nobody can hear, and a segment without a label or outside the clip."""
    if choice.action != "skip" and not shown.ready.sound:
        raise PageError("This clip can't be played, so no label is taken. Skip it.")
    if choice.segment is not None:
        if choice.action != "label":
            raise PageError(NO_EMOTION)
        check_segment(choice.segment, shown.ready.seconds)


def _named(source: Source) -> str:
    """Return a name that the store takes: a path inside a corpus stays, anything else is tamed."""
    from label_store.names import problem

    return source.name if problem(source.name) is None else storable(source.name)


def _overlap(one: Segment, other: Segment) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > 0.5 * min(one.end - one.start, other.end - other.start)
