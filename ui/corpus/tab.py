"""Corpus: the table of file names and emotions as it stands, and what is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.context import Context

from label_store.agreement import agreement, annotations_by_clip
from label_store.corpus_rows import SORTS, TableQuery, row_key
from label_store.errors import StoreError
from label_store.out_of_fold import COMMAND
from ser_core.errors import SerError
from ui import clip_import_panel, page_html, standing
from ui.calls import event_value
from ui.catalogue import require_hearing
from ui.clip_cache import ClipCache
from ui.corpus import (
    adjudication_panel,
    annotators_panel,
    downloads_panel,
    enough,
    exchange,
    figures,
    html,
)
from ui.corpus.downloads import CorpusDownloads
from ui.corpus.session import CorpusTableService
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.language import say, say_count, translated
from ui.services import CLIPS_AT_ONCE, Services

HINT = (
    '<p class="hint">Edit a name or an emotion in its cell; ▶ plays a row; headings sort. '
    "Only predictions by a model that was not trained on the speaker can point to a label error: "
    f"<code>{COMMAND}</code> trains models that leave speakers out in turn.</p>"
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
    service, clips, tab = CorpusTableService(services), ClipCache(services, room=8), Context.block
    services.ahead.append(lambda: service.page(TableQuery()))
    query = gr.State(TableQuery())
    picked = gr.Textbox(visible=False)
    filters = _filters()
    gr.HTML(HINT)
    count, fill = standing.build(services, "corpus")
    certain, tell = enough.build(services)
    sound = gr.HTML(elem_id="corpus-editor")
    table = gr.HTML(elem_id="corpus-table", js_on_load=html.EVENTS)
    status = gr.HTML(page_html.status(""), elem_id="corpus-status")
    with gr.Row(elem_classes="acts"):
        ask = gr.Button("Predict these rows", size="sm", elem_id="corpus-ask")
        word = gr.Button("Use the model's label for ticked rows", size="sm", elem_id="corpus-word")
        take = gr.Button("Accept suggestions", size="sm", elem_id="corpus-accept")
        turn = gr.Button("Reject suggestions", size="sm", elem_id="corpus-reject")
    added = clip_import_panel.build(services, "corpus")
    fetched = downloads_panel.build(CorpusDownloads(services))
    with gr.Accordion("Import and export", open=False, elem_id="corpus-exchange"):
        imported = exchange.build(service)
    settled = adjudication_panel.build(service, clips)
    ruled = annotators_panel.build(service, picked)
    with gr.Accordion("Balance and agreement", open=False, elem_id="corpus-figures") as figures:
        balance = gr.Plot(show_label=False, container=False, elem_classes="picture")
        words = gr.HTML()
        kappa = gr.Plot(show_label=False, container=False, elem_classes="picture", visible=False)

    fields, shown = list(filters.values()), [query, table, status]
    tab.select(_loader(service), [query, *fields], [*shown, *fields[1:4]], **READS)
    narrow = {"fn": _filterer(service), "inputs": [query, *fields], "outputs": shown} | READS
    filters["search"].change(trigger_mode="always_last", **narrow)
    gr.on([field.input for field in fields[1:]], trigger_mode="always_last", **narrow)
    table.select(_actor(service, clips), query, [*shown, sound], show_progress="hidden", **WRITES)
    for button, act in ((word, "word"), (take, "take"), (turn, "turn")):
        button.click(_batcher(service, act), [picked, query], shown, js=html.PICKED, **WRITES)
    ask.click(
        _asker(service), query, shown, api_visibility="private", concurrency_id="model",
        concurrency_limit=CLIPS_AT_ONCE, show_progress_on=status,
    )  # fmt: skip
    for grown in (added, fetched):
        grown.change(_loader(service), [query, *fields], [*shown, *fields[1:4]], **READS)
    settled.change(_viewer(service), query, shown, **READS)
    imported.click(_viewer(service), query, shown, **READS)
    for event in (tab.select, status.change, added.change, settled.change, imported.click):
        event(fill, None, count, **standing.READS)
        event(tell, None, certain, **standing.READS)
    ruled.change(fill, None, count, **standing.READS)
    ruled.change(tell, None, certain, **standing.READS)
    figures.expand(_drawer(service), None, [balance, words, kappa], api_visibility="private")


def _filters() -> dict[str, Any]:
    with gr.Row(elem_id="corpus-filters"):
        return {
            "search": gr.Textbox(
                label="Search file names", max_lines=1, min_width=180, elem_id="corpus-search"
            ),
            "corpus": gr.Dropdown([("all", "")], value="", label="Corpus", min_width=120),
            "emotion": gr.Dropdown([("all", "")], value="", label="Emotion", min_width=120),
            "problem": gr.Dropdown(
                [("all", "")], value="", label="Problem", min_width=150,
                elem_id="corpus-problem",
            ),
        }  # fmt: skip


# ---------------------------------------------------------------------- what the page shows


def view(
    service: CorpusTableService,
    who: Annotator,
    query: TableQuery,
    status: str,
    *,
    playing: str = "",
    changed: str = "",
) -> tuple[Any, ...]:
    """Return query, table and status line; the status of a changed row stands beside it too.

    Those who may not hear the clips get a sentence in place of the table.
    """
    try:
        require_hearing(who)
    except PageError as error:
        return query, page_html.status(str(error), "refused"), ""
    page = service.page(query)
    reasons = {row.key: service.reason(row) for row in page.rows}
    text = html.table(page, query, reasons, playing=playing, note=(changed, status))
    trouble = service.folds.trouble()
    listing = service.services.catalogue.listing()
    notes = html.notices((*listing.notices, *([trouble] if trouble else [])))
    return replace(query, page=page.page), notes + text, status


def choices(service: CorpusTableService, who: Annotator) -> tuple[Any, ...]:
    """Return the filters' choices with how many rows each has."""
    if not who.may_hear:
        return (gr.skip(),) * 3
    counts = service.table().counts()
    titles = html.PROBLEMS | {"": "none"}
    found = []
    for name in ("corpus", "emotion", "problem"):
        some = [(say("all"), "")] + ([(say("anything"), "any")] if name == "problem" else [])
        for key, count in counts[name].items():
            if key:
                title = key if name == "corpus" else say(titles.get(key, key))
                some.append((f"{title} · {count:,}", key))
        found.append(gr.update(choices=some))
    return tuple(found)


def filtered(query: TableQuery, search: str, corpus: str, emotion: str, problem: str) -> TableQuery:
    """Return the query with other filters, on its first page."""
    return replace(
        query, search=(search or "")[:200], corpus=corpus or "", emotion=emotion or "",
        problem=problem or "", page=0,
    )  # fmt: skip


def acted(
    service: CorpusTableService,
    clips: ClipCache,
    who: Annotator,
    session: str,
    query: TableQuery,
    message: str,
) -> tuple[Any, ...]:
    """Do what a click or a change in the table asks for; return the outputs, the player last."""
    key = ""
    try:
        require_hearing(who)
        asked = {str(name): str(value) for name, value in dict(json.loads(message)).items()}
        do, to, key = asked.get("do", ""), asked.get("to", ""), asked.get("key", "")
        if do == "sort" and to in SORTS:
            turned = query.sort == to and not query.descending
            first = to == "suspicion" and query.sort != to
            query = replace(query, sort=to, descending=turned or first, page=0)
        elif do == "page" and to.isdecimal():
            query = replace(query, page=int(to[:9]))
        elif do == "play":
            return (
                *view(service, who, query, page_html.status(""), playing=key),
                _sound(service, clips, who, key),
            )
        elif do in {"emotion", "name"}:
            change = {"emotion": to} if do == "emotion" else {"file_name": to.strip()}
            saved = service.correct(who, session, key, asked.get("head") or None, **change)
            return (
                *view(
                    service, who, query, _saved_line(service, saved), changed=_changed(saved, key)
                ),
                gr.skip(),
            )
    except REFUSALS as error:
        refused = page_html.status(str(error), "refused")
        return (*view(service, who, query, refused, changed=key), gr.skip())
    except (ValueError, TypeError, AttributeError):
        return (
            *view(
                service,
                who,
                query,
                page_html.status("The page sent something unexpected. Reload it.", "refused"),
            ),
            "",
        )
    return (*view(service, who, query, page_html.status("")), gr.skip())


def _changed(saved: list[Any], key: str) -> str:
    """Return the key that a row has after a correction: its clip's, once the store keeps it."""
    if not saved:
        return key
    event = saved[-1].event
    part = key.rpartition("[")[2] if event.action == "rename" and key.endswith("]") else ""
    return f"{event.key}[{part}" if part else row_key(event.key, event.start, event.end)


def _saved_line(service: CorpusTableService, saved: list[Any]) -> str:
    if not saved:
        return page_html.status("Nothing to change.")
    last = saved[-1]
    why = service.services.standing.sentence(last.event.key)
    what = say(last.event.emotion) if last.event.emotion else last.event.file_name
    text = say("Saved #{number}: {emotion}.", number=last.number, emotion=what)
    return page_html.status(f"{text}{why}", "done")


def _sound(service: CorpusTableService, clips: ClipCache, who: Annotator, key: str) -> str:
    require_hearing(who)
    row = service.row(key)
    ready = clips.get(*service.clip_of(row))
    if not ready.sound:
        raise PageError(ready.trouble)
    return html.sound(ready.sound, row.file_name, row.start, row.end)


def batched(
    service: CorpusTableService, who: Annotator, session: str, act: str, keys: list[str]
) -> str:
    """Do something with the ticked rows; return the status line."""
    try:
        if act == "word":
            count = service.accept(who, session, keys)
            text = say_count(
                count,
                "Saved: the model's label was used for 1 row.",
                "Saved: the model's label was used for {count} rows.",
            )
        else:
            count = service.settle(who, session, keys, take=act == "take")
            text = _settled_line(count, taken=act == "take")
    except REFUSALS as error:
        return page_html.status(str(error), "refused")
    return page_html.status(text, "done")


def _settled_line(count: int, *, taken: bool) -> str:
    if taken:
        return say_count(
            count, "Saved: 1 suggestion accepted.", "Saved: {count} suggestions accepted."
        )
    return say_count(count, "Saved: 1 suggestion rejected.", "Saved: {count} suggestions rejected.")


def drawn(service: CorpusTableService, who: Annotator) -> tuple[Any, ...]:
    """Return the balance, the agreement in words, and its picture where there is one."""
    hidden = gr.update(value=None, visible=False)
    try:
        require_hearing(who)
    except PageError as error:
        return None, page_html.status(str(error), "refused"), hidden
    found = agreement(annotations_by_clip(service.services.store.state()))
    counts = service.table().counts()["emotion"]
    pairs = gr.update(value=figures.agreement_figure(found), visible=True)
    return (
        figures.balance_figure(counts) if counts else None,
        figures.summary(found),
        pairs if found.pairs else hidden,
    )


# ---------------------------------------------------------------------- handlers


def _loader(service: CorpusTableService) -> Callable[..., Any]:
    def load(
        query: TableQuery, search: str, corpus: str, emotion: str, problem: str,
        request: gr.Request,
    ) -> Any:  # fmt: skip
        who = service.services.identity.annotator(request)
        narrower = filtered(query, search, corpus, emotion, problem)
        return (*view(service, who, narrower, page_html.status("")), *choices(service, who))

    return load


def _filterer(service: CorpusTableService) -> Callable[..., Any]:
    def narrow(
        query: TableQuery, search: str, corpus: str, emotion: str, problem: str,
        request: gr.Request,
    ) -> Any:  # fmt: skip
        who = service.services.identity.annotator(request)
        narrower = filtered(query, search, corpus, emotion, problem)
        return view(service, who, narrower, page_html.status(""))

    return narrow


def _viewer(service: CorpusTableService) -> Callable[..., Any]:
    def look(query: TableQuery, request: gr.Request) -> Any:
        return view(service, service.services.identity.annotator(request), query, "")

    return look


def _actor(service: CorpusTableService, clips: ClipCache) -> Callable[..., Any]:
    def act(query: TableQuery, event: gr.EventData, request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        message = event_value(event)
        return acted(service, clips, who, request.session_hash or "", query, message)

    return act


def _batcher(service: CorpusTableService, act: str) -> Callable[..., Any]:
    def batch(picked: str, query: TableQuery, request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        keys = html.parsed_keys(picked)
        status = batched(service, who, request.session_hash or "", act, keys)
        return view(service, who, query, status)

    return batch


def _asker(service: CorpusTableService) -> Callable[..., Any]:
    def ask(query: TableQuery, request: gr.Request, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        who = service.services.identity.annotator(request)
        try:
            done, wrong = service.ask_model(
                who,
                query,
                lambda at, of: progress((at, of), desc=say("Predicting"), unit=say("clips")),
            )
        except REFUSALS as error:
            return view(service, who, query, page_html.status(str(error), "refused"))
        return view(service, who, query, asked_status(done, wrong))

    return ask


def asked_status(done: int, wrong: list[str]) -> str:
    """Return what came of asking the model."""
    if not done and not wrong:
        return page_html.status("All of these rows already have a prediction.")
    text = say_count(done, "Predicted 1 clip.", "Predicted {count} clips.")
    if wrong:
        text += " " + say(
            "{count} could not be predicted; the first: {reason}",
            count=len(wrong),
            reason=translated(wrong[0]),
        )
    return page_html.status(text, "refused" if wrong else "done")


def _drawer(service: CorpusTableService) -> Callable[..., Any]:
    def draw(request: gr.Request) -> Any:
        return drawn(service, service.services.identity.annotator(request))

    return draw
