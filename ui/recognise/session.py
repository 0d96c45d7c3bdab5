"""What corrections on the Recognise tab do, without the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from label_store.errors import StoreError
from ui.analysis import CurrentClip, bytes_of, keep, storable
from ui.catalogue import Source
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say, translated
from ui.page_html import status
from ui.services import Services

OTHER_CLIP = "Another clip is on the page by now. Nothing was saved; choose again for this one."

SAVED = "Saved #{number}: {emotion}."
SUGGESTED = "Kept as a suggestion, #{number}: {emotion}."


@dataclass(frozen=True)
class Correction:
    """What came of a correction.

    Attributes:
        status: the line for the page, as HTML.
        emotion: the annotator's emotion for the clip that stands now; "" = none.
        undoable: whether it can be taken back on the page.
    """

    status: str
    emotion: str = ""
    undoable: bool = False


def correct(
    services: Services,
    held: CurrentClip | None,
    sha: str,
    emotion: str,
    who: Annotator,
    session: str,
) -> Correction:
    """Save an emotion for the clip on the page.

    Args:
        services: the store.
        held: the clip that was analysed last.
        sha: hash of the clip whose answer stood beside the button that was pressed.
        emotion: what the person hears.
        who: from ``Identity.annotator``, asked for this very request.
        session: the page's session.
    """
    if held is not None and sha != held.sha256:
        return Correction(status(say(OTHER_CLIP), "refused"), standing(services, held, who))
    try:
        saved = keep(services, held, emotion, who, session)
    except (PageError, StoreError) as error:
        return Correction(status(translated(str(error)), "refused"), standing(services, held, who))
    text = SAVED if who.may_write else SUGGESTED
    note = "" if who.may_write else f" {translated(who.reason)}"
    why = services.standing.sentence(saved.event.key) if who.may_write else ""
    line = status(say(text, number=saved.number, emotion=say(emotion)) + note + why, "done")
    return Correction(line, emotion, who.may_write)


def undo(services: Services, held: CurrentClip | None, who: Annotator, session: str) -> Correction:
    """Take back the latest emotion that was chosen on this page for the clip."""
    try:
        if held is None or not who.may_write:
            raise PageError(who.reason or "There is nothing to undo.")
        saved = services.store.undo(who.name, session, clip=held.sha256, actions={"label"})
    except (PageError, StoreError) as error:
        return Correction(status(translated(str(error)), "refused"), standing(services, held, who))
    return Correction(
        status(say("Saved #{number}: undone.", number=saved.number), "done"),
        standing(services, held, who),
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
