"""The masthead switches the model that answers, for this visitor alone, and a reload keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN = "version => document.querySelector('#answer .file')?.innerText.includes(version)"


def chosen(page: Any) -> str:
    return str(page.eval_on_selector("#model-select", "list => list.selectedOptions[0].innerText"))


def test_the_other_model_answers_and_a_reload_keeps_it(
    open_tab: Any, shared_server: Any, speech: Path
) -> None:
    page = open_tab(shared_server.url, "Recognise")
    page.wait_for_selector("#model-select option:nth-child(2)", state="attached")
    assert "studio-resnet50" in chosen(page)
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_function(SHOWN, arg="studio-resnet50", timeout=PATIENCE)
    page.select_option("#model-select", "encoder")
    page.wait_for_function(SHOWN, arg="studio-encoder", timeout=PATIENCE)
    assert "studio-encoder" in chosen(page)
    page.reload()
    page.wait_for_function(
        "document.querySelector('#model-select')?.value === 'encoder'", timeout=PATIENCE
    )
    page.set_input_files("#clip input[type=file]", str(speech))
    page.wait_for_function(SHOWN, arg="studio-encoder", timeout=PATIENCE)
    other = open_tab(shared_server.url, "Recognise")  # another visitor's browser
    other.wait_for_selector("#model-select")
    assert "studio-resnet50" in chosen(other)
