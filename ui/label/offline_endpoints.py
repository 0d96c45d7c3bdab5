"""What offline.js calls without the queue: clips to hold ahead, and decisions that come later."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ui.calls import UNEXPECTED, page_error
from ui.label.offline import OfflineLabels
from ui.label.session import LabelSession

PLACE = '<div id="label-offline" role="status"></div>'
"""Where the page tells that the connection is lost, and how many decisions wait."""


def build(labelling: LabelSession) -> None:
    """Build what offline.js calls: it fetches clips ahead, and sends what was decided without."""
    offline = OfflineLabels(labelling)

    def ahead(asked: str, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        match _read(asked):
            case {"have": [*have], "blind": bool(blind)}:
                return json.dumps(offline.ahead(who, [str(clip) for clip in have], blind=blind))
        raise page_error(UNEXPECTED)

    def take(sent: str, request: gr.Request) -> str:
        who = labelling.services.identity.annotator(request)
        match _read(sent):
            case [*decisions] if all(isinstance(one, dict) for one in decisions):
                return json.dumps(offline.take(who, decisions))
        raise page_error(UNEXPECTED)

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


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
