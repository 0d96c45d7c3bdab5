"""What the page shows after each act on the Label tab: the tab's outputs, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from label_store.errors import ConflictError, StoreError
from label_store.event import Saved
from ui import page_html
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.label import html
from ui.label.displayed import DisplayedClip, LabelDecision, StaleDecisionError
from ui.label.references import reference_emotions
from ui.label.session import NOTHING_LEFT, PRACTICE, LabelSession
from ui.language import say
from ui.mixed import in_words, undone_in_words
from ui.segments import sentence

ASK = "Listen, then press the digit of the emotion you hear."
PRACTISE = "Practice: choose the emotion you hear. Nothing is saved."
NOTHING = "There is no clip to label now."
CHANGED = (
    "Somebody changed this clip in the meantime. Nothing was saved; listen again, then decide."
)
SAVED = "Saved #{number}: {emotion}."
KEPT = "Kept as a suggestion, #{number}: {emotion}."


def view(
    labelling: LabelSession, who: Annotator, shown: DisplayedClip | None, status: str
) -> tuple[Any, ...]:
    """Return all outputs for a clip, or for none left."""
    beside = side(labelling, who, shown)
    cleared = (None, "", None)
    if shown is None and not who.may_hear:
        return (html.FOR_THOSE_WHO_LABEL, status, beside, "", *cleared)
    if shown is None:
        empty = labelling.queue().progress(who.name).total == 0
        text = html.EMPTY if empty else done_card()
        return (text, status, beside, "", *cleared)
    choice = html.references(reference_emotions(labelling, shown))
    return (html.card(shown, who), status, beside, choice, *cleared)


def done_card() -> str:
    """Return what stands there when nothing is left."""
    return f'<div class="welcome"><h2>{NOTHING_LEFT}</h2>Thank you. Press <b>Refresh the queue</b> to look for new clips; you can still reopen your last decisions.</div>'  # noqa: E501


def side(labelling: LabelSession, who: Annotator, shown: DisplayedClip | None = None) -> str:
    """Return progress, what the order knows, and the last ten decisions, of any session.

    Whoever may not hear the clips here sees their own decisions alone, and an unknown visitor
    nothing: all of those share one name.
    """
    if not (who.may_hear or who.is_known):
        return ""
    state = labelling.services.store.state()
    recent = []
    for entry in reversed(state.entries):
        mine = entry.annotator == who.name and entry.action in {"label", "skip", "suggest"}
        if mine and entry.clip and entry.event_id not in state.undone:
            recent.append(entry)
        if len(recent) == 10:
            break
    names = {entry.clip: state.clip(entry.clip).file_name for entry in recent}
    if shown is not None and shown.blind:
        names[shown.sha] = "the clip before you"
    if not who.may_hear:
        return html.decisions(recent, names)
    known = html.known(labelling.pool.known(), scoring=labelling.background.running)
    return html.aside(labelling.progress(who), recent, names, known)


def refused(text: str) -> tuple[Any, ...]:
    """Return outputs that leave the clip where it is and say why."""
    return (gr.skip(), page_html.status(text, "refused"), *[gr.skip()] * 5)


def decided(
    labelling: LabelSession, who: Annotator, session: str, choice: LabelDecision, *, blind: bool
) -> tuple[Any, ...]:
    """Save a decision and return what the page shows next."""
    before = labelling.current(who, session)
    if before is not None and before.why == PRACTICE:
        return practised(labelling, who, session, choice, blind=blind)
    try:
        saved = labelling.decide(who, session, choice)
    except (ConflictError, StaleDecisionError) as error:
        hidden = isinstance(error, ConflictError) and before is not None and before.blind
        text = CHANGED if hidden else str(error)
        return view(
            labelling,
            who,
            labelling.open(who, session, blind=blind),
            page_html.status(text, "refused"),
        )
    except (GoneError, PageError, StoreError) as error:
        return refused(str(error))
    if choice.segment is not None:
        shown = labelling.open(who, session, blind=blind)
        reveal = ""
    else:
        known = before is not None and before.sha == saved.event.clip
        reveal = before.reveal() if before is not None and known else ""
        note = labelling.practice_note(who, session)
        shown = labelling.advance(who, session, blind=blind)
        if note is not None:
            text = f"{_told(saved, choice)} {note.sentences()}"
            return view(labelling, who, shown, page_html.status(text, "done"))
    text = f"{_told(saved, choice)}{reveal}{_why_not(labelling, saved)}"
    return view(labelling, who, shown, page_html.status(text, "done"))


def _told(saved: Saved, choice: LabelDecision) -> str:
    """Return what was saved, as a sentence in the reader's language."""
    event, number = saved.event, saved.number
    what = in_words(event.emotion, event.second_emotion, event.intensity)
    if choice.segment is not None:
        return sentence(saved, what or say("removed"), choice.segment)
    if not what:
        return say("Saved #{number}: skipped.", number=number)
    return say(KEPT if event.action == "suggest" else SAVED, number=number, emotion=what)


def _why_not(labelling: LabelSession, saved: Saved) -> str:
    """Return why the label that was just saved will not train, "" where it will."""
    if saved.event.action != "label":
        return ""
    return labelling.services.standing.sentence(saved.event.key)


def practised(
    labelling: LabelSession, who: Annotator, session: str, choice: LabelDecision, *, blind: bool
) -> tuple[Any, ...]:
    """Give the prediction for an example, save nothing, and show the next."""
    try:
        text = labelling.practised(who, session, choice)
    except PageError as error:
        return refused(str(error))
    shown = labelling.advance(who, session, blind=blind)
    if shown is None or shown.why != PRACTICE:
        text += " " + say("That was the last example.")
    return view(labelling, who, shown, page_html.status(text, "done"))


def opened(
    labelling: LabelSession, who: Annotator, session: str, *, blind: bool
) -> tuple[Any, ...]:
    """Return what the page shows when the tab is opened, or looked at again."""
    before = labelling.current(who, session)
    try:
        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        if who.may_write and labelling.scores_in_background:
            labelling.score_in_background(True)
        shown = labelling.open(who, session, blind=blind)
    except (PageError, GoneError, StoreError) as error:
        text = refused(str(error))
        return text if before is not None else (html.SHUT, *text[1:])
    # What the page says of a key that overtook this is not wiped away.
    same = before is not None and shown is not None and shown.sha == before.sha
    ask = ASK if shown is not None else NOTHING
    return view(labelling, who, shown, gr.skip() if same else page_html.status(who.reason or ask))


def undone(
    labelling: LabelSession, who: Annotator, session: str, *, blind: bool
) -> tuple[Any, ...]:
    """Undo and return the outputs."""
    try:
        saved, shown = labelling.undo(who, session, blind=blind)
    except (PageError, StoreError) as error:
        return refused(str(error))
    name = shown.title if shown is not None and shown.blind else saved.event.file_name
    before = labelling.services.store.state().by_id.get(saved.event.target)
    text = undone_in_words(saved, name or "the clip", before)
    return view(labelling, who, shown, page_html.status(text, "done"))


def steered(
    labelling: LabelSession,
    who: Annotator,
    request: gr.Request,
    change: Callable[[], None],
    text: str,
) -> tuple[Any, Any]:
    """Change how the queue works, for those who may; return the status line and what is beside."""
    try:
        if not who.may_write:
            raise PageError(who.reason or "Only annotators who may write can change this.")
        change()
    except (PageError, StoreError) as error:
        return page_html.status(str(error), "refused"), gr.skip()
    shown = labelling.current(who, request.session_hash or "")
    return page_html.status(text, "done"), side(labelling, who, shown)
