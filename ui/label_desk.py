"""What labelling does, without the page: which clip comes next, what a key means, what is saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from label_store.event import LabelEvent, Saved
from label_store.queue import Candidate, LabelQueue, Progress, QueueSettings
from label_store.queue import Ticket as QueueTicket
from ser_core.emotions import canonical
from ui.analysis import PageError, storable
from ui.corpus_catalogue import FIRST, Source
from ui.identity import Annotator
from ui.label_clip import GoneError, Ready, Shelf
from ui.label_opinions import Opinions
from ui.services import Services

SITTINGS = 500
"""Most sittings remembered; of more, the oldest has to load its clip again."""

STALE = "That key came for a clip that is no longer on the page. Nothing was saved for it."
BLIND = "The prediction is hidden, so there is nothing to confirm. Choose what you hear."
NOTHING_LEFT = "Nothing is left to label here."


@dataclass(frozen=True)
class Shown:
    """The clip before somebody's eyes.

    Attributes:
        sha: the clip.
        head: id of its latest change when it was shown; None = none.
        source: its name and place.
        ready: sound, picture, prediction.
        visible: whether the prediction was shown for it at any time.
        blind: whether it is hidden now.
        why: why it was chosen.
        mine: what the annotator said of it before, or "".
        started: the desk's clock when it was shown.
    """

    sha: str
    head: str | None
    source: Source
    ready: Ready
    visible: bool
    blind: bool
    why: str
    mine: str = ""
    started: float = 0.0

    @property
    def ticket(self) -> str:
        """Item and revision; a key press brings it back."""
        return f"{self.sha}:{self.head or ''}"


@dataclass(frozen=True)
class Choice:
    """What a key or a button asks for.

    Attributes:
        ticket: of the clip that was on the page.
        action: ``label``, ``confirm`` or ``skip``.
        emotion: for ``label``.
        certainty: 0..1 or None.
        note, reason: free text; why it is skipped.
        milliseconds: from the clip being shown to the key, as the page measured; None = unknown.
    """

    ticket: str
    action: str
    emotion: str = ""
    certainty: float | None = None
    note: str = ""
    reason: str = ""
    milliseconds: int | None = None


@dataclass
class _Sitting:
    """One open page."""

    annotator: str
    shown: Shown | None = None
    suggested: set[str] = field(default_factory=set)
    chosen: dict[str, str] = field(default_factory=dict)


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
        self._rng = rng
        self._clock = clock
        self._settings = QueueSettings(lease_seconds=lease_seconds)
        self._lock = threading.RLock()
        self._sittings: dict[str, _Sitting] = {}
        self._sources: dict[str, Source] = {}
        self._queue: LabelQueue | None = None
        self._counted: object = None

    # ------------------------------------------------------------------ the queue

    def queue(self) -> LabelQueue:
        """Return the queue over all clips known now; more come in as they are hashed."""
        catalogue = self.services.catalogue
        with self._lock:
            listing = catalogue.listing()
            stamp = (id(listing), self.services.store.clips.folder.exists())
            if self._queue is None or stamp != self._counted:
                self._counted = stamp
                order = self._rng.permutation(len(listing.sources))
                mixed = [listing.sources[place] for place in order.tolist()]
                self._take(catalogue.hashed(mixed, FIRST))
                if len(mixed) > FIRST:
                    threading.Thread(
                        target=lambda: self._take(catalogue.hashed(mixed)), daemon=True
                    ).start()
            if self._queue is None:
                self._take({})
            return self._queue  # type: ignore[return-value]

    def _take(self, found: dict[str, Source]) -> None:
        kept = {one.sha256: one for one in self.services.catalogue.kept() if one.path is not None}
        opinions = Opinions(self.services).all()
        with self._lock:
            self._sources = kept | found
            candidates = [
                Candidate(sha, one.name, one.corpus, one.emotion, opinions.get(sha))
                for sha, one in self._sources.items()
            ]
            if self._queue is None:
                store = self.services.store
                self._queue = LabelQueue(store, candidates, self._rng, self._settings)
            else:
                self._queue.replace(candidates)

    def choose_by(self, strategy: str) -> None:
        """Choose the coming clips in another way (for everybody at this page's server).

        Raises:
            StoreError: no such strategy.
        """
        queue = self.queue()
        with self._lock:
            self._settings = replace(self._settings, strategy=strategy)
            queue.settings = self._settings
            self._take({k: v for k, v in self._sources.items() if not v.sha256})

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
                shown = self._show(who, session, sha, self._sources[sha], why, blind=blind)
            except GoneError:
                self._sources.pop(sha, None)
                self._drop(sha, who, session)
                continue
            self._fetch_ahead(who, session, sha)
            return shown

    def _next(self, who: Annotator, session: str, ahead: str = "") -> QueueTicket | None:
        queue = self.queue()
        with self._lock:
            seen = self._sitting(who, session).suggested
            return queue.next(who.name, session, ahead=[*seen, *filter(None, [ahead])])

    def _fetch_ahead(self, who: Annotator, session: str, shown: str) -> None:
        def fetch() -> None:
            ticket = self._next(who, session, ahead=shown)
            if ticket is not None:
                sha = ticket.candidate.clip
                if ticket.why != "resumed":
                    self._sitting(who, session).chosen[sha] = ticket.why
                self.shelf.fetch(sha, self._sources[sha])

        threading.Thread(target=fetch, daemon=True).start()

    def _drop(self, sha: str, who: Annotator, session: str) -> None:
        queue = self.queue()
        with self._lock:
            queue.replace([one for one in queue.candidates if one.clip != sha])
        queue.leases.release(sha, who.name, session)

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
        source = self._sources.get(sha) or self._kept(sha)
        if source is None:
            raise PageError("That clip is no longer among the corpora here, nor in the store.")
        shown = self._show(who, session, sha, source, "reopened", blind=blind)
        queue = self.queue()
        with queue.leases.exclusive() as table:
            table.release(sha, who.name, session)
            table.take(sha, who.name, session, self._settings.lease_seconds)
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
                raise PageError(STALE)
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
        if int(shown.sha[:8], 16) / 2**32 >= self._settings.overlap:
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
        """Take the sitting's latest decision back and show its clip again.

        Raises:
            PageError: the person may not write.
            StoreError: there is nothing to undo, or the disk did not take it.
        """
        if not who.may_write:
            raise PageError(who.reason or "Only those who may write can undo.")
        saved = self.services.store.undo(who.name, session)
        try:
            return saved, self.reopen(who, session, saved.event.clip, blind=blind)
        except (PageError, GoneError):  # the undo stands; its clip has no sound to show any more
            return saved, self.open(who, session, blind=blind)

    # ------------------------------------------------------------------ sittings

    def leave(self, session: str) -> None:
        """Give back what a closed page held."""
        with self._lock:
            sitting = self._sittings.pop(session, None)
        if sitting is None or self._queue is None:
            return
        with self._queue.leases.exclusive() as table:
            for lease in table.held(sitting.annotator, session):
                table.release(lease.clip, sitting.annotator, session)

    def _sitting(self, who: Annotator, session: str) -> _Sitting:
        with self._lock:
            sitting = self._sittings.get(session)
            if sitting is None or sitting.annotator != who.name:
                sitting = self._sittings[session] = _Sitting(who.name)
                while len(self._sittings) > SITTINGS:
                    self._sittings.pop(next(iter(self._sittings)))
            return sitting


def _named(source: Source) -> str:
    """Return a name that the store takes: a path inside a corpus stays, anything else is tamed."""
    from label_store.names import problem

    return source.name if problem(source.name) is None else storable(source.name)
