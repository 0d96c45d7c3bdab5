"""How the page looks: one accent, one colour an emotion, system fonts, light and dark."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.emotions import EMOTIONS
from ui.language import TABLES

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).resolve().parent

COLOURS: dict[str, str] = {
    "anger": "#d56044",
    "boredom": "#7a502a",
    "calm": "#45e4e7",
    "disgust": "#8bbe81",
    "fear": "#ca90f3",
    "joy": "#e5d450",
    "neutral": "#90929a",
    "sadness": "#3577c3",
    "surprise": "#ac447d",
}
"""One colour an emotion, on every tab. Searched for so that any two stay apart in the Oklab space
also for people with protanopia, deuteranopia or tritanopia; a name always stands beside it."""

LETTERS: dict[str, str] = {emotion: emotion[0].upper() for emotion in EMOTIONS} | {
    "surprise": "!",
}
"""One sign an emotion, where a name does not fit."""

DARK_INK = "#1b1a17"
DARK = frozenset({"boredom", "sadness", "surprise"})
"""Emotions whose colour needs white letters on it."""

PETROL: dict[int, str] = {
    50: "#effaf8",
    100: "#d8f1ed",
    200: "#b3e2db",
    300: "#82cdc3",
    400: "#4fb1a6",
    500: "#2c958b",
    600: "#1d7871",
    700: "#1a605b",
    800: "#194d4a",
    900: "#18403e",
    950: "#082524",
}
"""The accent, from light to dark."""

PAPER: dict[int, str] = {
    50: "#faf9f7",
    100: "#f3f1ed",
    200: "#e6e3dd",
    300: "#d3cfc6",
    400: "#a29d92",
    500: "#726d63",
    600: "#57534a",
    700: "#403d36",
    800: "#292722",
    900: "#1d1c18",
    950: "#141310",
}
"""The greys, from light to dark."""

FONT = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Consolas", "monospace")


PARTS = ("segments", "offline")
"""Scripts and style sheets of a tab beside the one that has its name."""


SAYS = re.compile(r'''(?:say\(|\b\w+Error: )"([^"]+)"''')
"""Finds the sentences that a script says; those of the microphone's errors stand in a list."""


def key_class(emotion: str) -> str:
    """Return the class that lets a digit press the emotion's button (see page.js).

    >>> key_class("anger")
    'key-Digit1'
    """
    return f"key-Digit{EMOTIONS.index(emotion) + 1}"


def emotion_css() -> str:
    """Return the colours as CSS variables (``--emotion-joy``) and classes (``emotion-joy``)."""
    variables = "".join(f"--emotion-{name}:{colour};" for name, colour in COLOURS.items())
    classes = "".join(f".emotion-{name}{{--tint:{colour}}}" for name, colour in COLOURS.items())
    return f":root{{{variables}}}{classes}"


def theme() -> gr.themes.Base:
    """Return the Gradio theme: warm grey and petrol."""
    import gradio as gr

    petrol, paper = (
        gr.themes.Color(**{f"c{step}": colour for step, colour in tones.items()}, name=name)
        for name, tones in (("petrol", PETROL), ("paper", PAPER))
    )
    made = gr.themes.Base(
        primary_hue=petrol,
        secondary_hue=petrol,
        neutral_hue=paper,
        font=FONT,
        font_mono=MONO,
        spacing_size=gr.themes.sizes.spacing_md,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    )
    return made.set(**values())


def values() -> dict[str, Any]:
    """Return what the theme sets; ``*neutral_600`` is of `PAPER`, ``*primary_600`` of `PETROL`."""
    return {
        "body_background_fill": "*neutral_50",
        "body_background_fill_dark": "*neutral_950",
        "body_text_color": "*neutral_900",
        "body_text_color_dark": "*neutral_100",
        "body_text_color_subdued": "*neutral_600",
        "body_text_color_subdued_dark": "*neutral_400",
        "background_fill_primary": "white",
        "background_fill_primary_dark": "*neutral_900",
        "background_fill_secondary": "*neutral_100",
        "background_fill_secondary_dark": "*neutral_800",
        "block_background_fill": "white",
        "block_background_fill_dark": "*neutral_900",
        "block_border_color": "*neutral_200",
        "block_border_color_dark": "*neutral_800",
        "border_color_primary": "*neutral_200",
        "border_color_primary_dark": "*neutral_700",
        "block_border_width": "1px",
        "block_radius": "12px",
        "block_shadow": "none",
        "block_shadow_dark": "none",
        "block_label_background_fill": "transparent",
        "block_label_background_fill_dark": "transparent",
        "block_label_border_width": "0px",
        "block_label_border_width_dark": "0px",
        "block_label_text_color": "*neutral_600",
        "block_label_text_color_dark": "*neutral_400",
        "block_title_text_color": "*neutral_700",
        "block_title_text_color_dark": "*neutral_300",
        "block_title_text_weight": "500",
        "block_label_text_weight": "500",
        "color_accent": "*primary_600",
        "color_accent_soft": "*primary_50",
        "color_accent_soft_dark": "*primary_900",
        "link_text_color": "*primary_700",
        "link_text_color_dark": "*primary_300",
        "link_text_color_hover": "*primary_800",
        "link_text_color_hover_dark": "*primary_200",
        "button_primary_background_fill": "*primary_600",
        "button_primary_background_fill_hover": "*primary_700",
        "button_primary_background_fill_dark": "*primary_600",
        "button_primary_background_fill_hover_dark": "*primary_700",
        "button_primary_text_color": "white",
        "button_primary_text_color_dark": "white",
        "button_secondary_background_fill": "white",
        "button_secondary_background_fill_hover": "*neutral_100",
        "button_secondary_background_fill_dark": "*neutral_800",
        "button_secondary_background_fill_hover_dark": "*neutral_700",
        "button_secondary_border_color": "*neutral_300",
        "button_secondary_border_color_dark": "*neutral_700",
        "button_secondary_text_color": "*neutral_900",
        "button_secondary_text_color_dark": "*neutral_100",
        "button_border_width": "1px",
        "button_large_radius": "10px",
        "button_medium_radius": "10px",
        "button_small_radius": "8px",
        "button_transition": "background-color 120ms ease, border-color 120ms ease",
        "input_background_fill": "white",
        "input_background_fill_dark": "*neutral_900",
        "input_border_color": "#8a857b",
        "input_border_color_dark": "#8a857b",
        "input_placeholder_color": "*neutral_500",
        "input_placeholder_color_dark": "*neutral_400",
        "checkbox_border_color": "#8a857b",
        "checkbox_border_color_dark": "#8a857b",
        "checkbox_label_background_fill": "transparent",
        "checkbox_label_background_fill_dark": "transparent",
        "checkbox_label_background_fill_hover": "*neutral_100",
        "checkbox_label_background_fill_hover_dark": "*neutral_800",
        "checkbox_label_background_fill_selected": "transparent",
        "checkbox_label_background_fill_selected_dark": "transparent",
        "checkbox_label_padding": "6px 12px 6px 2px",
        "checkbox_background_color_selected": "*primary_600",
        "checkbox_background_color_selected_dark": "*primary_600",
        "checkbox_border_color_selected_dark": "*primary_400",
        "slider_color": "*primary_600",
        "slider_color_dark": "*primary_400",
        "loader_color": "*primary_500",
        "panel_background_fill": "transparent",
        "panel_background_fill_dark": "transparent",
        "table_border_color": "*neutral_200",
        "table_border_color_dark": "*neutral_700",
    }


def head() -> str:
    """Return what the page's head needs: its own scripts and their sentences, no remote file."""
    # In order of name: wavesurfer before its regions, which hang themselves onto it.
    libraries = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("vendor/*.js"))]
    own = _own("page.js", ".js")
    # Those of a part that brings its script itself are said by the page all the same.
    scripts = [path.read_text(encoding="utf-8") for path in HERE.glob("*/*.js")]
    used = {text for script in (*own, *scripts) for text in SAYS.findall(script)} | {*EMOTIONS}
    tables = {name: {t: table[t] for t in used & table.keys()} for name, table in TABLES.items()}
    # "<" is written out, so that no sentence can end the script.
    texts = json.dumps(tables, ensure_ascii=False).replace("<", "\\u003c")
    every = [f"window.serTexts = {texts};", *libraries, *own]
    return "".join(f"<script>{script}</script>" for script in every)


def css() -> str:
    """Return the page's style sheet: the common one, then those of single tabs."""
    return emotion_css() + "".join(_own("style.css", ".css"))


def _own(common: str, ending: str) -> list[str]:
    """Return the common files, then those of each tab that the whole page needs."""
    tabs = sorted(
        path for path in HERE.glob(f"*/*{ending}") if path.stem in {path.parent.name, *PARTS}
    )
    others = sorted(path for path in HERE.glob(f"*{ending}") if path.name != common)
    return [path.read_text(encoding="utf-8") for path in (HERE / common, *others, *tabs)]
