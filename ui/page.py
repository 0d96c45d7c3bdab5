"""The whole page: head, tabs, API. A new tab is one module with ``build`` and one line here."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import gradio as gr

from ui import api, parts, theme
from ui.identity import Identity
from ui.services import Services

TABS: tuple[tuple[str, str], ...] = (
    ("Recognise", "recognise"),
    ("Live", "live"),
    ("Augment", "augment"),
    ("Robustness", "robustness"),
    ("Features", "features"),
    ("Label", "label"),
    ("Corpus", "corpus"),
    ("Model", "model"),
    ("About", "about"),
)
"""Title and module under ``ui`` of each tab, in order."""

DAY = 24 * 3600


def build_page(services: Services, *, sign_in: bool = False) -> gr.Blocks:
    """Return the page.

    Args:
        services: the parts behind it.
        sign_in: show the Hub's sign-in button (inside a Space that has OAuth).
    """
    with gr.Blocks(
        title=parts.TITLE, analytics_enabled=False, delete_cache=(3600, DAY), fill_width=True
    ) as page:
        with gr.Row(elem_id="top"):
            with gr.Column(scale=3, min_width=280):
                gr.HTML(parts.MASTHEAD)
            with gr.Column(scale=2, min_width=240):
                line = gr.HTML(lambda: parts.model_line(services.champion()), elem_id="model-line")
                if sign_in:
                    gr.LoginButton(size="sm")
        gr.Timer(5).tick(
            lambda: parts.model_line(services.champion()),
            None,
            line,
            show_progress="hidden",
            api_visibility="private",
            queue=False,
        )
        with gr.Tabs():
            for title, name in TABS:
                module = f"ui.{name}"
                if importlib.util.find_spec(module) is None:
                    continue
                with gr.Tab(title, id=name):
                    importlib.import_module(module).build(services)
        api.build(services)
    return page


def launch_options(services: Services) -> dict[str, Any]:
    """Return what ``Blocks.launch`` is given: look, limits, who may come in, what may be read."""
    settings, identity = services.settings, services.identity
    return {
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
        "pwa": False,
        "mcp_server": False,
        "share": False,
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
