"""Several files at once: every file has a row, and a row opens its file."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from ui.recognise import batch
from ui.services import Services


def test_each_file_has_a_row_and_an_error_is_told_in_full(
    services: Services, clip: Path, tmp_path: Path
) -> None:
    text = tmp_path / "<b>notes.wav"
    text.write_text("dear diary", encoding="utf-8")
    found = batch.predicted(services, [str(clip), str(text)], gr.Progress())
    table = batch.html(found)
    assert table.count("<tr>") == 3
    assert 'data-open="0"' in table
    assert 'data-open="1"' not in table
    assert "text" in found[1]["error"]
    assert "<b>notes" not in table


def test_a_row_opens_its_file() -> None:
    assert batch.opened(["a.wav", "b.wav"], "1") == "b.wav"
    for paths, row in ((None, "0"), (["a.wav"], "1"), (["a.wav"], "x")):
        with pytest.raises(gr.Error, match="no longer here"):
            batch.opened(paths, row)
