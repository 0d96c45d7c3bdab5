"""The panel of published corpora: licence, size, a button for each, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from ser_core.corpora.sources import CORPORA_INFO, SOURCES, Archive, CorpusInfo
from ui import page_html
from ui.corpus.downloads import (
    FOR_THE_OWNER,
    OPEN,
    CorpusDownloads,
    DownloadState,
    may_download,
    megabytes,
)
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say

INTRO = (
    '<p class="hint">Who downloads a corpus accepts its licence. It comes from its owners, is '
    "checked, and appears in the table by itself. You can go on meanwhile.</p>"
)
READS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(downloads: CorpusDownloads) -> gr.HTML:
    """Build the panel inside the current Blocks; return what changes when a corpus has come."""
    with gr.Accordion(
        "Download a published corpus", open=False, elem_id="corpus-download"
    ) as panel:
        gr.HTML(INTRO)
        facts, states, buttons = [], [], []
        for info in OPEN:
            with gr.Row(elem_classes="corpus-download-row"):
                with gr.Column(scale=4, min_width=220):
                    facts.append(gr.HTML(elem_id=f"corpus-download-facts-{info.name}"))
                    states.append(gr.HTML(elem_id=f"corpus-download-state-{info.name}"))
                buttons.append(
                    gr.Button(
                        f"Download {info.title}", size="sm", min_width=190, scale=1,
                        interactive=False, elem_id=f"corpus-download-{info.name}",
                    )
                )  # fmt: skip
        stop = gr.Button(
            "Stop the download", size="sm", visible=False, elem_id="corpus-download-stop"
        )
        outcome = gr.HTML(elem_id="corpus-download-outcome")
        gr.HTML(asked_for())
    timer = gr.Timer(1.0, active=False)
    changing = [*states, *buttons, stop, outcome, timer]
    panel.expand(lambda: [described(one) for one in OPEN], None, facts, **READS)
    panel.expand(_watcher(downloads), None, changing, **READS)
    timer.tick(_watcher(downloads), None, changing, **READS)
    for info, button in zip(OPEN, buttons, strict=True):
        button.click(_downloader(downloads, info.name), None, changing, **READS)
    stop.click(_stopper(downloads), None, changing, **READS)
    return outcome


def described(info: CorpusInfo) -> str:
    """Return what one should know before fetching a corpus."""
    size = say("{count} clips, {size} MB", count=f"{info.clips:,}", size=megabytes(info.size))
    return (
        f'<p class="corpus-download-facts"><b translate="no">{escape(info.title)}</b> '
        f"<span>{size}</span> {_licence(info)}</p>"
    )


def asked_for() -> str:
    """Return the corpora that their owners give to those who ask."""
    links = ", ".join(
        f'<b translate="no">{escape(info.title)}</b> {_licence(info)}'
        for info in CORPORA_INFO.values()
        if not info.open
    )
    return (
        '<p class="hint"><span>Their owners have to be asked for these; put what you get into '
        f"a folder of <code>corpora</code>:</span> {links}</p>"
    )


def _licence(info: CorpusInfo) -> str:
    return f'<a href="{escape(info.url)}" target="_blank" rel="noopener">{escape(info.licence)}</a>'


def progress_of(info: CorpusInfo, state: DownloadState) -> str:
    """Return how far a download is, or how it ended, for the line beside its button."""
    if state.phase == "here":
        return page_html.status("In the corpus.", "done")
    if not state.busy:
        return page_html.status(state.message, "refused") if state.message else ""
    share = state.done / state.total if state.total else 0.0
    if state.phase == "stopping":
        text = say("Stopping")
    elif not state.done:
        text = say("Connecting")
    elif share >= 1:
        text = say("Checking and unpacking")
    elif isinstance(SOURCES[info.name], Archive):
        text = say("{done} of {total} MB", done=megabytes(state.done), total=_total(state))
    else:
        text = say("{done} of {total} files", done=f"{state.done:,}", total=f"{state.total:,}")
    value = f'value="{share:.3f}"' if state.total else ""
    name = escape(say("Download {title}", title=info.title))
    return (
        f'<p class="corpus-download-bar"><progress {value} aria-label="{name}"></progress>'
        f"<span>{text}</span></p>"
    )


def _total(state: DownloadState) -> str:
    return megabytes(state.total) if state.total else "?"


def watched(
    downloads: CorpusDownloads, who: Annotator, trouble: str = "", name: str = ""
) -> tuple[Any, ...]:
    """Return the panel's outputs: states, buttons, the one that stops, the outcome, the timer.

    Args:
        downloads: what is asked.
        who: for whom.
        trouble: why something was refused, or "".
        name: the corpus that the trouble is about, beside whose button it stands.
    """
    if not may_download(downloads.services.identity, who):
        refused = page_html.status(FOR_THE_OWNER, "refused")
        shut = [gr.update(interactive=False)] * len(OPEN)
        return (*[""] * len(OPEN), *shut, gr.update(visible=False), refused, gr.Timer(active=False))
    states = {info.name: downloads.state(info.name) for info in OPEN}
    busy = any(state.busy for state in states.values())
    lines = {info.name: progress_of(info, states[info.name]) for info in OPEN}
    refused = page_html.status(trouble, "refused") if trouble else ""
    if name in lines and not states[name].busy:
        lines[name] = refused or lines[name]
    came = [state.message for state in states.values() if state.phase == "here" and state.message]
    outcome = refused if not name else ""
    return (
        *lines.values(),
        *(
            gr.update(
                value=say("Download {title}", title=info.title),
                interactive=not busy and states[info.name].phase != "here",
            )
            for info in OPEN
        ),
        gr.update(visible=busy),
        outcome + "".join(page_html.status(text, "done") for text in came),
        gr.Timer(1.0, active=busy),
    )


def _watcher(downloads: CorpusDownloads) -> Callable[..., Any]:
    def watch(request: gr.Request) -> Any:
        return watched(downloads, downloads.services.identity.annotator(request))

    return watch


def _downloader(downloads: CorpusDownloads, name: str) -> Callable[..., Any]:
    def begin(request: gr.Request) -> Any:
        who = downloads.services.identity.annotator(request)
        try:
            downloads.start(name, who)
        except PageError as error:
            return watched(downloads, who, str(error), name)
        return watched(downloads, who)

    return begin


def _stopper(downloads: CorpusDownloads) -> Callable[..., Any]:
    def stop(request: gr.Request) -> Any:
        who = downloads.services.identity.annotator(request)
        try:
            downloads.stop(who)
        except PageError as error:
            return watched(downloads, who, str(error))
        return watched(downloads, who)

    return stop
