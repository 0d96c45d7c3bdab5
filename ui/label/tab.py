"""Label: hear a clip, press one key, the next one is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import Context

from ser_core.home import Home
from ui import clip_import_panel, model_choice, page_html, standing
from ui.emotion_buttons import emotion_buttons
from ui.label import guidelines_panel, handlers, html, offline_endpoints
from ui.label.displayed import CANNOT_TELL
from ui.label.session import LabelSession
from ui.mixed import bar
from ui.segments import wave_html
from ui.services import Services

REASONS = ("no speech", "several speakers", "too noisy", CANNOT_TELL, "private", "other")
WITH_TICKET = "(_, ...rest) => [window.serLabel.ticket(), ...rest]"
"""Brings the ticket of the clip that is on the page at this very key press."""

WITH_ALL = "(_, __, ...rest) => [window.serLabel.ticket(), window.serMixed.text(), ...rest]"
"""Brings what was chosen beside the emotion, too."""

RECALL_BLIND = "(blind, model) => [window.serPage.recall('blind', blind), model]"
KEEP_BLIND = "(blind, model) => [window.serPage.remember('blind', blind), model]"
"""Blind stays as it was chosen on this browser, also after a reload."""

KEEP_MIXED = "(on) => { window.serMixed.turn(on); }"
RECALL_MIXED = "() => window.serMixed.on()"

ONCE_PAINTED = "() => window.serPage.oncePainted()"

WRITES: dict[str, Any] = {
    "api_visibility": "private",
    "trigger_mode": "multiple",
    "show_progress": "hidden",
    "queue": False,
}
"""A key's answer comes with its own request; through the queue it would take two."""

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
    status: gr.HTML
    aside: gr.HTML
    references: gr.HTML
    certainty: gr.Radio
    note: gr.Textbox
    reason: gr.Dropdown

    def outputs(self) -> list[Any]:
        """Return them in the order of `outputs.view`."""
        return [self.card, self.status, self.aside, self.references,
                self.certainty, self.note, self.reason]  # fmt: skip


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    labelling = LabelSession(services, np.random.default_rng())
    tab = Context.block
    ticket, beside = gr.Textbox(visible=False), gr.Textbox(visible=False)
    with gr.Row(elem_id="label-panel"):
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(html.WAITING, elem_id="label-card")
            gr.HTML(offline_endpoints.PLACE, elem_classes="offline-holder")
            gr.HTML(bar("label"), elem_classes="mixed-holder")
            buttons = emotion_buttons("label-choose-", "label-choices")
            if services.identity.mode != "local":
                gr.HTML(page_html.CONSENT)
            status = gr.HTML(page_html.status(""), elem_id="label-saved")
            gr.HTML(wave_html("label"), elem_id="label-wave-holder")
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
    shown = LabelComponents(card, status, aside, references, certainty, note, reason)
    outputs, inputs = shown.outputs(), [ticket, beside, certainty, note, reason, blind]

    acts: dict[gr.Button, tuple[str, str]] = {b: ("label", e) for e, b in buttons.items()}
    for button, (action, emotion) in (
        acts | {confirm: ("confirm", ""), skip: ("skip", ""), remove: ("remove", "")}
    ).items():
        button.click(
            handlers.decider(labelling, action, emotion), inputs, outputs, js=WITH_ALL, **WRITES
        )
    unclear.click(
        handlers.decider(labelling, "skip", "", CANNOT_TELL), inputs, outputs, js=WITH_ALL, **WRITES
    )
    undo.click(handlers.undoer(labelling), blind, outputs, **WRITES)
    suggest.click(
        handlers.suggester(labelling), ticket, [suggested, status], js=WITH_TICKET, **READS
    )
    aside.select(handlers.reopener(labelling), blind, outputs, **WRITES)
    practise.click(handlers.practiser(labelling), blind, outputs, js="() => [false]", **READS)
    added.change(handlers.starter(labelling), blind, outputs, **READS)
    added.change(fill, None, count, **standing.READS)
    for event, js in (
        (tab.select, RECALL_BLIND),
        (again.click, None),
        (blind.input, KEEP_BLIND),
    ):
        event(
            handlers.opener(labelling),
            [blind, model_choice.asked()],
            [*outputs, blind],
            js=js,
            **READS,
        ).then(fill, None, count, **standing.READS)
    draw: dict[str, Any] = {"fn": handlers.picturer(labelling), "inputs": None, "outputs": plot}
    drawn = card.change(js=ONCE_PAINTED, queue=False, **draw, **READS)
    drawn.then(fill, None, count, **standing.READS)  # the count waits for the clip
    switched = model_choice.line_of_page().select(
        handlers.switcher(labelling), blind, outputs, **READS
    )
    switched.then(queue=False, **draw, **READS)  # another answer for the same card's clip
    mixed.input(None, mixed, None, js=KEEP_MIXED, api_visibility="private")
    tab.select(None, None, mixed, js=RECALL_MIXED, api_visibility="private")
    order.input(handlers.orderer(labelling), order, [status, aside], **READS)
    background.input(handlers.scorer(labelling), background, [status, aside], **READS)
    references.select(handlers.referee(labelling), None, sample, **READS)
    Context.root_block.unload(handlers.leaver(labelling))
    offline_endpoints.build(labelling)


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
            elem_id="label-certainty",
        )
        note = gr.Textbox(label="Note", max_length=2000, lines=1, elem_id="label-note")
        reason = gr.Dropdown(
            list(REASONS), value=None, label="Reason for a skip", allow_custom_value=True,
            elem_id="label-reason",
        )  # fmt: skip
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
