"""Every text stands out from what it stands on, light and dark (WCAG 2.2: 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ui.model.figures import SCALE
from ui.theme import COLOURS, DARK, DARK_INK, HERE, PAPER, PETROL, values

TEXT, PARTS = 4.5, 3.0
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
MODES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def rgb(colour: str) -> tuple[float, ...]:
    long = colour if len(colour) == 7 else "#" + "".join(letter * 2 for letter in colour[1:])
    return tuple(int(long[place : place + 2], 16) / 255 for place in (1, 3, 5))


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ratio(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(top: tuple[float, ...], share: float, below: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(share * a + (1 - share) * b for a, b in zip(top, below, strict=True))


def resolved(text: str) -> str:
    """Return a colour that is written as a tone of the theme, or as it is."""
    found = re.fullmatch(r"(?:\*|var\(--)(neutral|primary)[_-](\d+)\)?", text)
    if found:
        return (PAPER if found[1] == "neutral" else PETROL)[int(found[2])]
    return {"white": "#ffffff"}.get(text, text)


def variables(dark: bool) -> dict[str, tuple[float, ...]]:
    """Return the style sheet's own colours."""
    rules = [re.search(rf"^{re.escape(s)} {{(.*)}}$", STYLE, re.M) for s in (":root", ".dark")]
    pairs = [pair for rule in rules[: 2 if dark else 1] if rule for pair in rule[1].split(";")]
    named = [pair.replace("!important", "").partition(":") for pair in pairs if pair.strip()]
    found = {name.strip(): rgb(resolved(value.strip())) for name, _, value in named}
    return found | {"--body": theme("body_background_fill", dark)} | (
        {} if "--color-accent" in found else {"--color-accent": theme("color_accent", dark)}
    )  # fmt: skip


def theme(name: str, dark: bool) -> tuple[float, ...]:
    held = values()
    return rgb(resolved(held.get(f"{name}_dark", held[name]) if dark else held[name]))


@MODES
@pytest.mark.parametrize("below", ["--card", "--body", "--track", "--mind-soft"])
@pytest.mark.parametrize("text", ["--ink", "--quiet", "--link", "--mind", "--good"])
def test_texts_of_the_style_sheet(text: str, below: str, dark: bool) -> None:
    known = variables(dark)
    assert ratio(known[text], known[below]) >= TEXT


@MODES
@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("body_text_color", "body_background_fill"),
        ("body_text_color", "background_fill_primary"),
        ("body_text_color", "background_fill_secondary"),
        ("body_text_color", "block_background_fill"),
        ("body_text_color", "input_background_fill"),
        ("body_text_color_subdued", "body_background_fill"),
        ("body_text_color_subdued", "background_fill_secondary"),
        ("body_text_color_subdued", "block_background_fill"),
        ("input_placeholder_color", "input_background_fill"),
        ("block_label_text_color", "block_background_fill"),
        ("block_title_text_color", "block_background_fill"),
        ("link_text_color", "body_background_fill"),
        ("link_text_color_hover", "body_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill_hover"),
        ("button_secondary_text_color", "button_secondary_background_fill"),
        ("button_secondary_text_color", "button_secondary_background_fill_hover"),
    ],
)
def test_texts_of_the_theme(text: str, below: str, dark: bool) -> None:
    assert ratio(theme(text, dark), theme(below, dark)) >= TEXT


@MODES
def test_the_chosen_tab_is_written_in_the_accent(dark: bool) -> None:
    known = variables(dark)
    assert ratio(known["--color-accent"], known["--body"]) >= TEXT


@MODES
@pytest.mark.parametrize("below", ["--card", "--body", "--track"])
@pytest.mark.parametrize("part", ["--edge", "--color-accent", "--mind"])
def test_graphical_parts(part: str, below: str, dark: bool) -> None:
    known = variables(dark)
    assert ratio(known[part], known[below]) >= PARTS


@MODES
@pytest.mark.parametrize("part", ["input_border_color", "checkbox_border_color"])
def test_what_can_be_filled_in_has_a_border_that_is_seen(part: str, dark: bool) -> None:
    for below in ("input_background_fill", "block_background_fill", "body_background_fill"):
        assert ratio(theme(part, dark), theme(below, dark)) >= PARTS


@pytest.mark.parametrize("emotion", COLOURS)
def test_the_sign_on_an_emotion_s_colour(emotion: str) -> None:
    ink = "#ffffff" if emotion in DARK else DARK_INK
    assert ratio(rgb(ink), rgb(COLOURS[emotion])) >= TEXT


def test_white_signs_stand_on_the_dark_colours_alone() -> None:
    (rule,) = re.findall(r"^(.*\.swatch.*) { color: #fff; }$", STYLE, re.M)
    assert set(re.findall(r"emotion-(\w+)", rule)) == DARK


@pytest.mark.parametrize("sheet", ["live/live.css", "model/model.css", "style.css"])
def test_white_letters_stand_on_colours_that_carry_them(sheet: str) -> None:
    text = (HERE / sheet).read_text(encoding="utf-8")
    filled = re.findall(r"{[^}]*background: ([^;}]+);[^}]*(?<!-)color: #fff[;\s][^}]*}", text)
    for colour in filled:
        known = re.fullmatch(r"var\((--[\w-]+)\)", colour)
        found = variables(dark=True)[known[1]] if known else rgb(colour)
        assert ratio((1.0, 1.0, 1.0), found) >= TEXT, colour


@MODES
def test_figures_on_the_heat_maps(dark: bool) -> None:
    known = variables(dark)
    sheet = (HERE / "robustness" / "map.css").read_text(encoding="utf-8")
    most = float(re.findall(r"var\(--depth\) \* ([\d.]+)", sheet)[0])
    tones = re.findall(r"--tone: (#\w+)", sheet)
    assert len(tones) == 2
    for tone in tones:
        assert ratio(known["--ink"], mixed(rgb(tone), most, known["--card"])) >= TEXT
    for _, colour in SCALE:
        *tone, share = map(float, re.findall(r"[\d.]+", colour))
        below = mixed(tuple(value / 255 for value in tone), share, known["--card"])
        assert ratio(known["--ink"], below) >= TEXT


def rules(sheet: Path) -> list[tuple[str, dict[str, str]]]:
    """Return each selector of a style sheet with its properties."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
    found = []
    for selector, body in re.findall(r"([^{};]+){([^{}]*)}", text):
        pairs = (pair.partition(":") for pair in body.split(";") if pair.strip())
        held = {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}
        found.append((selector.strip(), held))
    return found


ALL_RULES = [rule for sheet in sorted(HERE.rglob("*.css")) for rule in rules(sheet)]


@MODES
@pytest.mark.parametrize("button", ["primary", "secondary"])
def test_the_key_signs_on_the_buttons(button: str, dark: bool) -> None:
    signs = [
        held
        for selector, held in ALL_RULES
        if "::after" in selector and held.get("content") == "attr(data-key)"
    ]
    assert len(signs) == 2
    written = theme(f"button_{button}_text_color", dark)
    for state in ("", "_hover"):
        below = theme(f"button_{button}_background_fill{state}", dark)
        for held in signs:
            assert "color" not in held, "the button's own colour is the one that changes with it"
            assert ratio(mixed(written, float(held.get("opacity", 1)), below), below) >= TEXT


@MODES
def test_every_mark_of_an_emotion_s_colour_has_an_edge_that_is_seen(dark: bool) -> None:
    known = variables(dark)
    marks = [
        (selector, held)
        for selector, held in ALL_RULES
        if held.get("background", "").startswith("var(--tint")
    ]
    assert {".swatch", "table.corpus .pill", ".choices button::before"} <= dict(marks).keys()
    for selector, held in marks:
        if "live-line" in selector:
            continue  # A band of neighbours; the name is written on each.
        edge = re.fullmatch(r"inset 0 0 0 [\d.]+px var\((--[\w-]+)\)", held.get("box-shadow", ""))
        assert edge, selector
        for below in ("--card", "--body", "--track"):
            assert ratio(known[edge[1]], known[below]) >= PARTS, selector


def test_no_border_with_a_variable_is_changed_in_the_same_rule() -> None:
    """The page copies each rule, and loses a shorthand that can't be written down any more."""
    for selector, held in ALL_RULES:
        if "var(" in held.get("border", ""):
            assert not [name for name in held if re.match(r"border-.*(width|style|color)", name)], (
                selector
            )
