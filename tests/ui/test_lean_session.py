"""What the page remembers of each visitor: their clip and choices, not the page itself."""

from __future__ import annotations

import tracemalloc

import pytest
from gradio.state_holder import SessionState

from ui.lean_session import keep_sessions_lean
from ui.page import build_page
from ui.services import Services


@pytest.mark.slow
def test_a_session_costs_a_fraction_of_the_page(services: Services) -> None:
    page = build_page(services)
    SessionState(page)
    tracemalloc.start()
    try:
        held = [SessionState(page) for _ in range(10)]
        each = tracemalloc.get_traced_memory()[0] / len(held)
    finally:
        tracemalloc.stop()
    assert each < 100_000, "Gradio's own are 0.8 MB"


def test_what_a_session_holds_is_its_own() -> None:
    import gradio as gr

    keep_sessions_lean()
    keep_sessions_lean()
    with gr.Blocks() as page:
        held, shown = gr.State(0), gr.Textbox("hers")
    first, second = SessionState(page), SessionState(page)
    first[held._id] = 7
    assert (first[held._id], second[held._id]) == (7, 0)
    first[shown._id] = gr.Textbox("mine", render=False)
    first._update_config(shown._id)
    first._update_value_in_config(shown._id, "mine")
    assert (first[shown._id].value, second[shown._id].value) == ("mine", "hers")
    assert list(first.components) == []
