"""Label: hear a clip, press one key, the next one is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import Context

from label_store.errors import ConflictError, StoreError
from label_store.event import LEVELS, Saved
from ser_core.errors import SerError
from ser_core.home import Home
from ui import clip_import_panel, model_choice, page_html, standing
from ui.calls import UNEXPECTED, event_value
from ui.emotion_buttons import emotion_buttons
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.label import guidelines_panel, html
from ui.label.displayed import DisplayedClip, LabelDecision, StaleDecisionError
from ui.label.offline import OfflineLabels
from ui.label.references import reference, reference_emotions
from ui.label.session import NOTHING_LEFT, PRACTICE, LabelSession
from ui.language import say
from ui.page_html import counted
from ui.services import Services

ASK = "Listen, then press the digit of the emotion you hear."
PRACTISE = "Practice: choose the emotion you hear. Nothing is saved."
NOTHING = "There is no clip to label now."
CHANGED = (
    "Somebody changed this clip in the meantime. Nothing was saved; listen again, then decide."
)
CANNOT_TELL = "can't tell"
"""Why a clip is skipped in which no emotion can be told: one key, beside the plain skip."""

REASONS = ("no speech", "several speakers", "too noisy", CANNOT_TELL, "private", "other")
WITH_TICKET = "(_, ...rest) => [window.serLabel.ticket(), ...rest]"
"""Brings the ticket of the clip that is on the page at this very key press."""

WITH_ALL = "(_, __, ...rest) => [window.serLabel.ticket(), window.serMixed.text(), ...rest]"
"""Brings what was chosen beside the emotion, too."""

SAVED = "Saved #{number}: {emotion}."
SAVED_SEGMENT = "Saved #{number}: {emotion}, {start}–{end} s."
KEPT = "Kept as a suggestion, #{number}: {emotion}."
UNDONE_MIXED = "Saved #{number}: {what} undone, {name} is open again."

RECALL_BLIND = "(blind, model) => [window.serPage.recall('blind', blind), model]"
KEEP_BLIND = "(blind, model) => [window.serPage.remember('blind', blind), model]"
"""Blind stays as it was chosen on this browser, also after a reload."""

KEEP_MIXED = "(on) => { window.serMixed.turn(on); }"
RECALL_MIXED = "() => window.serMixed.on()"

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
class LabelComponents:
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
    labelling = LabelSession(services, np.random.default_rng())
    tab = Context.block
    ticket, beside = gr.Textbox(visible=False), gr.Textbox(visible=False)
    with gr.Row(elem_id="label-panel"):
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(html.WAITING, elem_id="label-card")
            gr.HTML(html.MIXED, elem_id="label-mixed-holder")
            buttons = emotion_buttons("label-choose-", "label-choices")
            if services.identity.mode != "local":
                gr.HTML(page_html.CONSENT)
            status = gr.HTML(page_html.status(""), elem_id="label-saved")
            gr.HTML(html.WAVE, elem_id="label-wave-holder")
            suggest = gr.Button(
                "Suggest segments", size="sm", elem_id="label-suggest", elem_classes="key-KeyM"
            )
            remove = gr.Button("Remove segment", elem_id="label-remove", elem_classes="unseen")
            suggested = gr.HTML(elem_id="label-suggested", elem_classes="unseen")
            gr.HTML('<p id="label-ignored" class="saved refused" role="status"></p>')
            confirm, skip, unclear, undo = _acts()
            certainty, note, reason = _details()
        with gr.Column(scale=6, min_width=300):
            plot = gr.Plot(
                show_label=False, container=False, elem_id="label-picture",
                elem_classes=["picture", "follows-label-card"],
            )  # fmt: skip
            guidelines_panel.build(labelling, SELECT)
            references = gr.HTML(elem_id="label-references", js_on_load=SELECT)
            sample = gr.HTML(elem_id="label-reference")
            blind, order, background, again, practise, mixed = _settings(labelling)
            aside = gr.HTML(elem_id="label-aside", js_on_load=SELECT)
            count, fill = standing.build(services, "label")
    empty = not Home(services.home).corpora.is_dir()
    added = clip_import_panel.build(services, "label", opened=empty)
    gr.HTML(html.HELP, padding=False)
    shown = LabelComponents(card, plot, status, aside, references, certainty, note, reason)
    outputs, inputs = shown.outputs(), [ticket, beside, certainty, note, reason, blind]

    acts: dict[gr.Button, tuple[str, str]] = {b: ("label", e) for e, b in buttons.items()}
    for button, (action, emotion) in (
        acts | {confirm: ("confirm", ""), skip: ("skip", ""), remove: ("remove", "")}
    ).items():
        button.click(_decider(labelling, action, emotion), inputs, outputs, js=WITH_ALL, **WRITES)
    unclear.click(
        _decider(labelling, "skip", "", CANNOT_TELL), inputs, outputs, js=WITH_ALL, **WRITES
    )
    undo.click(_undoer(labelling), blind, outputs, **WRITES)
    suggest.click(_suggester(labelling), ticket, [suggested, status], js=WITH_TICKET, **READS)
    aside.select(_reopener(labelling), blind, outputs, **WRITES)
    practise.click(_practiser(labelling), blind, outputs, js="() => [false]", **READS)
    added.change(_starter(labelling), blind, outputs, **READS)
    for event in (tab.select, status.change, added.change):
        event(fill, None, count, **standing.READS)
    for event, js in ((tab.select, RECALL_BLIND), (again.click, None), (blind.input, KEEP_BLIND)):
        event(_opener(labelling), [blind, model_choice.asked()], [*outputs, blind], js=js, **READS)
    model_choice.line_of_page().select(_switcher(labelling), blind, outputs, **READS)
    mixed.input(None, mixed, None, js=KEEP_MIXED, api_visibility="private")
    tab.select(None, None, mixed, js=RECALL_MIXED, api_visibility="private")
    order.input(_orderer(labelling), order, [status, aside], **READS)
    background.input(_scorer(labelling), background, [status, aside], **READS)
    references.select(_referee(labelling), None, sample, **READS)
    Context.root_block.unload(_leaver(labelling))
    _for_the_lost_connection(labelling)


def _acts() -> tuple[gr.Button, gr.Button, gr.Button, gr.Button]:
    with gr.Row(elem_classes="acts"):
        confirm = gr.Button(
            "Confirm", variant="primary", size="sm", min_width=80, elem_id="label-confirm"
        )
        skip = gr.Button("Skip", size="sm", min_width=60, elem_id="label-skip",
                         elem_classes="key-KeyS")  # fmt: skip
        unclear = gr.Button("Can't tell", size="sm", min_width=60, elem_id="label-unclear",
                            elem_classes="key-KeyC")  # fmt: skip
        undo = gr.Button("Undo", size="sm", min_width=60, elem_id="label-undo",
                         elem_classes="key-KeyU")  # fmt: skip
        gr.Button("Replay", size="sm", min_width=60, elem_id="label-replay",
                  elem_classes="key-KeyR")  # fmt: skip
        gr.Button("Keys", size="sm", min_width=60, elem_id="label-keys")
    return confirm, skip, unclear, undo


def _details() -> tuple[gr.Radio, gr.Textbox, gr.Dropdown]:
    with gr.Accordion("Certainty, note, reason for a skip", open=False, elem_id="label-details"):
        certainty = gr.Radio(
            [("certain", 1.0), ("rather sure", 0.7), ("a guess", 0.4)],
            label="How sure are you?",
            info="For this clip only. You can leave it empty.",
        )
        note = gr.Textbox(label="Note", max_length=2000, lines=1, elem_id="label-note")
        reason = gr.Dropdown(
            list(REASONS), value=None, label="Reason for a skip", allow_custom_value=True
        )
    return certainty, note, reason


def _settings(
    labelling: LabelSession,
) -> tuple[gr.Checkbox, gr.Dropdown, gr.Checkbox, gr.Button, gr.Button, gr.Checkbox]:
    with gr.Row(elem_classes="label-settings"):
        with gr.Column(scale=2, min_width=170):
            blind = gr.Checkbox(
                label="Blind",
                info="Hide the name, the prediction and the corpus's label",
                elem_id="label-blind",
            )
        with gr.Column(scale=3, min_width=240):
            order = gr.Dropdown(
                list(html.STRATEGIES),
                value=lambda: labelling.pool.settings.strategy,
                label="Order of the queue",
                info="One clip in four is always drawn at random",
                elem_id="label-order",
            )
    with gr.Row(elem_classes="label-settings"):
        with gr.Column(scale=3, min_width=240):
            background = gr.Checkbox(
                value=lambda: labelling.scores_in_background,
                label="Predict clips in the background",
                info="While nobody waits, so that the queue can sort the clips",
                elem_id="label-background",
            )
        with gr.Column(scale=1, min_width=130, elem_classes="stacked"):
            again = gr.Button("Refresh the queue", size="sm", elem_id="label-again")
            practise = gr.Button("Practise", size="sm", elem_id="label-practise")
    mixed = gr.Checkbox(
        label="Second emotion and intensity",
        info="Two more keys: Shift and a digit, and G. You can leave either out on any clip",
        elem_id="label-mixed-on",
    )
    return blind, order, background, again, practise, mixed


# ---------------------------------------------------------------------- what the page shows


def view(
    labelling: LabelSession, who: Annotator, shown: DisplayedClip | None, status: str
) -> tuple[Any, ...]:
    """Return all outputs for a clip, or for none left."""
    beside = side(labelling, who, shown)
    cleared = (None, "", None)
    if shown is None and not who.may_hear:
        return (html.FOR_THOSE_WHO_LABEL, None, status, beside, "", *cleared)
    if shown is None:
        empty = labelling.queue().progress(who.name).total == 0
        text = html.EMPTY if empty else done_card()
        return (text, None, status, beside, "", *cleared)
    choice = html.references(reference_emotions(labelling, shown))
    figure = shown.ready.plain if shown.blind else shown.ready.figure
    return (html.card(shown), figure, status, beside, choice, *cleared)


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
    return (gr.skip(), gr.skip(), page_html.status(text, "refused"), *[gr.skip()] * 5)


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
    what = html.in_words(event.emotion, event.second_emotion, event.intensity)
    if choice.segment is not None:
        start, end = (f"{seconds:.2f}" for seconds in choice.segment)
        return say(SAVED_SEGMENT, number=number, emotion=what or "removed", start=start, end=end)
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
    end = " That was the last example." if shown is None or shown.why != PRACTICE else ""
    return view(labelling, who, shown, page_html.status(text + end, "done"))


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


def said_beside(text: str) -> tuple[str, int | None]:
    """Return the second emotion and the intensity as mixed.js writes them; one that is none is 0.

    >>> said_beside("joy|2"), said_beside("|"), said_beside("|9x")
    (('joy', 2), ('', None), ('', 0))
    """
    second, _, level = (text or "").partition("|")
    return second, (int(level) if level in LEVELS else 0) if level else None


Stretch = tuple[float, float]


def parsed(ticket: str) -> tuple[str, int | None, Stretch | None, Stretch | None]:
    """Return the ticket, the milliseconds measured, the chosen segment and the one it replaces.

    >>> parsed("ab:cd|120"), parsed("ab:|")
    (('ab:cd', 120, None, None), ('ab:', None, None, None))
    >>> parsed("ab:cd|120|0.500|1.250")
    ('ab:cd', 120, (0.5, 1.25), None)
    """
    item, spent, *rest = [*(ticket or "").split("|"), *[""] * 5][:6]
    measured = min(int(spent), 86_400_000) if spent.isdecimal() and len(spent) < 12 else None
    return item, measured, _stretch(rest[:2]), _stretch(rest[2:])


def _stretch(given: list[str]) -> Stretch | None:
    try:
        start, end = (float(text) for text in given)
    except ValueError:  # none is chosen: the decision is for the whole clip
        return None
    return start, end


def undone(
    labelling: LabelSession, who: Annotator, session: str, *, blind: bool
) -> tuple[Any, ...]:
    """Undo and return the outputs."""
    try:
        saved, shown = labelling.undo(who, session, blind=blind)
    except (PageError, StoreError) as error:
        return refused(str(error))
    name = shown.title if shown is not None and shown.blind else saved.event.file_name
    name = name or "the clip"
    text = f"Saved #{saved.number}: undone, {name} is open again."
    before = labelling.services.store.state().by_id.get(saved.event.target)
    if before is not None and (before.second_emotion or before.intensity):
        what = html.in_words(before.emotion, before.second_emotion, before.intensity)
        text = say(UNDONE_MIXED, number=saved.number, what=what, name=say(name))
    return view(labelling, who, shown, page_html.status(text, "done"))


# ---------------------------------------------------------------------- without a connection


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _for_the_lost_connection(labelling: LabelSession) -> None:
    """Build what offline.js calls: it fetches clips ahead, and sends what was decided without."""
    offline = OfflineLabels(labelling)

    def ahead(asked: str, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        match _read(asked):
            case {"have": [*have], "blind": bool(blind)}:
                return json.dumps(offline.ahead(who, [str(clip) for clip in have], blind=blind))
        raise gr.Error(UNEXPECTED, print_exception=False)

    def take(sent: str, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        match _read(sent):
            case [*decisions] if all(isinstance(one, dict) for one in decisions):
                return json.dumps(offline.take(who, decisions))
        raise gr.Error(UNEXPECTED, print_exception=False)

    gr.HTML('<div id="label-offline" role="status"></div>')
    text, answer = gr.Textbox(visible=False), gr.Textbox(visible=False)
    for name, handler in (("label_ahead", ahead), ("label_take", take)):
        gr.Button(visible=False).click(
            handler,
            text,
            answer,
            api_name=name,
            queue=False,
            show_progress="hidden",
            api_visibility="undocumented",
        )


# ---------------------------------------------------------------------- handlers


def _decider(
    labelling: LabelSession, action: str, emotion: str, why: str = ""
) -> Callable[..., Any]:
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


def _suggester(labelling: LabelSession) -> Callable[..., Any]:
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


def _undoer(labelling: LabelSession) -> Callable[..., Any]:
    def undo(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        return undone(labelling, who, request.session_hash or "", blind=blind)

    return undo


def _practiser(labelling: LabelSession) -> Callable[..., Any]:
    def practise(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        try:
            shown = labelling.practise(who, request.session_hash or "", blind=blind)
        except (PageError, SerError) as error:
            return refused(str(error))
        return view(labelling, who, shown, page_html.status(PRACTISE))

    return practise


def _starter(labelling: LabelSession) -> Callable[..., Any]:
    def start(blind: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        labelling.end_practice(who, request.session_hash or "")
        return opened(labelling, who, request.session_hash or "", blind=blind)

    return start


def _opener(labelling: LabelSession) -> Callable[..., Any]:
    def open_(blind: bool, model: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        labelling.answer_by(who, request.session_hash or "", model)
        return (*opened(labelling, who, request.session_hash or "", blind=blind), blind)

    return open_


def _switcher(labelling: LabelSession) -> Callable[..., Any]:
    def switch(blind: bool, event: gr.EventData, request: gr.Request) -> Any:
        who, page = labelling.services.identity.annotator(request), request.session_hash or ""
        labelling.answer_by(who, page, model_choice.chosen(event))
        if labelling.current(who, page) is None:  # the tab was not looked at yet
            return (gr.skip(),) * 8
        return opened(labelling, who, page, blind=blind)

    return switch


def _reopener(labelling: LabelSession) -> Callable[..., Any]:
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


def _orderer(labelling: LabelSession) -> Callable[..., Any]:
    def reorder(strategy: str, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        text = "The queue is sorted that way from now on."
        return steered(labelling, who, request, lambda: labelling.choose_by(strategy), text)

    return reorder


def _scorer(labelling: LabelSession) -> Callable[..., Any]:
    def score(on: bool, request: gr.Request) -> Any:
        who = labelling.services.identity.annotator(request)
        text = "The model predicts clips while nobody waits." if on else "It stops after this clip."
        return steered(labelling, who, request, lambda: labelling.score_in_background(on), text)

    return score


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


def _referee(labelling: LabelSession) -> Callable[..., Any]:
    def refer(event: gr.EventData, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        shown = labelling.current(who, request.session_hash or "")
        if shown is None or shown.blind or not who.may_hear:
            return ""
        return reference(labelling, shown, event_value(event))

    return refer


def _leaver(labelling: LabelSession) -> Callable[..., Any]:
    def leave(request: gr.Request) -> None:
        labelling.leave(request.session_hash or "")

    return leave
