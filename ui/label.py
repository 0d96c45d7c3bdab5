"""Label: hear a clip, press one key, the next one is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from label_store.errors import ConflictError, StoreError
from ser_core.emotions import EMOTIONS
from ui import label_parts, parts
from ui.analysis import PageError
from ui.identity import Annotator
from ui.label_clip import GoneError
from ui.label_desk import NOTHING_LEFT, Desk
from ui.label_references import reference, reference_emotions
from ui.label_shown import Choice, Shown, StaleError
from ui.services import Services
from ui.theme import key_class

ASK = "Listen, then press the digit of the emotion you hear."
NOTHING = "There is no clip to label now."
CHANGED = "Somebody changed this clip meanwhile. Nothing was saved; listen again, then decide."
REASONS = ("no speech", "several speakers", "too noisy", "can't decide", "private", "other")
WITH_TICKET = "(_, ...rest) => [window.serLabel.ticket(), ...rest]"
"""Brings the ticket of the clip that is on the page at this very key press."""

WRITES: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "write",
    "trigger_mode": "multiple",
    "show_progress": "hidden",
}
READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
SELECT = (
    "element.addEventListener('click', (event) => {"
    "const found = event.target.closest('button[data-reopen], button[data-emotion]');"
    "if (found) trigger('select', {value: found.dataset.reopen || found.dataset.emotion});})"
)


@dataclass(frozen=True)
class Parts:
    """The tab's components that change."""

    card: gr.HTML
    plot: gr.Plot
    status: gr.HTML
    aside: gr.HTML
    references: gr.HTML
    certainty: gr.Radio
    note: gr.Textbox
    reason: gr.Dropdown

    def outputs(self) -> list[Any]:
        """Return them in the order of `view`."""
        return [self.card, self.plot, self.status, self.aside, self.references,
                self.certainty, self.note, self.reason]  # fmt: skip


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    desk = services.desk
    tab = Context.block
    ticket = gr.Textbox(visible=False)
    with gr.Row(elem_id="label-desk"):
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(label_parts.WAITING, elem_id="label-card")
            buttons = _choices()
            status = gr.HTML(parts.status(""), elem_id="label-saved")
            confirm, skip, undo = _acts()
            certainty, note, reason = _details()
        with gr.Column(scale=6, min_width=300):
            plot = gr.Plot(
                show_label=False, container=False, elem_id="label-picture",
                elem_classes=["picture", "follows-label-card"],
            )  # fmt: skip
            references = gr.HTML(elem_id="label-references", js_on_load=SELECT)
            sample = gr.HTML(elem_id="label-reference")
            blind, order, listens, again = _settings(desk)
            aside = gr.HTML(elem_id="label-aside", js_on_load=SELECT)
    gr.HTML(label_parts.HELP, padding=False)
    shown = Parts(card, plot, status, aside, references, certainty, note, reason)
    outputs, inputs = shown.outputs(), [ticket, certainty, note, reason, blind]

    acts: dict[gr.Button, tuple[str, str]] = {b: ("label", e) for e, b in buttons.items()}
    for button, (action, emotion) in (
        acts | {confirm: ("confirm", ""), skip: ("skip", "")}
    ).items():
        button.click(_decider(desk, action, emotion), inputs, outputs, js=WITH_TICKET, **WRITES)
    undo.click(_undoer(desk), blind, outputs, **WRITES)
    aside.select(_reopener(desk), blind, outputs, **WRITES)
    for event in (tab.select, again.click, blind.input):
        event(_opener(desk), blind, outputs, **READS)
    order.input(_orderer(desk), order, [status, aside], **READS)
    listens.input(_listener(desk), listens, [status, aside], **READS)
    references.select(_referee(desk), None, sample, **READS)
    Context.root_block.unload(_leaver(desk))


def _choices() -> dict[str, gr.Button]:
    with gr.Row(elem_classes="choices", elem_id="label-choices"):
        return {
            emotion: gr.Button(
                emotion,
                elem_id=f"label-choose-{emotion}",
                elem_classes=[f"emotion-{emotion}", key_class(emotion)],
                min_width=104,
            )
            for emotion in EMOTIONS
        }


def _acts() -> tuple[gr.Button, gr.Button, gr.Button]:
    with gr.Row(elem_classes="acts"):
        confirm = gr.Button(
            "Confirm", variant="primary", size="sm", min_width=80, elem_id="label-confirm"
        )
        skip = gr.Button("Skip", size="sm", min_width=60, elem_id="label-skip",
                         elem_classes="key-KeyS")  # fmt: skip
        undo = gr.Button("Undo", size="sm", min_width=60, elem_id="label-undo",
                         elem_classes="key-KeyU")  # fmt: skip
        gr.Button("Replay", size="sm", min_width=60, elem_id="label-replay",
                  elem_classes="key-KeyR")  # fmt: skip
        gr.Button("Keys", size="sm", min_width=60, elem_id="label-keys")
    return confirm, skip, undo


def _details() -> tuple[gr.Radio, gr.Textbox, gr.Dropdown]:
    with gr.Accordion("Certainty, note, reason for a skip", open=False, elem_id="label-details"):
        certainty = gr.Radio(
            [("certain", 1.0), ("rather sure", 0.7), ("a guess", 0.4)],
            label="How sure are you?",
            info="For this clip; leave it empty if you don't want to say.",
        )
        note = gr.Textbox(label="Note", max_length=2000, lines=1, elem_id="label-note")
        reason = gr.Dropdown(
            list(REASONS), value=None, label="Reason for a skip", allow_custom_value=True
        )
    return certainty, note, reason


def _settings(desk: Desk) -> tuple[gr.Checkbox, gr.Dropdown, gr.Checkbox, gr.Button]:
    with gr.Row(elem_classes="label-settings"):
        with gr.Column(scale=2, min_width=170):
            blind = gr.Checkbox(
                label="Blind",
                info="Hide the name, and what the model and the table say",
                elem_id="label-blind",
            )
        with gr.Column(scale=3, min_width=240):
            order = gr.Dropdown(
                list(label_parts.STRATEGIES),
                value=lambda: desk.pool.settings.strategy,
                label="What comes next",
                info="One in four is drawn at random in any case",
                elem_id="label-order",
            )
    with gr.Row(elem_classes="label-settings"):
        with gr.Column(scale=3, min_width=240):
            listens = gr.Checkbox(
                value=lambda: desk.listens,
                label="Let the model listen ahead",
                info="It hears the other clips while nobody waits, so that the order knows them",
                elem_id="label-listens",
            )
        again = gr.Button("Look again", size="sm", elem_id="label-again")
    return blind, order, listens, again


# ---------------------------------------------------------------------- what the page shows


def view(desk: Desk, who: Annotator, shown: Shown | None, status: str) -> tuple[Any, ...]:
    """Return all outputs for a clip, or for none left."""
    beside = side(desk, who, shown)
    cleared = (None, "", None)
    if shown is None:
        empty = desk.queue().progress(who.name).total == 0
        text = label_parts.EMPTY if empty else done_card()
        return (text, None, status, beside, "", *cleared)
    choice = label_parts.references(reference_emotions(desk, shown))
    figure = shown.ready.plain if shown.blind else shown.ready.figure
    return (label_parts.card(shown), figure, status, beside, choice, *cleared)


def done_card() -> str:
    """Return what stands there when nothing is left."""
    return f'<div class="welcome"><h2>{NOTHING_LEFT}</h2>Thank you. New clips appear by themselves after <b>Look again</b>; your last decisions can still be opened.</div>'  # noqa: E501


def side(desk: Desk, who: Annotator, shown: Shown | None = None) -> str:
    """Return progress, what the order knows, and the last ten decisions, of any sitting."""
    state = desk.services.store.state()
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
    known = label_parts.known(desk.pool.known(), listening=desk.ahead.running)
    return label_parts.aside(desk.progress(who), recent, names, known)


def refused(text: str) -> tuple[Any, ...]:
    """Return outputs that leave the clip where it is and say why."""
    return (gr.skip(), gr.skip(), parts.status(text, "refused"), *[gr.skip()] * 5)


def decided(
    desk: Desk, who: Annotator, session: str, choice: Choice, *, blind: bool
) -> tuple[Any, ...]:
    """Save a decision and return what the page shows next."""
    before = desk.current(session)
    try:
        saved = desk.decide(who, session, choice)
    except (ConflictError, StaleError) as error:
        hidden = isinstance(error, ConflictError) and before is not None and before.blind
        text = CHANGED if hidden else str(error)
        return view(desk, who, desk.open(who, session, blind=blind), parts.status(text, "refused"))
    except (GoneError, PageError, StoreError) as error:
        return refused(str(error))
    what = saved.event.emotion or "skipped"
    kind = "Saved" if who.may_write else "Kept as a suggestion,"
    told = before.told() if before is not None and before.sha == saved.event.clip else ""
    shown = desk.advance(who, session, blind=blind)
    text = f"{kind} #{saved.number}: {what}.{told}"
    return view(desk, who, shown, parts.status(text, "done"))


def opened(desk: Desk, who: Annotator, session: str, *, blind: bool) -> tuple[Any, ...]:
    """Return what the page shows when the tab is opened, or looked at again."""
    before = desk.current(session)
    try:
        if not (who.may_write or who.may_suggest):
            raise PageError(who.reason)
        if who.may_write and desk.listens:
            desk.listen_ahead(True)
        shown = desk.open(who, session, blind=blind)
    except (PageError, GoneError, StoreError) as error:
        text = refused(str(error))
        return text if before is not None else (label_parts.SHUT, *text[1:])
    # What was said of a key that overtook this is not wiped away.
    same = before is not None and shown is not None and shown.sha == before.sha
    ask = ASK if shown is not None else NOTHING
    return view(desk, who, shown, gr.skip() if same else parts.status(who.reason or ask))


def parsed(ticket: str) -> tuple[str, int | None]:
    """Return the ticket and the milliseconds that the page measured.

    >>> parsed("ab:cd|120"), parsed("ab:|")
    (('ab:cd', 120), ('ab:', None))
    """
    item, _, spent = (ticket or "").partition("|")
    return item, min(int(spent), 86_400_000) if spent.isdecimal() and len(spent) < 12 else None


def undone(desk: Desk, who: Annotator, session: str, *, blind: bool) -> tuple[Any, ...]:
    """Undo and return the outputs."""
    try:
        saved, shown = desk.undo(who, session, blind=blind)
    except (PageError, StoreError) as error:
        return refused(str(error))
    name = shown.title if shown is not None and shown.blind else saved.event.file_name
    text = f"Saved #{saved.number}: undone, {name or 'the clip'} is open again."
    return view(desk, who, shown, parts.status(text, "done"))


# ---------------------------------------------------------------------- handlers


def _decider(desk: Desk, action: str, emotion: str) -> Callable[..., Any]:
    def decide(ticket: str, certainty: float | None, note: str, reason: str | None, blind: bool,
               request: gr.Request) -> Any:  # fmt: skip
        who = desk.services.identity.annotator(request)
        item, spent = parsed(ticket)
        choice = Choice(item, action, emotion, certainty, note or "", reason or "", spent)
        return decided(desk, who, request.session_hash or "", choice, blind=blind)

    return decide


def _undoer(desk: Desk) -> Callable[..., Any]:
    def undo(blind: bool, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        return undone(desk, who, request.session_hash or "", blind=blind)

    return undo


def _opener(desk: Desk) -> Callable[..., Any]:
    def open_(blind: bool, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        return opened(desk, who, request.session_hash or "", blind=blind)

    return open_


def _reopener(desk: Desk) -> Callable[..., Any]:
    def reopen(blind: bool, event: gr.EventData, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        if not (who.may_write or who.may_suggest):
            return refused(who.reason)
        try:
            clip = str(event._data.get("value", ""))
            shown = desk.reopen(who, request.session_hash or "", clip, blind=blind)
        except (PageError, GoneError, StoreError) as error:
            return refused(str(error))
        return view(desk, who, shown, parts.status(ASK))

    return reopen


def _orderer(desk: Desk) -> Callable[..., Any]:
    def reorder(strategy: str, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        text = "The coming clips are chosen that way from now on."
        return steered(desk, who, request, lambda: desk.choose_by(strategy), text)

    return reorder


def _listener(desk: Desk) -> Callable[..., Any]:
    def listen(on: bool, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        text = "The model listens while nobody waits." if on else "It stops after this clip."
        return steered(desk, who, request, lambda: desk.listen_ahead(on), text)

    return listen


def steered(
    desk: Desk, who: Annotator, request: gr.Request, change: Callable[[], None], text: str
) -> tuple[Any, Any]:
    """Change how the queue works, for those who may; return the status line and what is beside."""
    try:
        if not who.may_write:
            raise PageError(who.reason or "Only those who may write choose.")
        change()
    except (PageError, StoreError) as error:
        return parts.status(str(error), "refused"), gr.skip()
    shown = desk.current(request.session_hash or "")
    return parts.status(text, "done"), side(desk, who, shown)


def _referee(desk: Desk) -> Callable[..., Any]:
    def refer(event: gr.EventData, request: gr.Request) -> str:
        who = desk.services.identity.annotator(request)
        shown = desk.current(request.session_hash or "")
        if shown is None or shown.blind or not (who.may_write or who.may_suggest):
            return ""
        return reference(desk, shown, str(event._data.get("value", "")))

    return refer


def _leaver(desk: Desk) -> Callable[..., Any]:
    def leave(request: gr.Request) -> None:
        desk.leave(request.session_hash or "")

    return leave
