"""The panel of adjudication: a disputed clip, heard blind, decided with one key."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from label_store.adjudication import Dispute
from label_store.errors import ConflictError, StoreError
from ser_core.errors import SerError
from ui import page_html
from ui.clip_cache import ClipCache
from ui.corpus.adjudication import NOT_PLAYED, Adjudication, AdjudicationOverview, DisplayedDispute
from ui.corpus.html import times
from ui.corpus.session import CorpusTableService
from ui.emotion_buttons import emotion_buttons
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.language import say, say_count, translated
from ui.mixed import bar, in_words, said_beside, undone_in_words
from ui.page_html import swatch

INTRO = (
    '<p class="hint">Clips that annotators label differently, ties first. Listen, then press the '
    "digit of the emotion you hear: your decision is the clip's label. Who said what stays hidden "
    "until you ask for it or have decided. If the Label tab has a second emotion and an intensity "
    "switched on, a decision can carry them too.</p>"
)
NOTHING_OPEN = "Nothing waits for a decision."
REFUSALS = (PageError, GoneError, StoreError, SerError)
TICKET = "document.querySelector('#adjudicate-card [data-ticket]')?.dataset.ticket ?? ''"
WITH_TICKET = f"(_, ...rest) => [{TICKET}, ...rest]"
"""Brings the ticket of the clip that is on the page at this very key press."""

WITH_ALL = f"(_, __, ...rest) => [{TICKET}, window.serMixed.text('adjudicate'), ...rest]"
"""Brings what was chosen beside the emotion, too."""

REPLAY = (
    "() => { const sound = document.querySelector('#adjudicate-card audio');"
    "if (sound) { sound.currentTime = Number(sound.dataset.start || 0); sound.play(); } }"
)
WRITES: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "write",
    "trigger_mode": "multiple",
    "show_progress": "hidden",
}
READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
Later = tuple[str, ...]


def build(service: CorpusTableService, clips: ClipCache) -> gr.Textbox:
    """Build the panel inside the current Blocks; return what changes with every decision."""
    work = Adjudication(service, clips)
    later, ticket = gr.State(()), gr.Textbox(visible=False)
    beside = gr.Textbox(visible=False)
    with gr.Accordion("Adjudication", open=False, elem_id="corpus-adjudication") as panel:
        gr.HTML(INTRO)
        with gr.Row():
            with gr.Column(min_width=280):
                card = gr.HTML(elem_id="adjudicate-card")
            with gr.Column(min_width=280):
                gr.HTML(bar("adjudicate"), elem_classes="mixed-holder")
                choices = emotion_buttons("adjudicate-", "adjudicate-choices")
                with gr.Row(elem_classes="acts"):
                    show = _act("Show the labels", "adjudicate-show", "key-KeyL")
                    put_off = _act("Later", "adjudicate-later", "key-KeyS")
                    undo = _act("Undo", "adjudicate-undo", "key-KeyU")
                    replay = _act("Replay", "adjudicate-replay", "key-KeyR")
                status = gr.HTML(page_html.status(""), elem_id="adjudicate-status")
                figures = gr.HTML(elem_id="adjudicate-figures")
    last = gr.Textbox(visible=False)
    shown = [card, status, figures, later, last]
    panel.expand(_opener(work), later, shown, **READS)
    for emotion, button in choices.items():
        decision = _decider(work, emotion)
        button.click(decision, [ticket, beside, later], shown, js=WITH_ALL, **WRITES)
    show.click(_revealer(work), [ticket, later], shown, js=WITH_TICKET, **READS)
    put_off.click(_postponer(work), [ticket, later], shown, js=WITH_TICKET, **READS)
    undo.click(_undoer(work), later, shown, **WRITES)
    replay.click(None, None, None, js=REPLAY, api_visibility="private")
    return last


def _act(title: str, name: str, key: str) -> gr.Button:
    return gr.Button(title, size="sm", min_width=60, elem_id=name, elem_classes=key)


# ---------------------------------------------------------------------- what the page shows


def view(
    work: Adjudication, who: Annotator, later: Later, status: str, *, reveal: bool = False,
    last: str | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the clip to decide, the status line, the figures, what is put off, the last event."""
    changed = gr.skip() if last is None else last
    try:
        shown = work.next(who, later)
        found = work.overview(who)
    except REFUSALS as error:
        return page_html.status(str(error), "refused"), status, "", later, changed
    text = (
        card(shown, reveal=reveal) if shown else f'<div class="welcome">{say(NOTHING_OPEN)}</div>'
    )
    return text, status, figures(found), later, changed


def _refused(error: Exception, later: Later) -> tuple[Any, ...]:
    return gr.skip(), page_html.status(str(error), "refused"), gr.skip(), later, gr.skip()


def card(shown: DisplayedDispute, *, reveal: bool) -> str:
    """Return the clip's card; names and labels only where they were asked for."""
    one = shown.dispute
    title = escape(one.file_name) if reveal else say("A clip without its name")
    facts = [say_count(len(one.annotations), "1 annotator", "{count} annotators")]
    facts += [say("tied")] if one.tied else []
    facts += [part] if (part := times(one.start, one.end)) else []
    given = labels(one, shown.given) if reveal else ""
    return (
        f'<section class="clip-card" data-ticket="{escape(shown.ticket)}" '
        f'aria-label="The clip to decide"><p class="clip-name" translate="no">{title}</p>'
        f'<p class="file">{" · ".join(facts)}</p>{_sound(shown)}{given}</section>'
    )


def _sound(shown: DisplayedDispute) -> str:
    one = shown.dispute
    if shown.ready is None or not shown.ready.sound:
        why = escape(translated(shown.trouble.replace(one.file_name, "This clip")))
        return f'<p class="notice" role="alert">{why} {say(NOT_PLAYED)}</p>'
    part = "" if one.start is None else f"#t={one.start},{'' if one.end is None else one.end}"
    return (
        f'<audio controls data-play="now" data-start="{one.start or 0}" '
        f'src="{shown.ready.sound}{part}" aria-label="The clip to decide"></audio>'
    )


def labels(one: Dispute, given: str = "") -> str:
    """Return who labelled what, and what the corpus says."""
    rows = [(name, emotion, words) for (name, emotion), words in _in_words(one)]
    rows += [(say("the corpus"), given, say(given))] if given else []
    items = "".join(
        f'<li class="mine">{swatch(emotion)} <b translate="no">{escape(words)}</b> '
        f'<span translate="no">{escape(name)}</span></li>'
        for name, emotion, words in rows
    )
    return f'<ul class="said" aria-label="Labels">{items}</ul>'


def _in_words(one: Dispute) -> list[tuple[tuple[str, str], str]]:
    """Return each annotation, and its label with what stands beside the emotion."""
    return [
        (annotation, in_words(annotation[1], *beside))
        for annotation, beside in zip(one.annotations, one.beside, strict=True)
    ]


def figures(found: AdjudicationOverview) -> str:
    """Return how much waits, and alpha before and after the decisions."""
    waiting, settled = len(found.waiting), len(found.settled)
    text = say_count(
        waiting,
        "1 clip to decide, {settled} decided.",
        "{count} clips to decide, {settled} decided.",
        settled=f"{settled:,}",
    )
    before, after = found.alpha.before, found.alpha.after
    if before is not None and after is not None:
        text += " " + say(
            "Krippendorff's alpha: {before} before decisions, {after} after.",
            before=f"{before:.2f}",
            after=f"{after:.2f}",
        )
    return f'<p class="hint">{text}</p>'


def decided(
    work: Adjudication, who: Annotator, session: str, ticket: str, emotion: str, later: Later,
    beside: str = "",
) -> tuple[Any, ...]:  # fmt: skip
    """Save a decision; return the outputs with the next clip, and who had said what.

    Args:
        work, who, session, ticket, emotion: as for `Adjudication.decide`.
        later: what is put off.
        beside: the second emotion and the intensity, as mixed.js writes them.
    """
    try:
        saved = work.decide(who, session, ticket, emotion, *said_beside(beside))
    except ConflictError as error:
        return view(work, who, later, page_html.status(str(error), "refused"))
    except REFUSALS as error:
        return _refused(error, later)
    given = next(
        (
            _separated([f"{name} {words}" for (name, _), words in _in_words(one)])
            for one in work.overview(who).settled
            if one.head == saved.event_id
        ),
        "",
    )
    text = say(
        "Saved #{number}: {name} is {emotion}.",
        number=saved.number,
        name=saved.event.file_name,
        emotion=in_words(saved.event.emotion, saved.event.second_emotion, saved.event.intensity),
    )
    text += " " + say("The annotators said: {given}.", given=given) if given else ""
    return view(work, who, later, page_html.status(text, "done"), last=saved.event_id)


def _separated(given: list[str]) -> str:
    """Join what each annotator chose; where one of them names an intensity, commas don't part."""
    return ("; " if any(", " in one for one in given) else ", ").join(given)


def undone(work: Adjudication, who: Annotator, session: str, later: Later) -> tuple[Any, ...]:
    """Take the last decision back and return the outputs."""
    try:
        saved = work.undo(who, session)
    except REFUSALS as error:
        return _refused(error, later)
    before = work.services.store.state().by_id.get(saved.event.target)
    text = undone_in_words(saved, "the clip", before)
    return view(work, who, later, page_html.status(text, "done"), last=saved.event_id)


# ---------------------------------------------------------------------- handlers


def _opener(work: Adjudication) -> Callable[..., Any]:
    def open_(later: Later, request: gr.Request) -> Any:
        who = work.services.identity.annotator(request)
        return view(work, who, later, page_html.status(""))

    return open_


def _decider(work: Adjudication, emotion: str) -> Callable[..., Any]:
    def decide(ticket: str, beside: str, later: Later, request: gr.Request) -> Any:
        who = work.services.identity.annotator(request)
        return decided(work, who, request.session_hash or "", ticket, emotion, later, beside)

    return decide


def _revealer(work: Adjudication) -> Callable[..., Any]:
    def reveal(ticket: str, later: Later, request: gr.Request) -> Any:
        who = work.services.identity.annotator(request)
        return view(work, who, later, page_html.status(""), reveal=True)

    return reveal


def _postponer(work: Adjudication) -> Callable[..., Any]:
    def postpone(ticket: str, later: Later, request: gr.Request) -> Any:
        who = work.services.identity.annotator(request)
        return view(work, who, work.postponed(ticket, later), page_html.status(""))

    return postpone


def _undoer(work: Adjudication) -> Callable[..., Any]:
    def undo(later: Later, request: gr.Request) -> Any:
        who = work.services.identity.annotator(request)
        return undone(work, who, request.session_hash or "", later)

    return undo
