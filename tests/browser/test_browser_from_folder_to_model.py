"""A folder of clips and a faulty table become a model, on the page alone: no terminal is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core import audio
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SPEAKERS = ("clara", "dora", "emil", "greta", "jan", "anna")
"""By the hash of these names jan validates, anna tests, and the others train."""
EMOTIONS = ("anger", "joy", "neutral", "sadness")


def folder_with_faults(folder: Path) -> list[str]:
    """Write clips and a table in which a name and an emotion are wrong; return the clips' names."""
    folder.mkdir(parents=True)
    rows, names = [], []
    examples = sorted((ROOT / "examples").glob("*.flac"))
    for number, (speaker, path) in enumerate(zip(SPEAKERS, examples, strict=True)):
        clip = audio.load(path, sample_rate=16_000)
        for piece in range(3):
            start = round(16_000 * (0.3 + 0.65 * piece))
            samples = np.ascontiguousarray(clip.samples[:, start : start + round(16_000 * 0.65)])
            name, emotion = f"{speaker}_{piece}.wav", EMOTIONS[(number + piece) % 4]
            (folder / name).write_bytes(audio.to_wav_bytes(samples, 16_000))
            names.append(name)
            written = {"clara_0.wav": "wrongname.wav"}.get(name, name)
            rows.append(f"{written};{'Joyy' if name == 'dora_0.wav' else emotion};{speaker}")
    (folder / "labels.csv").write_text("Filename;Emotion;Speaker\n" + "\n".join(rows) + "\n")
    return names


@pytest.fixture
def server(start_app: Callable[..., Any], small_model: Path) -> Iterator[Any]:
    running = start_app(SER_MODEL=str(small_model))
    yield running
    running.stop()


def says(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([where, text]) => document.querySelector(where)?.innerText.includes(text)",
        arg=[selector, text],
        timeout=PATIENCE,
    )


def correct_row(page: Any, name: str, field: str, value: str) -> None:
    """Change a cell of the row that shows a file name."""
    row = page.locator(f"#corpus-table tr:has(input[aria-label='File name of {name}'])")
    cell = row.locator(f"[data-field={field}]")
    if field == "emotion":
        cell.select_option(value)
    else:
        cell.fill(value)
        cell.press("Tab")
    says(page, "#corpus-status", value)


def test_a_folder_and_a_faulty_table_become_a_model_without_a_terminal(
    open_tab: Any, server: Any, events: Any, tmp_path: Path, screenshot: Callable[[Any, str], Path]
) -> None:
    folder = tmp_path / "clips"
    names = folder_with_faults(folder)
    page = open_tab(server.url, "Corpus")
    page.click("#corpus-import > button")
    page.fill("#corpus-import-path textarea, #corpus-import-path input", str(folder))
    page.fill("#corpus-import-corpus textarea, #corpus-import-corpus input", "interviews")
    page.click("#corpus-import-add")
    says(page, "#corpus-import-result", f"Added {len(names)} clips")
    assert "1 row names no file" in page.inner_text("#corpus-import-result")

    # The faults are put right in the table; what will train is counted beside it.
    says(page, "#corpus-table", "file missing")
    correct_row(page, "wrongname.wav", "name", "clara_0.wav")
    correct_row(page, "dora_0.wav", "emotion", "joy")
    says(page, "#corpus-standing", "2 of 2 labels will train")

    # Two annotators who differ are brought in by a table, and a reviewer decides.
    table = tmp_path / "others.csv"
    table.write_text(
        "Filename,Emotion,Annotator\nemil_1.wav,anger,ada\nemil_1.wav,sadness,ben\n"
        "anna_1.wav,joy,ada\n"
    )
    page.click("#corpus-exchange > button")
    page.get_by_label("Rows that name an annotator stay theirs").check()
    page.set_input_files("#corpus-table-import input[type=file]", str(table))
    page.wait_for_selector("#corpus-plan table", timeout=PATIENCE)
    page.click("#corpus-apply")
    page.wait_for_selector("#corpus-plan .done", timeout=PATIENCE)
    says(page, "#corpus-standing", "2 of 4 labels will train")
    page.click("#corpus-standing summary")
    for reason in ("annotators differ", "test speaker"):
        assert reason in page.inner_text("#corpus-standing")
    page.click("#corpus-adjudication > button")
    page.wait_for_selector("#adjudicate-card audio", timeout=PATIENCE)
    assert "ada" not in page.inner_text("#adjudicate-card")
    assert not page.locator("#adjudicate-mixed").is_visible()
    page.evaluate("serMixed.turn(true)")
    page.wait_for_selector("#adjudicate-mixed", timeout=PATIENCE)
    screenshot(page, "adjudication")
    page.keyboard.press("l")
    says(page, "#adjudicate-card", "ada")
    page.locator("#adjudicate-card").click()
    page.keyboard.press("Shift+Digit8")
    page.keyboard.press("g")
    says(page, "#adjudicate-mixed", "Second emotion: sadness")
    page.keyboard.press("1")
    says(page, "#adjudicate-status", "is anger with sadness, intensity 1.")
    says(page, "#adjudicate-status", "The annotators said: ada anger, ben sadness.")
    assert page.inner_text("#adjudicate-second b") == "–"
    says(page, "#corpus-standing", "3 of 4 labels will train")
    decision = events(server.home)[-1]
    assert [decision[name] for name in ("action", "second_emotion", "intensity")] == [
        "adjudicate", "sadness", "1",
    ]  # fmt: skip

    page.get_by_role("tab", name="Model", exact=True).click()
    page.wait_for_selector("#model-history .versions", timeout=PATIENCE)
    page.click("#model-start")
    page.wait_for_function(
        "document.querySelector('#model-run')?.innerText.includes('3 of 4 labels train')",
        timeout=PATIENCE,
    )
    page.wait_for_selector("#model-run .done, #model-run .refused", timeout=PATIENCE)
    screenshot(page, "from-folder-to-model")
    made = list((server.home / "models").glob("*/specification.json"))
    assert len(made) == 1, page.inner_text("#model-run")
    card = json.loads(made[0].read_text(encoding="utf-8"))
    assert card["parent"]
    assert card["label_revision"] == str(len(events(server.home)))
