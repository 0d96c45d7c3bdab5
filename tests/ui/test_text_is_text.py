"""What came by another way than the page, and holds markup, is shown as it is written."""

from __future__ import annotations

import re

import pytest

from label_store.agreement import agreement
from ui.corpus.figures import agreement_figure, summary
from ui.label import html as label_html
from ui.markdown import contained
from ui.page_html import answer, bars, swatch

EVIL = "<img src=x onerror=alert(1)>"
PREDICTION = {
    "emotion": EVIL,
    "unsure": EVIL,
    "confidence": 0.5,
    "probabilities": {EVIL: 0.5, "joy": 0.5},
    "warnings": [EVIL],
    "seconds": 1.0,
    "file": EVIL,
    "sha256": EVIL,
    "set": [EVIL],
    "summary": None,
    "windows": [],
    "conformal_set": [EVIL],
    "model": {"name": EVIL, "version": EVIL},
}


def test_a_word_of_an_emotion_is_text_wherever_it_stands() -> None:
    for shown in (
        swatch(EVIL),
        bars({EVIL: 1.0}),
        answer(PREDICTION),
        label_html.references([EVIL]),
        label_html.reference_sound("data:audio/wav;base64,AA==", EVIL, EVIL),
    ):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_agreement_shows_words_and_names_as_they_are() -> None:
    found = agreement([{EVIL: "joy", "ada": EVIL}, {EVIL: EVIL, "ada": EVIL}])
    assert "<img" not in summary(found)
    assert "<img" not in str(agreement_figure(found).to_dict())


@pytest.mark.parametrize(
    "card",
    [
        '<form action="https://evil.example"><input></form>',
        '<div style="position:fixed;inset:0">',
        "![](https://evil.example/who.png)",
        "![a][b]\n\n[b]: https://evil.example/who.png",
        "\\`<img src=https://evil.example>\\`",
        "```\n<script>\n",
        "<!-- x --><svg/onload=alert(1)>",
    ],
)
def test_a_model_card_reaches_nothing_outside_itself(card: str) -> None:
    shown = contained(card)
    # What Markdown takes for a tag begins so, and for an image so, wherever they stand.
    assert not re.search(r"<[A-Za-z/!?]", shown)
    assert "![" not in shown
    assert shown.replace("\u200b", "") == card
