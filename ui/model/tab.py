"""Model: what serves, how good it is, where it came from; train, stop, promote, roll back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.context import Context

from ser_core.errors import SerError
from trainer.errors import TrainerError
from ui import page_html
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say
from ui.model import html, versions
from ui.model.figures import (
    ALL,
    NO_CURVE,
    Champion,
    called,
    confusion_figure,
    curve_figure,
    curves_of,
    figures_of,
    read_champion,
)
from ui.model.runs import FINE_TUNE, FIT, Runs, TrainingRequest
from ui.services import Services

READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
WRITES: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "train"}
INTRO = (
    '<p class="hint"><b>How to read this.</b> UAR is the mean, over the emotions, of the share of '
    "an emotion’s clips that are recognised, so a rare emotion counts as much as a frequent one. "
    "All figures are on speakers the model was not trained on.</p>"
)
HAND = (
    '<p class="hint">A training run promotes its model only if it is no worse on test speakers. '
    "Promoting by hand skips that comparison.</p>"
)


@dataclass(frozen=True)
class ModelComponents:
    """The tab's components that change with the champion."""

    which: gr.Dropdown
    head: gr.HTML
    matrix: gr.Plot
    mistakes: gr.HTML
    classes: gr.HTML
    corpora: gr.HTML
    curve: gr.Plot
    honest: gr.HTML
    card: gr.Markdown
    history: gr.HTML
    version: gr.Dropdown
    promote: gr.Button

    def of_clips(self) -> list[Any]:
        """Return what changes with the choice of clips."""
        return [self.head, self.matrix, self.mistakes, self.classes, self.curve, self.honest]

    def outputs(self) -> list[Any]:
        """Return all, in the order of `overview`."""
        return [self.which, *self.of_clips(), self.corpora, self.card, self.history, self.version,
                self.promote]  # fmt: skip


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    runs, tab = Runs(services), Context.block
    shown = _figures()
    with gr.Row(elem_id="model-panel"):
        with gr.Column(scale=6, min_width=280):
            wish, start, stop, go_on = _wishes()
            run = gr.HTML(elem_id="model-run")
        with gr.Column(scale=5, min_width=280):
            gr.HTML('<h2 class="section-title">Versions</h2>')
            gr.HTML(HAND)
            with gr.Row(elem_classes="acts"):
                shown.version.render()
                shown.promote.render()
                back = gr.Button("Roll back", size="sm", min_width=90, elem_id="model-rollback")
            message = gr.HTML(elem_id="model-message")
            shown.history.render()
    with gr.Accordion("Model card of the champion", open=False, elem_id="model-card"):
        shown.card.render()
    timer = gr.Timer(1.0, active=False)

    how_it_stands = [run, timer, go_on]
    outputs = shown.outputs()
    tab.select(lambda: overview(services), None, outputs, **READS).success(
        _watcher(runs), None, how_it_stands, **READS
    )
    shown.which.input(
        lambda name: of_clips(read_champion(services), name),
        shown.which,
        shown.of_clips(),
        trigger_mode="always_last",
        **READS,
    )
    again = (lambda: overview(services), None, outputs)
    timer.tick(_watcher(runs), None, how_it_stands, **READS)
    start.click(_starter(runs), wish, how_it_stands, **WRITES)
    go_on.click(_continuer(runs), None, how_it_stands, **WRITES)
    stop.click(_stopper(runs), None, how_it_stands, **WRITES)
    shown.promote.click(_promoter(services), shown.version, message, **WRITES).success(
        *again, **READS
    )
    back.click(_backer(services), None, message, **WRITES).success(*again, **READS)


def _figures() -> ModelComponents:
    gr.HTML('<h2 class="section-title">How good is it?</h2>')
    gr.HTML(INTRO)
    which = gr.Dropdown([(ALL, ALL)], value=ALL, label="Corpus", elem_id="model-which")
    head = gr.HTML(elem_id="model-head")
    with gr.Row():
        with gr.Column(scale=6, min_width=280):
            gr.HTML('<h2 class="section-title">Confusion matrix</h2>')
            matrix = _plot("model-confusion")
            mistakes = gr.HTML()
        with gr.Column(scale=5, min_width=280):
            classes = gr.HTML(elem_id="model-classes")
            gr.HTML('<h2 class="section-title">Calibration</h2>')
            curve = _plot("model-curve")
            honest = gr.HTML(elem_id="model-honest")
    corpora = gr.HTML(elem_id="model-corpora")
    version = gr.Dropdown(
        [], label="Version", elem_id="model-version", min_width=140, visible=False, render=False
    )
    promote = gr.Button(
        "Promote", size="sm", min_width=90, interactive=False, elem_id="model-promote", render=False
    )
    card, history = gr.Markdown(render=False), gr.HTML(elem_id="model-history", render=False)
    return ModelComponents(
        which, head, matrix, mistakes, classes, corpora, curve, honest, card, history, version,
        promote,
    )  # fmt: skip


def _plot(name: str) -> gr.Plot:
    return gr.Plot(show_label=False, container=False, elem_id=name, elem_classes=["picture-plain"])


def _wishes() -> tuple[list[Any], gr.Button, gr.Button, gr.Button]:
    gr.HTML('<h2 class="section-title">Train</h2>')
    kind = gr.Radio(
        [("Fine-tune the champion on new labels", FINE_TUNE), ("Train from the corpora", FIT)],
        value=FINE_TUNE,
        label="Training",
        elem_id="model-kind",
    )
    epochs = gr.Slider(1, 60, 4, step=1, label="Epochs", info="Passes over the training clips")
    force = gr.Checkbox(label="Even if nothing is new", elem_id="model-force")
    with gr.Accordion("Augmentation of the training clips", open=False):
        recipe = gr.Textbox(
            label="Recipe as JSON", lines=3, max_lines=10, max_length=20_000,
            info="Copy it from the Augment tab; empty uses the preset’s own.",
        )  # fmt: skip
    with gr.Row(elem_classes="acts"):
        start = gr.Button("Start a run", variant="primary", size="sm", elem_id="model-start")
        stop = gr.Button("Stop", size="sm", elem_id="model-stop")
        go_on = gr.Button("Go on with it", size="sm", elem_id="model-go-on", visible=False)
    return [kind, epochs, force, recipe], start, stop, go_on


def overview(services: Services) -> tuple[Any, ...]:
    """Return everything that the tab shows of the model that serves, and of the others."""
    champion = read_champion(services)
    found = figures_of(champion.metrics)
    first = next(iter(found), ALL)
    names = [(called(name), name) for name in found] or [(ALL, ALL)]
    card = champion.card or say("This checkpoint has no model card.")
    return (
        gr.update(choices=names, value=first),
        *of_clips(champion, first),
        html.corpora(list(found.values())),
        card,
        *_versions(services),
    )


def of_clips(champion: Champion, name: str) -> tuple[Any, ...]:
    """Return the figures over one corpus, or over all."""
    figures = figures_of(champion.metrics).get(name)
    head = html.headline(figures)
    if champion.problem:
        head = f"{page_html.status(champion.problem, 'refused')}{head}"
    drawn = confusion_figure(figures) if figures and figures.confusion else None
    curve = curves_of(champion.metrics).get(name)
    return (
        head,
        gr.update(value=drawn, visible=drawn is not None),
        html.confusion_words(figures),
        html.classes(figures),
        gr.update(value=curve_figure(curve) if curve else None, visible=curve is not None),
        html.curve_words(curve, NO_CURVE),
    )


def _versions(services: Services) -> tuple[Any, Any, Any]:
    try:
        found, done = versions.lines(services), versions.acts(services)
    except (SerError, TrainerError, OSError) as error:
        refused = page_html.status(str(error), "refused")
        return refused, gr.update(choices=[], value=None, visible=False), gr.skip()
    choices = [line.name for line in found if not line.shipped and not line.problem]
    value = next((line.name for line in found if line.name in choices and not line.serves), None)
    some = value is not None
    return (
        html.history(found, done),
        gr.update(choices=choices, value=value, visible=bool(choices)),
        gr.update(interactive=some),
    )


def progress(runs: Runs, who: Annotator, trouble: str = "") -> tuple[str, Any, Any]:
    """Return how the run stands, whether to look again in a second, and whether it can go on.

    Its log names clips and folders, so that only those who may train read it.
    """
    state = runs.state()
    if not who.may_train:
        state = replace(state, log="", note="", who="", can_go_on=False)
    refused = page_html.status(trouble, "refused") if trouble else ""
    go_on = gr.update(visible=state.can_go_on)
    return refused + html.run(state), gr.Timer(1.0, active=state.busy), go_on


def _watcher(runs: Runs) -> Callable[..., Any]:
    def watch(request: gr.Request) -> Any:
        return progress(runs, runs.services.identity.annotator(request))

    return watch


def _starter(runs: Runs) -> Callable[..., Any]:
    services = runs.services

    def start(kind: str, epochs: float, force: bool, recipe: str, request: gr.Request) -> Any:
        who = services.identity.annotator(request)
        try:
            wish = TrainingRequest(kind, int(epochs or 0), bool(force), recipe or "")
            runs.start(wish, who)
        except (PageError, OSError) as error:
            return progress(runs, who, str(error))
        return progress(runs, who)

    return start


def _continuer(runs: Runs) -> Callable[..., Any]:
    def go_on(request: gr.Request) -> Any:
        who = runs.services.identity.annotator(request)
        try:
            runs.go_on(who)
        except (PageError, OSError) as error:
            return progress(runs, who, str(error))
        return progress(runs, who)

    return go_on


def _stopper(runs: Runs) -> Callable[..., Any]:
    def stop(request: gr.Request) -> Any:
        who = runs.services.identity.annotator(request)
        try:
            runs.stop(who)
        except PageError as error:
            return progress(runs, who, str(error))
        return progress(runs, who)

    return stop


def _promoter(services: Services) -> Callable[..., str]:
    def promote(version: str | None, request: gr.Request) -> str:
        return _acted(lambda who: versions.promote(services, version, who), services, request)

    return promote


def _backer(services: Services) -> Callable[..., str]:
    def back(request: gr.Request) -> str:
        return _acted(lambda who: versions.rollback(services, who), services, request)

    return back


def _acted(act: Callable[[Annotator], str], services: Services, request: gr.Request) -> str:
    try:
        return page_html.status(act(services.identity.annotator(request)), "done")
    except (PageError, SerError, TrainerError, OSError) as error:
        return page_html.status(page_html.sentence(str(error)), "refused")
