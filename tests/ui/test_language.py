"""Each sentence of the page exists in each language, with the same places to fill in."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.testclient import TestClient

from label_store.corpus_rows import CorpusRow, TablePage, TableQuery
from ser_core.emotions import EMOTIONS
from trainer.data import labelled_clips
from trainer.data.standing import TOO_FEW_ALONE, LabelStanding
from ui import language, page, page_html, standing
from ui.clip_source import EXAMPLES
from ui.corpus import html as corpus_html
from ui.label import html as label_html
from ui.label.candidates import QueueKnowledge
from ui.language import PIECE, TABLES
from ui.segments import wave_html
from ui.services import AppSettings, Services
from ui.theme import HERE, SAYS

LANGUAGES = pytest.mark.parametrize("name", TABLES)


def constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that stand in a module's own names."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if isinstance(value, str):
                found[node.targets[0].id] = value
    return found


def written() -> Iterator[str]:
    """Find what the page's modules and scripts hand to `say`, `say_count` and `fixed`."""
    for path in HERE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = constants(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id not in ("say", "fixed", "say_count"):
                continue
            for given in node.args[1:3] if node.func.id == "say_count" else node.args[:1]:
                if isinstance(given, ast.Constant):
                    yield str(given.value)
                elif isinstance(given, ast.Name) and given.id in names:
                    yield names[given.id]
    for path in HERE.rglob("*.js"):
        if path.parent.name != "vendor":
            yield from SAYS.findall(path.read_text(encoding="utf-8"))
    yield from EMOTIONS
    yield from EXAMPLES.values()
    yield from (title for title, _, _ in page.TABS)
    yield from page.GROUPS.values()
    yield from (page_html.WELCOME, page_html.HINTS, page_html.MASTHEAD)


SENTENCES = sorted(set(written()))


def lacking(table: dict[str, str], text: str) -> list[str]:
    if text in table or not re.search(r"[^\W\d]", text):
        return []
    return [piece for piece in PIECE.findall(text) if piece not in table] if "<" in text else [text]


@LANGUAGES
def test_every_sentence_of_the_page_is_there(name: str) -> None:
    assert [one for text in SENTENCES for one in lacking(dict(TABLES[name]), text)] == []


@LANGUAGES
def test_the_same_places_and_tags(name: str) -> None:
    for text, translated in TABLES[name].items():
        for pattern in (r"\{\w+\}", r"</?(?!kbd)\w+[^>]*>"):
            assert sorted(re.findall(pattern, text)) == sorted(re.findall(pattern, translated)), (
                text
            )


def test_the_languages_have_the_same_sentences() -> None:
    german, polish = (set(TABLES[name]) for name in ("de", "pl"))
    assert german ^ polish == set()


def test_a_message_from_below_is_known_by_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "current", lambda: "de")
    message = "The clip is silent (at most -80 dBFS). Check the microphone and record it again."
    assert language.translated(message).startswith("Die Aufnahme ist still (at most -80 dBFS).")
    assert language.translated("Nobody translated this {yet}.") == "Nobody translated this {yet}."


@LANGUAGES
def test_why_a_label_does_not_train_is_said_in_each_language(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(language, "current", lambda: name)
    reasons = [
        *labelled_clips.OPEN_REASONS.values(),
        labelled_clips.MISSING,
        labelled_clips.TEST_SPEAKER,
        labelled_clips.UNTRUSTED,
        labelled_clips.PRACTISING,
        labelled_clips.SUPERSEDED,
        labelled_clips.unknown_emotion("calm"),
        TOO_FEW_ALONE,
    ]
    text = standing.html(LabelStanding(3, dict.fromkeys(reasons, ("the file.wav",))))
    assert "will train" not in text
    assert text.count("the file.wav") == len(reasons)
    assert [reason for reason in reasons if html.escape(reason) in text] == []


PANELS = ("corpus-adjudication", "corpus-import", "corpus-download", "corpus-annotators",
          "label-panel")  # fmt: skip
"""Parts whose every word is translated; a corpus's or a format's own name is not a word."""


def test_no_component_of_these_panels_stays_english(tmp_path: Path) -> None:
    built = page.build_page(Services(AppSettings(home=tmp_path)))
    left = []
    for block in built.blocks.values():
        above, inside = block, False
        while above is not None:
            inside = inside or getattr(above, "elem_id", "") in PANELS
            above = above.parent
        spoken = isinstance(block, gr.Button | gr.HTML)
        for prop in ("label", "info", *(["value"] if spoken else [])):
            text = getattr(block, prop, None)
            words = re.sub(r"<[^>]*>", "", text) if isinstance(text, str) else ""
            if inside and re.search(r"[^\W\d]{3}", words) and "__i18n__" not in words:
                left.append(words)
    assert [one for one in left if not one.startswith("Download ")] == []


@LANGUAGES
def test_what_annotators_and_reviewers_are_told_is_in_their_language(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(language, "current", lambda: name)
    known = QueueKnowledge(
        total=40, scored=3, suspected=2, in_training=5, out_of_fold=4,
        strategy="label-error", model="m",
    )  # fmt: skip
    row = CorpusRow("a b.wav", "joy", "mine", "ab" * 32)
    table = corpus_html.table(TablePage((row,), 0, 1, 1), TableQuery(), {})
    for text in (label_html.known(known, scoring=True), wave_html("label"), table,
                 page_html.status("Saved: 2 clips marked as gold.", "done")):  # fmt: skip
        told = language.localised(text)
        words = re.sub(r"<[^>]*>", " ", told).split()
        assert not {"the", "of", "and", "clips"} & set(words), told
    # What a list of emotions sends is the emotion, in whatever language it is read.
    assert f'<option value="joy" selected>{TABLES[name]["joy"]}</option>' in language.localised(
        table
    )
    assert f'aria-label="{TABLES[name]["File name of {name}"].format(name="a b.wav")}"' in table


def test_spoken_names_of_what_stands_from_the_start_are_translated() -> None:
    table = {"Zoom in": "Vergrößern"}
    assert language.looked_up(table, '<b aria-label="Zoom in">+</b>') == (
        '<b aria-label="Vergrößern">+</b>'
    )


def test_what_a_component_is_built_with_is_handed_to_the_browser() -> None:
    marker = language.fixed("Undo")
    assert marker.startswith("__i18n__")
    assert language.translations().translations["pl"]["Undo"] == "Cofnij"


def test_scripts_bring_their_sentences() -> None:
    from ui.theme import head

    assert "Save this picture as PNG" in head()
    assert "</script" not in "".join(t for table in TABLES.values() for t in table.values())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The whole page, asked as a browser on the same machine asks it."""
    services = Services(AppSettings(home=tmp_path_factory.mktemp("home")))
    app = gr.routes.App.create_app(page.build_page(services))
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.mark.slow
def test_what_the_browser_is_to_translate_is_marked_once_and_known(client: Any) -> None:
    text = client.get("/config").text
    found = re.findall(r'__i18n__\{\\"__type__\\": \\"translation_metadata\\", \\"key\\": ', text)
    assert len(found) == text.count("__i18n__") > 200
    known = language.translations().translations["de"]
    for component in client.get("/config").json()["components"]:
        for value in component["props"].values():
            if isinstance(value, str) and value.startswith("__i18n__"):
                key = json.loads(value.removeprefix("__i18n__"))["key"]
                assert key in known
                assert "}" not in key, "Gradio ends the mark there"


@pytest.mark.slow
@pytest.mark.parametrize(("header", "told"), [("de", "noch nichts"), ("pl", "jeszcze nic")])
def test_what_a_tab_says_is_in_the_language_that_was_asked_for(
    client: Any, header: str, told: str
) -> None:
    config = client.get("/config").json()
    card = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "label-card")
    again = next(
        c["id"] for c in config["components"] if c["props"].get("elem_id") == "label-again"
    )
    listener = next(d for d in config["dependencies"] if [again, "click"] in d["targets"])
    given = {"fn_index": listener["id"], "data": [False, ""][: len(listener["inputs"])]}
    answer = client.post(
        "/gradio_api/run/predict",
        json=given | {"session_hash": header},
        headers={"accept-language": header},
    )
    assert told in answer.json()["data"][listener["outputs"].index(card)]
