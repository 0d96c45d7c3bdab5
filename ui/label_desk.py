"""What labelling does, without the page: which clip comes next, what a key means, what is saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from label_store.errors import NothingToUndoError
from label_store.event import LabelEvent, Saved
from label_store.queue import LabelQueue, Progress, QueueSettings
from label_store.queue import Ticket as QueueTicket
from ser_core.emotions import canonical
from ui.analysis import PageError, storable
from ui.corpus_catalogue import Source
from ui.identity import Annotator
from ui.label_ahead import Ahead
from ui.label_clip import GoneError, Shelf
from ui.label_pool import Pool
from ui.label_shown import NO_CLIP, STALE, Choice, Shown, Sitting, StaleError
from ui.services import Services

DECISIONS = frozenset({"label", "skip"})
"""What U takes back."""

SITTINGS = 500
"""Most sittings remembered; of more, the oldest has to load its clip again."""

BLIND = "The prediction is hidden, so there is nothing to confirm. Choose what you hear."
NOTHING_LEFT = "Nothing is left to label here."


class Desk:
    """The labelling of one home: one queue, every sitting's clip, and the rules.

    Args:
        services: store, model, settings.
        rng: draws the queue's random share.
        clock: seconds, for how long a decision took.
        lease_seconds: how long a clip is kept from others.
        shelf: makes clips ready; one of its own by default.
    """

    def __init__(
        self,
        services: Services,
        rng: np.random.Generator,
        *,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = 600.0,
        shelf: Shelf | None = None,
    ) -> None:
        self.services = services
        self.shelf = shelf or Shelf(services)
        self.pool = Pool(services, rng, QueueSettings(lease_seconds=lease_seconds))
        self.ahead = Ahead(services, lambda: self.pool.sources)
        # A Space's accelerator is lent by the second; there somebody has to ask for it.
        self.listens = not services.identity.space
        self._clock = clock
        self._lock = self.pool.lock
        self._sittings: dict[str, Sitting] = {}

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

    def listen_ahead(self, on: bool) -> None:
        """Let the model listen to clips that nobody was shown yet, or not."""
        self.listens = on
        if on:
            self.ahead.start()
        else:
            self.ahead.stop()

    def progress(self, who: Annotator) -> Progress:
        """Return how far somebody is."""
        return self.queue().progress(who.name)

    # ------------------------------------------------------------------ showing

    def current(self, session: str) -> Shown | None:
        """Return the clip before a sitting's eyes."""
        sitting = self._sittings.get(session)
        return sitting.shown if sitting else None

    def open(self, who: Annotator, session: str, *, blind: bool) -> Shown | None:
        """Return the clip to show, the one already shown where there is one; None = none left."""
        shown = self.current(session)
        if shown is None or self._sitting(who, session).annotator != who.name:
            return self.advance(who, session, blind=blind)
        return self._show(who, session, shown.sha, shown.source, shown.why, blind=blind)

    def advance(self, who: Annotator, session: str, *, blind: bool) -> Shown | None:
        """Go on to the next clip and begin to fetch the one after it; None = none left."""
        while True:
            ticket = self._next(who, session)
            if ticket is None:
                self._sitting(who, session).shown = None
                return None
            sha = ticket.candidate.clip
            try:
                why = self._sitting(who, session).chosen.pop(sha, ticket.why)
                shown = self._show(who, session, sha, self.pool.sources[sha], why, blind=blind)
            except GoneError:
                self.pool.drop(sha)
                self.queue().leases.release(sha, who.name, session)
                continue
            self._fetch_ahead(who, session, sha)
            return shown

    def _next(self, who: Annotator, session: str) -> QueueTicket | None:
        queue = self.queue()
        with self._lock:
            return queue.next(who.name, session, ahead=self._sitting(who, session).suggested)

    def _fetch_ahead(self, who: Annotator, session: str, shown: str) -> None:
        sitting = self._sitting(who, session)

        def fetch() -> None:
            queue = self.queue()
            with self._lock:
                # The page may be closed by now: what is taken for it then, nobody gives back.
                if self._sittings.get(session) is not sitting:
                    return
                ticket = queue.next(who.name, session, ahead=[*sitting.suggested, shown])
            if ticket is not None:
                sha = ticket.candidate.clip
                if ticket.why != "resumed":
                    sitting.chosen[sha] = ticket.why
                self.shelf.fetch(sha, self.pool.sources[sha])
            self.pool.learn()

        threading.Thread(target=fetch, daemon=True).start()

    def _show(
        self, who: Annotator, session: str, sha: str, source: Source, why: str, *, blind: bool
    ) -> Shown:
        ready = self.shelf.get(sha, source)
        view = self.services.store.clip(sha)
        name = view.file_name or source.name
        sitting = self._sitting(who, session)
        before = sitting.shown if sitting.shown and sitting.shown.sha == sha else None
        shown = Shown(
            sha,
            view.head,
            replace(source, name=name),
            ready,
            visible=not blind or bool(before and before.visible),
            blind=blind,
            why=why,
            mine=view.whole().get(who.name, ""),
            started=before.started if before else self._clock(),
        )
        sitting.shown = shown
        return shown

    def reopen(self, who: Annotator, session: str, sha: str, *, blind: bool) -> Shown:
        """Show a clip of one's last decisions again.

        Raises:
            PageError: it is not among the clips here.
            GoneError: its file can't be read any more.
        """
        self.queue()
        source = self.pool.sources.get(sha) or self._kept(sha)
        if source is None:
            raise PageError("That clip is no longer among the corpora here, nor in the store.")
        shown = self._show(who, session, sha, source, "reopened", blind=blind)
        queue = self.queue()
        with queue.leases.exclusive() as table:
            table.release(sha, who.name, session)
            table.take(sha, who.name, session, self.pool.settings.lease_seconds)
        return shown

    def bring(self, who: Annotator, session: str, source: Source) -> Shown:
        """Show a clip that no corpus and no store has; only a label makes it stay.

        Raises:
            PageError: the person may not label.
            GoneError: its file can't be read.
        """
        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        self.queue()
        return self._show(who, session, source.sha256, source, "brought", blind=False)

    def put_away(self, session: str, sha: str) -> None:
        """Take a clip off a sitting's page without a word on it."""
        with self._lock:
            sitting = self._sittings.get(session)
            if sitting and sitting.shown and sitting.shown.sha == sha:
                sitting.shown = None

    def _kept(self, sha: str) -> Source | None:
        path = self.services.store.clip_path(sha)
        view = self.services.store.clip(sha)
        return Source(view.corpus, view.file_name, path, sha256=sha) if path else None

    # ------------------------------------------------------------------ deciding

    def decide(self, who: Annotator, session: str, choice: Choice) -> Saved:
        """Save what a key means for the clip on the page.

        Raises:
            PageError: the person may not, the key came too late, there is nothing to confirm.
            GoneError: the clip's file went away.
            StoreError: the store refused or the disk did not take it; nothing was saved.
        """
        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        with self._lock:
            sitting = self._sitting(who, session)
            shown = sitting.shown
            if shown is None or choice.ticket != shown.ticket:
                raise StaleError(STALE if choice.ticket else NO_CLIP)
            event = self._event(who, session, shown, choice)
            store = self.services.store
            if choice.action != "skip":
                store.keep_clip(shown.ready.data, shown.ready.suffix)
            saved = store.append(event, expect=self._expected(shown, who))
            sitting.shown = None
            if not who.may_write:
                sitting.suggested.add(shown.sha)
                self.queue().leases.release(shown.sha, who.name, session)
            return saved

    def _expected(self, shown: Shown, who: Annotator) -> str | None:
        """Return the revision to compare with.

        On a clip that several are to label, votes that others cast meanwhile are no conflict:
        they overwrite nothing, and to show them would make the votes depend on each other.
        """
        if self.queue().wanted(shown.sha) < 2:
            return shown.head
        history = self.services.store.history(shown.sha)
        ids = [event.event_id for event in history]
        news = history[ids.index(shown.head) + 1 if shown.head in ids else 0 :]
        votes = {"label", "skip", "suggest"}
        if all(event.action in votes and event.annotator != who.name for event in news):
            return self.services.store.head(shown.sha)
        return shown.head

    def _event(self, who: Annotator, session: str, shown: Shown, choice: Choice) -> LabelEvent:
        said = shown.ready.prediction or {}
        if choice.action == "confirm":
            emotion = self._confirmed(shown)
        else:
            emotion = canonical(choice.emotion) if choice.action == "label" else ""
        skip = choice.action == "skip"
        if skip and not who.may_write:
            raise PageError("Skips are kept for those who may write. Choose an emotion, or leave.")
        spent = round((self._clock() - shown.started) * 1000)
        return LabelEvent(
            action="skip" if skip else "label" if who.may_write else "suggest",
            annotator=who.name,
            clip=shown.sha,
            session=session,
            file_name=_named(shown.source),
            corpus=shown.source.corpus,
            emotion=emotion,
            reason=choice.reason if skip else "",
            certainty=None if skip else choice.certainty,
            note=choice.note,
            previous=shown.head or "",
            prediction=said.get("emotion") or "",
            probabilities=said.get("probabilities"),
            model_version=said.get("model", {}).get("version", ""),
            prediction_visible=shown.visible and bool(said),
            milliseconds=spent if choice.milliseconds is None else choice.milliseconds,
        )

    def _confirmed(self, shown: Shown) -> str:
        said = shown.ready.prediction
        if shown.blind:
            raise PageError(BLIND)
        if said is None or said["emotion"] is None:
            raise PageError("The model gave no emotion to confirm. Choose what you hear, or skip.")
        return str(said["emotion"])

    def undo(self, who: Annotator, session: str, *, blind: bool) -> tuple[Saved, Shown | None]:
        """Take one's latest decision back and show its clip again.

        Once those of this sitting are taken back it goes on with earlier sittings, but not with
        one that goes on elsewhere: nobody there would know.

        Raises:
            PageError: the person may not write.
            StoreError: there is nothing to undo, or the disk did not take it.
        """
        if not who.may_write:
            raise PageError(who.reason or "Only those who may write can undo.")
        store = self.services.store
        try:
            saved = store.undo(who.name, session, actions=DECISIONS)
        except NothingToUndoError:
            with self._lock:
                elsewhere = set(self._sittings) - {session}
            saved = store.undo(who.name, actions=DECISIONS, spare=elsewhere, sitting=session)
        try:
            return saved, self.reopen(who, session, saved.event.clip, blind=blind)
        except (PageError, GoneError):  # the undo stands; its clip has no sound to show any more
            return saved, self.open(who, session, blind=blind)

    # ------------------------------------------------------------------ sittings

    def leave(self, session: str) -> None:
        """Give back what a closed page held."""
        with self._lock:
            sitting = self._sittings.pop(session, None)
        if sitting is None:
            return
        with self.queue().leases.exclusive() as table:
            for lease in table.held(sitting.annotator, session):
                table.release(lease.clip, sitting.annotator, session)

    def _sitting(self, who: Annotator, session: str) -> Sitting:
        with self._lock:
            sitting = self._sittings.get(session)
            if sitting is None or sitting.annotator != who.name:
                sitting = self._sittings[session] = Sitting(who.name)
                while len(self._sittings) > SITTINGS:
                    self._sittings.pop(next(iter(self._sittings)))
            return sitting


def _named(source: Source) -> str:
    """Return a name that the store takes: a path inside a corpus stays, anything else is tamed."""
    from label_store.names import problem

    return source.name if problem(source.name) is None else storable(source.name)
