"""Corpus: the table of file names and emotions as it stands, and what is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.context import Context

from label_store.agreement import agreement, votes
from label_store.corpus_table import SORTS, Query
from label_store.errors import StoreError
from label_store.fold_opinions import COMMAND
from ser_core.errors import SerError
from ui import corpus_exchange, corpus_parts, corpus_people_panel, corpus_pictures, parts
from ui.analysis import PageError
from ui.corpus_desk import CorpusDesk
from ui.identity import Annotator
from ui.label_clip import GoneError, Shelf
from ui.services import Services

HINT = (
    '<p class="hint">Correct a name or an emotion in its cell; ▶ plays a row; a heading sorts. '
    "Suspected errors are named only where a model never heard the speaker in training: "
    f"<code>{COMMAND}</code> trains models that leave each speaker out in turn.</p>"
)
WRITES: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "write",
    "trigger_mode": "multiple",
}
READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
REFUSALS = (PageError, GoneError, StoreError, SerError)


def build(services: Services) -> None:
    """Build the tab inside the current Blocks."""
    desk, shelf, tab = CorpusDesk(services), Shelf(services, room=8), Context.block
    query = gr.State(Query())
    picked = gr.Textbox(visible=False)
    filters = _filters()
    gr.HTML(HINT)
    sound = gr.HTML(elem_id="corpus-editor")
    table = gr.HTML(elem_id="corpus-table", js_on_load=corpus_parts.EVENTS)
    status = gr.HTML(parts.status(""), elem_id="corpus-status")
    with gr.Row(elem_classes="acts"):
        ask = gr.Button("Ask the model about these rows", size="sm", elem_id="corpus-ask")
        word = gr.Button("Take the model's word for ticked", size="sm", elem_id="corpus-word")
        take = gr.Button("Accept suggestions of ticked", size="sm", elem_id="corpus-accept")
        turn = gr.Button("Turn them down", size="sm", elem_id="corpus-reject")
    with gr.Accordion("Import and export", open=False, elem_id="corpus-exchange"):
        imported = corpus_exchange.build(desk)
    corpus_people_panel.build(desk, picked)
    with gr.Accordion("Balance and agreement", open=False, elem_id="corpus-figures") as figures:
        balance = gr.Plot(show_label=False, container=False, elem_classes="picture")
        words = gr.HTML()
        kappa = gr.Plot(show_label=False, container=False, elem_classes="picture", visible=False)

    fields, shown = list(filters.values()), [query, table, status]
    tab.select(_loader(desk), [query, *fields], [*shown, *fields[1:4]], **READS)
    narrow = {"fn": _filterer(desk), "inputs": [query, *fields], "outputs": shown} | READS
    filters["search"].change(trigger_mode="always_last", **narrow)
    gr.on([field.input for field in fields[1:]], **narrow)
    table.select(_actor(desk, shelf), query, [*shown, sound], show_progress="hidden", **WRITES)
    for button, act in ((word, "word"), (take, "take"), (turn, "turn")):
        button.click(_batcher(desk, act), [picked, query], shown, js=corpus_parts.PICKED, **WRITES)
    ask.click(
        _asker(desk), query, shown, api_visibility="private", concurrency_id="model",
        concurrency_limit=2, show_progress_on=status,
    )  # fmt: skip
    imported.click(lambda query: view(desk, query, ""), query, shown, **READS)
    figures.expand(_drawer(desk), None, [balance, words, kappa], api_visibility="private")


def _filters() -> dict[str, Any]:
    with gr.Row(elem_id="corpus-filters"):
        return {
            "search": gr.Textbox(
                label="Search file names", max_lines=1, min_width=180, elem_id="corpus-search"
            ),
            "corpus": gr.Dropdown([("all", "")], value="", label="Corpus", min_width=120),
            "emotion": gr.Dropdown([("all", "")], value="", label="Emotion", min_width=120),
            "problem": gr.Dropdown(
                [("all", "")], value="", label="What is wrong", min_width=150,
                elem_id="corpus-problem",
            ),
        }  # fmt: skip


# ---------------------------------------------------------------------- what the page shows


def view(desk: CorpusDesk, query: Query, status: str, *, playing: str = "") -> tuple[Any, ...]:
    """Return the query, the table's page and the status line."""
    page = desk.page(query)
    reasons = {row.key: desk.source(row).problem for row in page.rows}
    text = corpus_parts.table(page, query, reasons, playing=playing)
    trouble = desk.folds.trouble()
    listing = desk.services.catalogue.listing()
    notes = corpus_parts.notices((*listing.notices, *([trouble] if trouble else [])))
    return replace(query, page=page.page), notes + text, status


def choices(desk: CorpusDesk) -> tuple[Any, ...]:
    """Return the filters' choices with how many rows each has."""
    counts = desk.table().counts()
    titles = corpus_parts.PROBLEMS | {"": "none"}
    found = []
    for name in ("corpus", "emotion", "problem"):
        some = [("all", "")] + ([("anything", "any")] if name == "problem" else [])
        for key, count in counts[name].items():
            if key:
                some.append((f"{titles.get(key, key)} · {count:,}", key))
        found.append(gr.update(choices=some))
    return tuple(found)


def filtered(query: Query, search: str, corpus: str, emotion: str, problem: str) -> Query:
    """Return the query with other filters, on its first page."""
    return replace(
        query, search=(search or "")[:200], corpus=corpus or "", emotion=emotion or "",
        problem=problem or "", page=0,
    )  # fmt: skip


def acted(
    desk: CorpusDesk, shelf: Shelf, who: Annotator, session: str, query: Query, message: str
) -> tuple[Any, ...]:
    """Do what a click or a change in the table asks for; return the outputs, the player last."""
    try:
        asked = {str(key): str(value) for key, value in dict(json.loads(message)).items()}
        do, to, key = asked.get("do", ""), asked.get("to", ""), asked.get("key", "")
        if do == "sort" and to in SORTS:
            turned = query.sort == to and not query.descending
            first = to == "suspicion" and query.sort != to
            query = replace(query, sort=to, descending=turned or first, page=0)
        elif do == "page" and to.isdecimal():
            query = replace(query, page=int(to[:9]))
        elif do == "play":
            return (
                *view(desk, query, parts.status(""), playing=key),
                _sound(desk, shelf, who, key),
            )
        elif do in {"emotion", "name"}:
            change = {"emotion": to} if do == "emotion" else {"file_name": to.strip()}
            saved = desk.correct(who, session, key, asked.get("head") or None, **change)
            return (*view(desk, query, _said(saved)), gr.skip())
    except REFUSALS as error:
        return (*view(desk, query, parts.status(str(error), "refused")), gr.skip())
    except (ValueError, TypeError, AttributeError):
        return (*view(desk, query, parts.status("The page sent nothing sensible.", "refused")), "")
    return (*view(desk, query, parts.status("")), gr.skip())


def _said(saved: list[Any]) -> str:
    if not saved:
        return parts.status("Nothing had to be changed.")
    last = saved[-1]
    return parts.status(
        f"Saved #{last.number}: {last.event.emotion or last.event.file_name}.", "done"
    )


def _sound(desk: CorpusDesk, shelf: Shelf, who: Annotator, key: str) -> str:
    if not (who.may_write or who.may_suggest):
        raise PageError(who.reason)
    row = desk.row(key)
    ready = shelf.get(*desk.clip_of(row))
    if not ready.sound:
        raise PageError(ready.trouble)
    return corpus_parts.sound(ready.sound, row.file_name)


def batched(desk: CorpusDesk, who: Annotator, session: str, act: str, keys: list[str]) -> str:
    """Do something with the ticked rows; return the status line."""
    try:
        if act == "word":
            count = desk.accept(who, session, keys)
            text = f"Saved: the model's word was taken for {count} rows."
        else:
            count = desk.settle(who, session, keys, take=act == "take")
            text = f"Saved: {count} suggestions {'accepted' if act == 'take' else 'turned down'}."
    except REFUSALS as error:
        return parts.status(str(error), "refused")
    return parts.status(text, "done")


def drawn(desk: CorpusDesk) -> tuple[Any, ...]:
    """Return the balance, the agreement in words, and its picture where there is one."""
    found = agreement(votes(desk.services.store.state()))
    counts = desk.table().counts()["emotion"]
    pairs = gr.update(value=corpus_pictures.agreement_figure(found), visible=True)
    hidden = gr.update(value=None, visible=False)
    return (
        corpus_pictures.balance_figure(counts) if counts else None,
        corpus_pictures.summary(found),
        pairs if found.pairs else hidden,
    )


# ---------------------------------------------------------------------- handlers


def _loader(desk: CorpusDesk) -> Callable[..., Any]:
    def load(query: Query, *fields: str) -> Any:
        return (*view(desk, filtered(query, *fields), parts.status("")), *choices(desk))

    return load


def _filterer(desk: CorpusDesk) -> Callable[..., Any]:
    def narrow(query: Query, *fields: str) -> Any:
        return view(desk, filtered(query, *fields), parts.status(""))

    return narrow


def _actor(desk: CorpusDesk, shelf: Shelf) -> Callable[..., Any]:
    def act(query: Query, event: gr.EventData, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        message = str(event._data.get("value", ""))
        return acted(desk, shelf, who, request.session_hash or "", query, message)

    return act


def _batcher(desk: CorpusDesk, act: str) -> Callable[..., Any]:
    def batch(picked: str, query: Query, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        keys = corpus_parts.parsed_keys(picked)
        status = batched(desk, who, request.session_hash or "", act, keys)
        return view(desk, query, status)

    return batch


def _asker(desk: CorpusDesk) -> Callable[..., Any]:
    def ask(query: Query, request: gr.Request, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        who = desk.services.identity.annotator(request)
        try:
            done, wrong = desk.ask_model(
                who, query, lambda at, of: progress((at, of), desc="Listening", unit="clips")
            )
        except REFUSALS as error:
            return view(desk, query, parts.status(str(error), "refused"))
        return view(desk, query, asked_status(done, wrong))

    return ask


def asked_status(done: int, wrong: list[str]) -> str:
    """Return what came of asking the model."""
    if not done and not wrong:
        return parts.status("The model has already judged all of these rows.")
    trouble = f" {len(wrong)} could not be judged; the first: {wrong[0]}" if wrong else ""
    return parts.status(f"The model judged {done} clips.{trouble}", "refused" if wrong else "done")


def _drawer(desk: CorpusDesk) -> Callable[..., Any]:
    return lambda: drawn(desk)
