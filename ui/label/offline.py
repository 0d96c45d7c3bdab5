"""Labelling through a lost connection: clips ahead, decisions that come later, each once."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from label_store.errors import ConflictError, NothingToUndoError, StoreError
from label_store.event import LabelEvent
from ser_core.emotions import EMOTIONS
from ui.catalogue import Source
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.label import html
from ui.label.displayed import CANNOT_TELL, DisplayedClip, LabelDecision
from ui.label.session import LabelSession
from ui.language import say, translated
from ui.segments import Span, labelled

AHEAD = 50
"""Clips that a page may hold ahead."""

AT_ONCE = 3
"""Clips that are made ready for one request, so that nobody's next clip waits long behind them."""

MOST_SENT = 20
"""Decisions taken in one request."""

IDENTITY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ACTIONS = ("label", "skip", "remove")
MOST_NOTE = 2000
"""Characters of a note or a reason, as many as their fields take."""

MALFORMED = "A decision that was made without a connection can't be read. It was not saved."
CHANGED = "Somebody changed {name} meanwhile. Your “{emotion}” was not saved: listen again."
GONE = "{name} is no longer among the clips here. Your “{emotion}” was not saved."


@dataclass(frozen=True)
class _Sent:
    """A decision as a page kept it: its own id, for the clip and revision that it was made on."""

    identity: str
    sha: str
    head: str | None
    choice: LabelDecision
    blind: bool


class OfflineLabels:
    """What pages without a connection need before it is lost, and bring once it is back.

    Args:
        labelling: the labelling of this home.
    """

    def __init__(self, labelling: LabelSession) -> None:
        self._labelling = labelling
        self._lock = threading.Lock()

    def ahead(self, who: Annotator, have: Sequence[str], *, blind: bool) -> list[dict[str, str]]:
        """Return a few of the clips that come next, as cards with their sound.

        Nobody else waits for them: they are not held, so that of two who decide on the same clip
        the later one is told.

        Args:
            who: for whom.
            have: clips that the page holds already, the one before their eyes included.
            blind: whether names and predictions are hidden.
        """
        if not (who.may_write and who.may_hear) or len(have) > AHEAD:
            return []
        labelling = self._labelling
        if labelling.round.standing(who) is not None:
            return []  # each answer of the practice round is followed by its feedback
        most = min(AT_ONCE, AHEAD + 1 - len(have))
        found = []
        for candidate in labelling.queue().coming(who.name, most, but=have):
            try:
                shown = self._shown(who, candidate.clip, blind=blind)
            except (GoneError, PageError):  # it drops out of the queue when its turn comes
                continue
            found.append({"clip": shown.sha, "card": html.card(shown, who)})
        return found

    def take(self, who: Annotator, sent: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Save decisions that were made without a connection; each counts once.

        Args:
            who: whose they are.
            sent: what the page kept of each, oldest first.

        Returns:
            For each its ``id``, a ``status`` (``saved``, ``known``: it was saved before,
            ``conflict``, ``refused``, ``other``: it is somebody else's who used this browser
            before) and a sentence for the page.
        """
        return [self._taken(who, one) for one in sent[:MOST_SENT]]

    def _taken(self, who: Annotator, sent: Mapping[str, Any]) -> dict[str, Any]:
        identity = str(sent.get("id", ""))
        if sent.get("who", who.tag) != who.tag:
            return _result(identity, "other", "")
        try:
            if not who.may_write:
                raise PageError(who.reason)
            decision = _read(sent)
            with self._lock:
                history = self._labelling.services.store.history(decision.sha)
                if self._known(who, decision, history):
                    return _result(identity, "known", "")
                head = _after_own_segments(who, decision.head, history)
                shown = self._shown(who, decision.sha, head=head, blind=decision.blind)
                saved = self._labelling.decide_ahead(who, identity, shown, decision.choice)
        except NothingToUndoError:
            return _result(identity, "known", "")
        except ConflictError:
            return _result(identity, "conflict", self._sentence(CHANGED, sent))
        except GoneError:
            return _result(identity, "refused", self._sentence(GONE, sent))
        except (PageError, StoreError) as error:
            return _result(identity, "refused", translated(str(error)))
        return _result(identity, "saved", f"#{saved.number}")

    def _known(self, who: Annotator, sent: _Sent, history: Sequence[LabelEvent]) -> bool:
        """Say whether a decision was saved already, by this way or by the page's usual one.

        The usual one may have reached the store while its answer was lost.
        """
        if any(event.session == sent.identity for event in history):
            return True
        undone, choice = self._labelling.services.store.state().undone, sent.choice
        mine = [
            event
            for event in _since(sent.head, history)
            if event.annotator == who.name
            and event.event_id not in undone
            and event.action in ACTIONS
            and _span(event) == choice.segment
        ]
        return bool(mine) and (
            mine[-1].action, mine[-1].emotion, mine[-1].second_emotion, mine[-1].intensity
        ) == (choice.action, choice.emotion, choice.second, choice.intensity)  # fmt: skip

    def _shown(
        self, who: Annotator, sha: str, *, head: str | None = None, blind: bool
    ) -> DisplayedClip:
        labelling = self._labelling
        source = self._source(sha)
        if source is None:
            raise GoneError(sha)
        view = labelling.services.store.clip(sha)
        ready = labelling.clips.get_undrawn(sha, source)
        head = view.head if head is None else head or None
        return DisplayedClip(
            sha, head, source, ready, visible=not blind, blind=blind, why="waiting",
            segments=labelled(view.annotations, who.name),
        )  # fmt: skip

    def _source(self, sha: str) -> Source | None:
        self._labelling.queue()
        return self._labelling.pool.sources.get(sha)

    def _sentence(self, text: str, sent: Mapping[str, Any]) -> str:
        source = self._source(str(sent.get("ticket", "")).partition(":")[0])
        removes = sent.get("action") == "remove"
        emotion = "Remove segment" if removes else str(sent.get("emotion", "")) or "skip"
        return say(text, name=source.name if source else say("A clip"), emotion=say(emotion))


def _read(sent: Mapping[str, Any]) -> _Sent:
    sha, _, head = str(sent.get("ticket", "")).partition(":")
    action, emotion = str(sent.get("action")), str(sent.get("emotion", ""))
    identity, labels = str(sent.get("id", "")), action == "label"
    segment, replaces = _read_span(sent.get("segment")), _read_span(sent.get("replaces"))
    sensible = action in ACTIONS and (emotion in EMOTIONS or not labels)
    sensible = sensible and (segment is not None or action != "remove")
    if not (sensible and IDENTITY.fullmatch(identity) and re.fullmatch(r"[0-9a-f]{64}", sha)):
        raise PageError(say(MALFORMED))
    spent, certainty = sent.get("milliseconds"), sent.get("certainty")
    reason = CANNOT_TELL if sent.get("unclear") else str(sent.get("reason") or "")
    choice = LabelDecision(
        ticket=f"{sha}:{head}",
        action=action,
        emotion=emotion if labels else "",
        certainty=certainty if labels and isinstance(certainty, int | float) else None,
        note=str(sent.get("note") or "")[:MOST_NOTE],
        reason=reason[:MOST_NOTE] if action == "skip" else "",
        second=str(sent.get("second", "")) if labels else "",
        intensity=(sent.get("intensity") or None) if labels else None,
        segment=segment if action != "skip" else None,
        replaces=replaces if labels else None,
        milliseconds=min(spent, 86_400_000) if isinstance(spent, int) and spent >= 0 else None,
    )
    return _Sent(identity, sha, head, choice, bool(sent.get("blind")))


def _read_span(given: object) -> Span | None:
    match given:
        case None:
            return None
        case [int() | float() as start, int() | float() as end]:
            return float(start), float(end)
    raise PageError(say(MALFORMED))


def _span(event: LabelEvent) -> Span | None:
    return (event.start, event.end) if event.start is not None and event.end is not None else None


def _since(head: str | None, history: Sequence[LabelEvent]) -> Sequence[LabelEvent]:
    """Return what happened to a clip after a revision of it."""
    ids = [event.event_id for event in history]
    return history[ids.index(head) + 1 if head in ids else 0 :]


def _after_own_segments(
    who: Annotator, head: str | None, history: Sequence[LabelEvent]
) -> str | None:
    """Return the revision behind one's own segments: they overwrite nothing of the clip.

    Args:
        who: whose decision.
        head: the revision that it was made on; "" = that of an untouched clip.
        history: the clip's events.
    """
    segments = {event.event_id for event in history if event.start is not None}
    for event in _since(head, history):
        if event.annotator != who.name or not {event.event_id, event.target} & segments:
            break
        head = event.event_id
    return head


def _result(identity: str, status: str, message: str) -> dict[str, Any]:
    return {"id": identity, "status": status, "message": message}
