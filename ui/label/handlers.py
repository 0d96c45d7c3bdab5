"""The listeners of the Label tab: who asks, what the page sent, and what is shown for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from label_store.errors import StoreError
from ser_core.errors import SerError
from ui import model_choice, page_html
from ui.calls import event_value
from ui.errors import GoneError, PageError
from ui.figures import in_readers_language
from ui.label import html
from ui.label.displayed import LabelDecision
from ui.label.outputs import ASK, PRACTISE, decided, opened, refused, steered, undone, view
from ui.label.references import reference
from ui.label.session import LabelSession
from ui.mixed import said_beside
from ui.page_html import counted
from ui.segments import Span, spans


def decider(
    labelling: LabelSession, action: str, emotion: str, why: str = ""
) -> Callable[..., Any]:
    """Return the listener of a key that decides: its action, its emotion, why it skips."""

    def decide(ticket: str, beside: str, certainty: float | None, note: str, reason: str | None,
               blind: bool, request: gr.Request) -> Any:  # fmt: skip
        who = labelling.services.identity.annotator(request)
        item, spent, segment, replaces = parsed(ticket)
        of_segment = action in {"label", "remove"}
        choice = LabelDecision(
            item, action, emotion, certainty, note or "", why or reason or "", spent,
            segment if of_segment else None, replaces if of_segment else None, *said_beside(beside),
        )  # fmt: skip
        return decided(labelling, who, request.session_hash or "", choice, blind=blind)

    return decide


def suggester(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that suggests segments where somebody speaks."""

    def suggest(ticket: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        try:
            found = labelling.suggest(who, request.session_hash or "", parsed(ticket)[0])
        except PageError as error:
            return gr.skip(), page_html.status(str(error), "refused")
        text = (
            f"{counted(len(found), 'segment')} suggested; each counts once you label it."
            if found
            else "No speech was found outside your segments."
        )
        return html.suggested(parsed(ticket)[0], found), page_html.status(text)

    return suggest


def undoer(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that takes the last decision back."""

    def undo(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        return undone(labelling, who, request.session_hash or "", blind=blind)

    return undo


def practiser(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that begins to practise."""

    def practise(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        try:
            shown = labelling.practise(who, request.session_hash or "", blind=blind)
        except (PageError, SerError) as error:
            return refused(str(error))
        return view(labelling, who, shown, page_html.status(PRACTISE))

    return practise


def starter(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that begins to label, and ends practice."""

    def start(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        labelling.end_practice(who, request.session_hash or "")
        return opened(labelling, who, request.session_hash or "", blind=blind)

    return start


def opener(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that opens the tab or looks at it again."""

    def open_(blind: bool, model: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        labelling.answer_by(who, request.session_hash or "", model)
        return (*opened(labelling, who, request.session_hash or "", blind=blind), blind)

    return open_


def switcher(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that answers by another model from now on."""

    def switch(blind: bool, event: gr.EventData, request: gr.Request) -> Any:
        who, page = labelling.services.identity.annotator(request), request.session_hash or ""
        labelling.answer_by(who, page, model_choice.chosen(event))
        if labelling.current(who, page) is None:  # the tab was not looked at yet
            return (gr.skip(),) * 7
        return opened(labelling, who, page, blind=blind)

    return switch


def reopener(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that opens a clip decided before."""

    def reopen(blind: bool, event: gr.EventData, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        if not (who.may_write or who.may_suggest):
            return refused(who.reason)
        try:
            clip = event_value(event)
            shown = labelling.reopen(who, request.session_hash or "", clip, blind=blind)
        except (PageError, GoneError, StoreError) as error:
            return refused(str(error))
        return view(labelling, who, shown, page_html.status(ASK))

    return reopen


def orderer(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that sorts the queue another way."""

    def reorder(strategy: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        text = "The queue is sorted that way from now on."
        return steered(labelling, who, request, lambda: labelling.choose_by(strategy), text)

    return reorder


def scorer(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that turns predictions in the background on or off."""

    def score(on: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        text = "The model predicts clips while nobody waits." if on else "It stops after this clip."
        return steered(labelling, who, request, lambda: labelling.score_in_background(on), text)

    return score


def referee(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that plays a reference for an emotion."""

    def refer(event: gr.EventData, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        shown = labelling.current(who, request.session_hash or "")
        if shown is None or shown.blind or not who.may_hear:
            return ""
        return reference(labelling, shown, event_value(event))

    return refer


def picturer(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that draws the clip on the page.

    A card is there at once; the browser draws its picture for as long again.
    """

    def picture(request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        shown = labelling.current(who, request.session_hash or "")
        if shown is None:
            return None
        return in_readers_language(shown.ready.plain if shown.blind else shown.ready.figure)

    return picture


def leaver(labelling: LabelSession) -> Callable[..., Any]:
    """Return the listener that gives back what a closed page held."""

    def leave(request: gr.Request) -> None:
        labelling.leave(request.session_hash or "")

    return leave


def parsed(ticket: str) -> tuple[str, int | None, Span | None, Span | None]:
    """Return the ticket, the milliseconds measured, the chosen segment and the one it replaces.

    >>> parsed("ab:cd|120"), parsed("ab:|")
    (('ab:cd', 120, None, None), ('ab:', None, None, None))
    >>> parsed("ab:cd|120|0.500|1.250")
    ('ab:cd', 120, (0.5, 1.25), None)
    """
    item, spent, *rest = [*(ticket or "").split("|"), *[""] * 5][:6]
    measured = min(int(spent), 86_400_000) if spent.isdecimal() and len(spent) < 12 else None
    return item, measured, *spans(rest)
