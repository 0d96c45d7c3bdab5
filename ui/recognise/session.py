"""What corrections on the Recognise tab do, without the page."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, replace
from pathlib import Path

from label_store.errors import StoreError
from label_store.event import Saved
from ui import segments
from ui.analysis import CurrentClip, bytes_of, keep, storable
from ui.catalogue import Source
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say, translated
from ui.page_html import status
from ui.segments import MOVED, REMOVED, Segment, Span
from ui.services import Services

OTHER_CLIP = "Another clip is on the page by now. Nothing was saved; choose again for this one."
CHANGED = (
    "The segment that you moved was changed elsewhere in the meantime. Nothing was saved; listen "
    "again, then choose."
)
NOTHING_CHOSEN = "No segment is chosen, so there is nothing to remove."

SAVED = "Saved #{number}: {emotion}."
SUGGESTED = "Kept as a suggestion, #{number}: {emotion}."
SUGGESTED_SEGMENT = "Kept as a suggestion, #{number}: {emotion}, {start}–{end} s."
UNDONE = "Saved #{number}: undone."


@dataclass(frozen=True)
class Correction:
    """What came of a correction.

    Attributes:
        status: the line for the page, as HTML.
        emotion: the annotator's emotion for the whole clip that stands now; "" = none.
        undoable: whether there is something that can be taken back on the page.
        segments: what the annotator labelled of the clip but the whole, in order of time.
    """

    status: str
    emotion: str = ""
    undoable: bool = False
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What a press is for, as the page says it at that very press.

    Attributes:
        sha: hash of the clip whose answer stood beside the button, or on which the segment lies.
        segment: start and end in seconds of the segment that was chosen; None = the whole clip.
        replaces: the labelled segment whose edges were moved to make it; None = none.
    """

    sha: str
    segment: Span | None = None
    replaces: Span | None = None

    @classmethod
    def of(cls, ticket: str) -> Chosen:
        """Read it as recognise/segments.js writes it.

        >>> Chosen.of("ab"), Chosen.of("ab|0.500|1.250").segment
        (Chosen(sha='ab', segment=None, replaces=None), (0.5, 1.25))
        """
        sha, *rest = [*(ticket or "").split("|"), *[""] * 4][:5]
        return cls(sha, *segments.spans(rest))


def correct(
    services: Services,
    held: CurrentClip | None,
    chosen: Chosen,
    emotion: str,
    who: Annotator,
    session: str,
) -> Correction:
    """Save an emotion for the clip on the page, or for the segment of it that was chosen.

    Args:
        services: the store.
        held: the clip that was analysed last.
        chosen: what the button was pressed for.
        emotion: what the person hears.
        who: from ``Identity.annotator``, asked for this very request.
        session: the page's session.
    """
    try:
        saved = _saved(services, held, chosen, emotion, who, session)
    except (PageError, StoreError) as error:
        return _refused(services, held, who, session, error)
    note = "" if who.may_write else f" {translated(who.reason)}"
    why = services.standing.sentence(saved.event.key) if who.may_write else ""
    text = _told(saved, say(emotion), chosen.segment)
    found = _now(services, held, who, session, status(text + note + why, "done"))
    return found if chosen.segment else replace(found, emotion=emotion)


def _saved(
    services: Services,
    held: CurrentClip | None,
    chosen: Chosen,
    emotion: str,
    who: Annotator,
    session: str,
) -> Saved:
    _require(held, chosen)
    if held is None or chosen.segment is None:
        return keep(services, held, emotion, who, session)
    segments.check_segment(chosen.segment, held.prediction.get("seconds", 0.0))
    if not who.may_write:
        return keep(services, held, emotion, who, session, chosen.segment)
    with services.store.exclusive():
        standing = {one.span for one in labelled_segments(services, held, who, session)}
        moved = chosen.replaces not in (None, chosen.segment)
        if moved and not standing & {chosen.replaces, chosen.segment}:
            raise PageError(CHANGED)
        saved = keep(services, held, emotion, who, session, chosen.segment)
        if moved and chosen.replaces in standing:
            services.store.withdraw(
                who.name, held.sha256, *chosen.replaces, session=session, reason=MOVED
            )
    return saved


def _told(saved: Saved, emotion: str, segment: Span | None) -> str:
    suggested = saved.event.action == "suggest"
    if segment is None:
        return say(SUGGESTED if suggested else SAVED, number=saved.number, emotion=emotion)
    if not suggested:
        return segments.sentence(saved, emotion, segment)
    start, end = (f"{seconds:.2f}" for seconds in segment)
    return say(SUGGESTED_SEGMENT, number=saved.number, emotion=emotion, start=start, end=end)


def remove(
    services: Services,
    held: CurrentClip | None,
    chosen: Chosen,
    who: Annotator,
    session: str,
) -> Correction:
    """Take away the labelled segment that was chosen; the arguments are those of `correct`."""
    try:
        if not who.may_write:
            raise PageError(who.reason)
        _require(held, chosen)
        if held is None or chosen.segment is None:
            raise PageError(NOTHING_CHOSEN)
        gone = services.store.withdraw(
            who.name, held.sha256, *chosen.segment, session=session, reason=REMOVED
        )
    except (PageError, StoreError) as error:
        return _refused(services, held, who, session, error)
    text = segments.sentence(gone[-1], say("removed"), chosen.segment)
    return _now(services, held, who, session, status(text, "done"))


def undo(services: Services, held: CurrentClip | None, who: Annotator, session: str) -> Correction:
    """Take back the latest act on this page for the clip: a label, a move, a removal."""
    try:
        if held is None or not who.may_write:
            raise PageError(who.reason or "There is nothing to undo.")
        found = segments.take_back(services.store, who.name, held.sha256, session)
    except (PageError, StoreError) as error:
        return _refused(services, held, who, session, error)
    parts = [say(UNDONE, number=found.undone.number)] if found.undone else []
    if found.restored is not None:
        event = found.restored.event
        span = None if event.start is None or event.end is None else (event.start, event.end)
        parts.append(_told(found.restored, say(event.emotion), span))
    return _now(services, held, who, session, status(" ".join(parts), "done"))


def opened(services: Services, held: CurrentClip, who: Annotator, session: str) -> Correction:
    """Return what stands of a clip whose answer has just come, with no word on what was saved."""
    found = _now(services, held, who, session, "")
    return Correction("", undoable=found.undoable, segments=found.segments)


def _require(held: CurrentClip | None, chosen: Chosen) -> None:
    if held is not None and chosen.sha != held.sha256:
        raise PageError(OTHER_CLIP)


def _refused(
    services: Services,
    held: CurrentClip | None,
    who: Annotator,
    session: str,
    error: PageError | StoreError,
) -> Correction:
    return _now(services, held, who, session, status(translated(str(error)), "refused"))


def _now(
    services: Services, held: CurrentClip | None, who: Annotator, session: str, line: str
) -> Correction:
    if held is None:
        return Correction(line)
    store = services.store
    undoable = who.may_write and segments.can_take_back(store, who.name, held.sha256, session)
    return Correction(
        line,
        standing(services, held, who),
        undoable,
        labelled_segments(services, held, who, session),
    )


def labelled_segments(
    services: Services, held: CurrentClip, who: Annotator, session: str
) -> tuple[Segment, ...]:
    """Return the segments of a clip that somebody labelled, or suggested on this page."""
    if not who.may_write:
        return segments.suggested(services.store, held.sha256, session)
    return segments.labelled(services.store.clip(held.sha256).annotations, who.name)


def segments_html(services: Services, held: CurrentClip | None, found: tuple[Segment, ...]) -> str:
    """Return what segments.js reads: the clip, its length and outline, and its segments.

    Args:
        services: the store, which says how often the clip was labelled.
        held: the clip on the page.
        found: its segments.
    """
    if held is None:
        return ""
    revision = services.store.clip(held.sha256).revision
    outline = base64.b64encode(held.outline).decode()
    return (
        f'<div class="segments" data-ticket="{held.sha256}:{revision}" '
        f'data-seconds="{held.prediction.get("seconds", 0.0):.3f}" data-outline="{outline}" '
        f'data-turn="{time.monotonic_ns()}" data-segments="{segments.as_attribute(found)}"></div>'
    )


def send_to_label(
    services: Services, held: CurrentClip | None, who: Annotator, session: str
) -> None:
    """Let the clip on the page be the next on its Label tab, where its parts can be labelled.

    Args:
        services: the handover.
        held: the clip that was analysed last.
        who: from ``Identity.annotator``, asked for this very request.
        session: the page's session.

    Raises:
        PageError: there is no clip, it has gone, or the person may not label.
    """
    if not (who.may_write or who.may_suggest):
        raise PageError(who.reason)
    if held is None:
        raise PageError("There is no clip to label yet. Upload or record one first.")
    bytes_of(held)  # it is still there, and the same
    source = Source("", storable(held.name), Path(held.path), sha256=held.sha256)
    services.handover.put(session, source)


def standing(services: Services, held: CurrentClip | None, who: Annotator) -> str:
    """Return the annotator's emotion for a clip as the store has it now, "" for none."""
    if held is None:
        return ""
    return services.store.clip(held.sha256).whole().get(who.name, "")
