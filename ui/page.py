"""The whole page: head, tabs, API. A new tab is one module with ``build`` and one line here."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui import api, keeping, language, model_choice, page_html, theme
from ui.calls import CheckedBlocks
from ui.compression import CompressedPage
from ui.identity import Identity
from ui.lean_session import keep_sessions_lean
from ui.request_guard import RequestGuard, RequestLimits
from ui.services import CLIPS_AT_ONCE, Services
from ui.temporary import KEPT_SECONDS, SWEEP_SECONDS

TABS: tuple[tuple[str, str, str], ...] = (
    ("Recognise", "recognise", ""),
    ("Label", "label", ""),
    ("Augment", "augment", "explore"),
    ("Robustness", "robustness", "explore"),
    ("Features", "features", "explore"),
    ("Live", "live", "explore"),
    ("Corpus", "corpus", ""),
    ("Model", "model", ""),
    ("About", "about", ""),
)
"""Title, module under ``ui`` and group of each tab, in order. Those of one group stand together
inside one tab; "" is a tab of the page's own row."""

GROUPS: dict[str, str] = {"explore": "Explore"}
"""Title of each group."""

START = (
    "() => { window.serPage.ready = true; window.serPage.groups = "
    f"{json.dumps({name: group for _, name, group in TABS if group})}; "
    "return [window.serPage.start]; }"
)
"""Brings the tab that stood in the address when the page was opened."""

SESSIONS = 500
"""Open pages whose state is kept. The oldest gives way."""


def build_page(services: Services, *, sign_in: bool = False) -> gr.Blocks:
    """Return the page.

    Args:
        services: the parts behind it.
        sign_in: show the Hub's sign-in button (inside a Space that has OAuth).
    """

    def lines(model: str, request: gr.Request) -> tuple[str, Any, str]:
        chosen = model_choice.standing(services, model)
        line = model_choice.model_line(services, chosen)
        return line, chosen, keeping.keeping_line(services, request)

    def looked_again(model: str, request: gr.Request) -> tuple[str, Any, str]:
        line, chosen, kept = lines(model, request)
        # What is chosen while this is on its way is not overwritten.
        return line, gr.skip() if chosen == model else chosen, kept

    keep_sessions_lean()
    with CheckedBlocks(
        title=page_html.TITLE,
        analytics_enabled=False,
        delete_cache=(round(SWEEP_SECONDS), round(KEPT_SECONDS)),
        fill_width=True,
    ) as page:
        # Gradio describes the whole page for it, which is nothing to do while it is empty.
        page.queue(max_size=64, default_concurrency_limit=4)
        with gr.Row(elem_id="top"):
            with gr.Column(scale=3, min_width=280):
                gr.HTML(language.fixed(page_html.MASTHEAD))
            with gr.Column(scale=2, min_width=240):
                model_line, model = model_choice.build(services)
                keeping_line = gr.HTML(elem_id="keeping-line")
                if sign_in:
                    gr.LoginButton(size="sm")
        for event, look, js in (
            (page.load, lines, model_choice.RECALL),
            (gr.Timer(5).tick, looked_again, None),
        ):
            event(
                look,
                model,
                [model_line, model, keeping_line],
                js=js,
                show_progress="hidden",
                api_visibility="private",
                queue=False,
            )
        start = gr.Textbox(visible=False)
        rows = _tabs(services)
        page.load(opening_tab, start, rows, js=START, api_visibility="private", queue=False,
                  show_progress="hidden")  # fmt: skip
        api.build(services)
        language.translate_page(page)
    _show_hidden_progress_nowhere(page, start)
    _publish_only(page, api.ENDPOINTS + (api.TOOLS if services.settings.mcp else ()))
    return page


def _tabs(services: Services) -> list[gr.Tabs]:
    """Build every tab; return the page's row of tabs, then that of each group."""
    inner: dict[str, gr.Tabs] = {}
    with gr.Tabs(elem_id="tabs") as outer:
        for group, rows in itertools.groupby(TABS, key=lambda row: row[2]):
            if not group:
                for title, name, _ in rows:
                    _tab(services, title, name)
                continue
            with (
                gr.Tab(language.fixed(GROUPS[group]), id=group, elem_id=f"tab-{group}") as tab,
                gr.Tabs(elem_id=f"tabs-{group}", elem_classes="inner-tabs") as inner[group],
            ):
                for title, name, _ in rows:
                    _tab(services, title, name)
            _keep_in_address(tab, group)
    return [outer, *(inner[group] for group in GROUPS)]


def _tab(services: Services, title: str, name: str) -> None:
    with gr.Tab(language.fixed(title), id=name, elem_id=f"tab-{name}") as tab:
        importlib.import_module(f"ui.{name}.tab").build(services)
    _keep_in_address(tab, name)


def _keep_in_address(tab: gr.Tab, name: str) -> None:
    tab.select(None, None, None, js=f"() => window.serPage.opened('{name}')",
               api_visibility="private")  # fmt: skip


def opening_tab(name: str) -> list[Any]:
    """Return the rows of tabs with the named one open; an unknown name changes nothing."""
    groups = {module: group for _, module, group in TABS} | dict.fromkeys(GROUPS, "")
    if name not in groups:
        return [gr.skip()] * (1 + len(GROUPS))
    group = groups[name]
    return [
        gr.Tabs(selected=group or name),
        *(gr.Tabs(selected=name) if one == group else gr.skip() for one in GROUPS),
    ]


def _show_hidden_progress_nowhere(page: gr.Blocks, nowhere: gr.Textbox) -> None:
    """Spare the browser the state of progress that no one sees.

    At each step of each listener Gradio 6 copies all that it knows of every component which once
    showed a listener's progress, its outputs by default: half of the time from a key press to the
    next clip.

    Args:
        page: with all its listeners.
        nowhere: a component that is never drawn.
    """
    for listener in page.fns.values():
        if listener.show_progress == "hidden" and not listener.show_progress_on:
            listener.show_progress_on = [nowhere]


def _publish_only(page: gr.Blocks, names: Sequence[str]) -> None:
    """Hide every listener but the API's, those too that Gradio makes for a component's value."""
    for listener in page.fns.values():
        if listener.api_name not in names:
            listener.api_visibility = "private"


def launch_options(services: Services) -> dict[str, Any]:
    """Return what ``Blocks.launch`` is given: look, limits, who may come in, what may be read."""
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    settings, identity = services.settings, services.identity

    def health(request: Request) -> JSONResponse:
        answer, status = keeping.health(services)
        return JSONResponse(answer, status)

    guard = Middleware(
        RequestGuard,
        local=identity.mode == "local",
        proxied=identity.space,
        same_site_cookies=not identity.space,  # a Space is shown in a frame of another site
        limits=RequestLimits(files=settings.files_at_once),
    )
    small = Middleware(CompressedPage)
    return {
        "app_kwargs": {"routes": [Route("/health", health)], "middleware": [guard, small]},
        "state_session_capacity": SESSIONS,
        "max_threads": 5 * CLIPS_AT_ONCE,  # so that full lines of clips keep no label waiting
        "server_name": settings.host,
        "server_port": settings.port,
        "theme": theme.theme(),
        "css": theme.css(),
        "head": theme.head(),
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": settings.max_bytes,
        "blocked_paths": [str(settings.home.resolve())],
        "auth": identity.check if identity.mode == "users" else None,
        "auth_message": "Sign in to the studio." if identity.mode == "users" else None,
        "ssr_mode": False,
        "pwa": True,
        "mcp_server": settings.mcp,
        "share": False,
        # Else Gradio asks itself for the page and ends where that takes over three seconds, as it
        # may on a busy machine.
        "_frontend": False,
        "i18n": language.translations(),
    }


def greeting(identity: Identity) -> str:
    """Return one line for the console on who may write."""
    return {
        "local": "Labels are kept for this machine's user.",
        "users": f"Labels are kept for: {', '.join(identity.users)}.",
        "space": "Labels count for the Space's owner and SER_USERS; others may suggest.",
        "closed": "Reachable from other machines without SER_USERS: nobody's labels count, "
        "visitors may only suggest.",
    }[identity.mode]
