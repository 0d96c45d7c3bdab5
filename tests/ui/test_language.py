"""Each sentence of the page exists in each language, with the same places to fill in."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from starlette.testclient import TestClient

from label_store import LabelEvent, LabelStore
from label_store.corpus_rows import CorpusRow, TablePage, TableQuery
from label_store.exchange import label_table, plan, timelines
from label_store.sync.settings import SyncSettings
from ser_core import audio
from ser_core.augment import EFFECTS, FEATURE_EFFECTS, RECIPES, ROBUSTNESS, STRENGTHS
from ser_core.corpora.tables import read_bytes
from ser_core.corpora.tables.words import read_word
from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError, UnknownEmotionError
from ser_core.frontends.descriptor_table import DESCRIPTORS
from ser_core.inference.prediction import Window
from trainer.data import labelled_clips
from trainer.data.standing import TOO_FEW_ALONE, LabelStanding
from trainer.evaluation.metrics import Outcomes
from trainer.lifecycle.promotion import Gain, decide
from ui import figures, language, own_voice_panel, page, page_html, standing
from ui.about import personal_data
from ui.augment import html as augment_html
from ui.augment.session import table
from ui.clip_source import EXAMPLES
from ui.corpus import html as corpus_html
from ui.errors import PageError
from ui.features import tab as features_tab
from ui.figures import MelImage
from ui.identity import Annotator
from ui.label import html as label_html
from ui.label.candidates import QueueKnowledge
from ui.language import BLOCK, PIECE, TABLES
from ui.model import run_words
from ui.recognise import batch
from ui.recognise import tab as recognise_tab
from ui.robustness.session import Cell, Sweep
from ui.robustness.tab import heat_map
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
    for effect in (*EFFECTS.values(), *FEATURE_EFFECTS.values()):
        yield from (effect.title, effect.summary)
        for one in effect.parameters:
            yield from (one.name.replace("_", " "), one.description)
            yield from (unit for unit in (one.unit,) if " " in unit)
    for one in DESCRIPTORS.values():
        yield one.says
    yield from (*RECIPES, *STRENGTHS, *personal_data.PLACES.values())
    yield from (personal_data.DELETED, personal_data.NAMELESS, page_html.CONSENT)
    yield from (own_voice_panel.ABOUT, own_voice_panel.KEEPING)
    yield from (form.loses for form in timelines.FORMATS.values())
    yield from EMOTIONS
    yield from EXAMPLES.values()
    yield from (title for title, _, _ in page.TABS)
    yield from page.GROUPS.values()
    yield from (page_html.WELCOME, page_html.HINTS, page_html.MASTHEAD)


SENTENCES = sorted(set(written()))


def lacking(table: dict[str, str], text: str) -> list[str]:
    if text in table:
        return []
    found = []
    for block in BLOCK.split(text)[::2]:
        pieces = [block, *(PIECE.findall(block) if "<" in block else ())]
        plain = [" ".join(piece.split()) for piece in pieces if re.search(r"[^\W\d]", piece)]
        if plain and plain[0] not in table:
            found += [piece for piece in (plain[1:] or plain) if piece not in table]
    return found


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


@pytest.fixture
def spoken(name: str) -> Iterator[None]:
    """Speak the language of the test's parameter."""
    with language.speaking(name):
        yield


# How a decision reads in the history, in the trainer's own words.
AHEAD = "UAR 0.712 against 0.700 on 500 clips of 20 test speakers (-0.010 to +0.030)"
GAIN = "UAR 0.512 against 0.430 on 30 new labels that were held out (sessions)"


def outcomes(right: Sequence[int], confidence: float = 0.9) -> Outcomes:
    """Return what a model said of 40 clips of ten speakers, half of them anger."""
    labels = np.arange(40) % 2
    shares = np.full((40, 2), 1 - confidence)
    said = np.where(np.isin(np.arange(40), right), labels, 1 - labels)
    shares[np.arange(40), said] = confidence
    names = [f"s{number // 4}" for number in range(40)]
    shares = shares.astype(np.float32)
    return Outcomes(
        ("anger", "joy"), labels, shares, shares, ("c",) * 40, ("",) * 40, tuple(names),
        tuple(map(str, range(40))),
    )  # fmt: skip


@LANGUAGES
@pytest.mark.parametrize(
    ("champion", "challenger"),
    [(range(40), range(40)), (range(40), range(8)), (range(20), range(0, 40, 2)),
     (range(0, 40, 3), range(40))],
)  # fmt: skip
@pytest.mark.parametrize("gain", [None, Gain(0.4, 0.5, 30, 3), Gain(0.5, 0.4, 30, 3, "sessions")])
def test_every_reason_of_a_promotion_is_said_in_each_language(
    spoken: None, name: str, champion: range, challenger: range,
    gain: Gain | None,
) -> None:  # fmt: skip
    found = decide(
        outcomes(champion, 0.8), outcomes(challenger, 0.99), rng=np.random.default_rng(0), gain=gain
    )
    for reason in found.reasons:
        assert language.translated(reason) != reason, reason
    line = f"v2 {found}. corrections: 3 of 4 labels train: 1 replaces a corpus's, 2 new train clips"
    assert run_words.reasons_in("; ".join(found.reasons)) == list(found.reasons)
    told = run_words.note_in_words(line)
    for word in ("against", "sure", "recall", "corrections", "clips", "promoted", "calibrat"):
        assert not re.search(rf"\b{word}", told), told


def test_what_a_run_said_stays_as_it_is_in_english() -> None:
    line = f"v2 not promoted: {AHEAD} is lower; nothing is gained: {GAIN}."
    assert run_words.note_in_words(line) == line


def test_several_sentences_are_found_one_by_one() -> None:
    message = "a. B.wav: no such thing. Nothing was saved. It is unknown 3.5 times."
    told = language.translated(message, "de")
    assert told == "a. B.wav: no such thing. Nichts wurde gespeichert. It is unknown 3.5 times."
    assert language.translated("Nothing was saved.", "pl") == "Nic nie zapisano."
    assert language.translated("Nothing was saved. A" + "a" * 20_000, "de").startswith("Nichts")


def test_a_text_that_is_put_together_is_handed_to_the_browser_in_each_language() -> None:
    def made() -> str:
        return f"{language.say('Undo')}: {language.say('{count} rows', count=3)}"

    marker = language.fixed_in_each(made)
    assert json.dumps("Undo: 3 rows") in marker
    tables = language.translations().translations
    assert tables["de"]["Undo: 3 rows"] == "Rückgängig: 3 Zeilen"
    assert tables["pl"]["Undo: 3 rows"] == "Cofnij: wiersze: 3"
    assert language.say("Undo") == "Undo"


@LANGUAGES
def test_about_and_the_limits_are_in_each_language(spoken: None, name: str, tmp_path: Path) -> None:
    sync = SyncSettings("hf://datasets/ada/labels")
    limits = (recognise_tab._limits, batch._limits)
    for settings in (
        AppSettings(home=tmp_path),
        AppSettings(home=tmp_path, keep_days=1.0),
        AppSettings(home=tmp_path, sync=sync, keep_days=30.0),
    ):
        services = Services(settings)
        made = (personal_data.what_is_kept(services), *(one(services) for one in limits))
        for text in made:
            plain = re.sub(r"<[^>]*>|`[^`]*`", " ", text)
            assert not {"the", "of", "and", "is", "are"} & set(plain.split()), plain


@LANGUAGES
def test_what_is_deleted_is_told_in_each_language(spoken: None, name: str, tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path))
    clip = services.store.keep_clip(b"a voice", ".wav")
    services.store.append(
        LabelEvent(action="label", annotator="ada", clip=clip, file_name="a.wav", emotion="joy")
    )
    who = Annotator("ada", may_write=True)
    with pytest.raises(PageError) as caught:
        personal_data.delete_mine(services, who, "")
    assert "Type your name" not in language.translated(str(caught.value))
    assert (
        personal_data.delete_mine(services, who, "ada")
        == {
            "de": "Ihr Name wurde aus 1 Eintrag entfernt. 1 Aufnahme wurde gelöscht.",
            "pl": "Usunięto Twoją nazwę z 1 wpisu. Usunięto 1 nagranie.",
        }[name]
    )


@LANGUAGES
def test_the_words_of_robustness_features_live_and_augment_are_in_each_language(
    spoken: None, name: str
) -> None:
    prediction = {
        "emotion": "joy", "confidence": 0.6, "probabilities": {"joy": 0.6, "fear": 0.4},
        "unsure": "several emotions about equally likely", "warnings": [],
    }  # fmt: skip
    other = prediction | {"emotion": "fear", "probabilities": {"joy": 0.3, "fear": 0.7}}
    cell = Cell("fear", 0.5, -0.2, {"snr": 20.0})
    swept = Sweep("joy", 0.6, dict.fromkeys(ROBUSTNESS, (cell,) * 3), 10.0, True)
    texts = [
        heat_map(swept),
        augment_html.comparison(prediction, other, ("2 steps were left out in this draw; another "
                                                    "seed may take what this left.",)),
        augment_html.drawn([{"name": "gain", "gain": -6.0}, {"name": "reverb"}]),
        features_tab.head("a.wav", 2.0, ["The 6 channels were mixed into one."]),
        *(augment_html.verdict(prediction, one) for one in (other, prediction,
                                                            {"emotion": None})),
    ]  # fmt: skip
    for text in texts:
        spoken = " ".join(re.findall(r'(?:aria-label|title)="([^"]*)"', text))
        plain = re.sub(r"<pre.*</pre>|<[^>]*>", " ", language.localised(text)) + " " + spoken
        assert not ENGLISH & set(re.findall(r"\w+", plain)), plain
    words = augment_html.words(table(Path("nowhere")), tuple(RECIPES))[name]
    assert words["Gaussian noise"] == TABLES[name]["Gaussian noise"]
    assert {*RECIPES, "snr", "of the clip"} <= words.keys()


ENGLISH = {"the", "of", "and", "is", "are", "answer", "points", "before", "after", "joy", "fear",
           "stable", "clip", "effect", "sound", "picture", "noise"}  # fmt: skip


@LANGUAGES
def test_what_is_wrong_with_a_file_or_a_table_is_said_in_each_language(
    spoken: None, name: str, tmp_path: Path
) -> None:
    said = []
    sounds = (b"", b"dear diary", b"<html>", b"%PDF-1", b"\0" * 99, b"RIFF\x10\0\0\0WEBPVP8 ")
    for number, data in enumerate(sounds):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(data)
        with pytest.raises(SerError) as caught:
            audio.load(path)
        said.append(str(caught.value))
    long = audio.to_wav_bytes(np.zeros((1, 16_000), np.float32), 16_000)
    for limits in ({"max_seconds": 0.5}, {"max_bytes": 100}):
        with pytest.raises(SerError) as caught:
            audio.load(long, **limits)
        said.append(str(caught.value))
    rows = "a.wav,blorp,\nb.wav,happi,\nc.wav,joy,blorp\n../x.wav,joy,\n,joy,\nd.wav,,\n"
    read = read_bytes(f"Filename,Emotion,Second emotion\n{rows}".encode(), "t.csv")
    store = LabelStore(tmp_path)
    made = plan(
        store, label_table(read.rows, read.problems), "ada",
        lambda word: read_word(word).emotion, refusal=UnknownEmotionError,
    )  # fmt: skip
    said += [one.reason for one in made.problems]
    kinds = {one.kind for one in made.problems}
    assert {"unknown-emotion", "second-emotion", "missing-file"} <= kinds <= TABLES[name].keys()
    with pytest.raises(SerError) as caught:
        read_bytes(b"a,b\n1,2\n", "none.csv")
    said.append(str(caught.value))
    for text in said:
        told = language.translated(text)
        words = set(re.findall(r"\w+", told)) - {"Known", "and"}
        assert told != text, text
        assert not {"the", "of", "is", "are", "not", "or", "it"} & words, told


def test_a_figure_is_held_in_english_and_shown_in_the_readers_language() -> None:
    mel = MelImage(np.zeros((4, 8), np.uint8), np.linspace(100, 8000, 4), 2.0)
    windows = [
        Window(0, 1, "joy", {"joy": 0.9, "fear": 0.1}),
        Window(1, 2, "fear", {"joy": 0.2, "fear": 0.8}),
    ]
    with language.speaking("en"):
        held = figures.clip_figure(np.zeros(32_000, np.float32), 16_000, mel, windows=windows)
    assert figures.in_readers_language(held) is held
    with language.speaking("de"):
        shown = figures.in_readers_language(held)
    assert shown is not None
    assert shown.layout.annotations[0].text == "Wellenform"
    assert "Waveform" in str(held.layout.annotations)
    text = str(shown.data)
    assert "Freude" in text
    assert "Angst" in text


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
    rows = corpus_html.table(TablePage((row,), 0, 1, 1), TableQuery(), {})
    for text in (label_html.known(known, scoring=True), wave_html("label"), rows,
                 page_html.status("Saved: 2 clips marked as gold.", "done")):  # fmt: skip
        told = language.localised(text)
        words = re.sub(r"<[^>]*>", " ", told).split()
        assert not {"the", "of", "and", "clips"} & set(words), told
    # What a list of emotions sends is the emotion, in whatever language it is read.
    assert f'<option value="joy" selected>{TABLES[name]["joy"]}</option>' in language.localised(
        rows
    )
    assert f'aria-label="{TABLES[name]["File name of {name}"].format(name="a b.wav")}"' in rows


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
