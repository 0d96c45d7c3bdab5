"""Class balance and agreement as Plotly pictures, in the theme's own colours."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from label_store.agreement import Agreement
from ser_core.emotions import EMOTIONS
from ui.figures import QUIET, ROOM
from ui.language import say, say_count
from ui.page_html import plural
from ui.theme import COLOURS, DARK_INK, FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHADES = [[0.0, "#b4533c"], [0.5, "#e6d9b8"], [1.0, "#1d7871"]]


UNKNOWN = "unknown"


def balance_figure(counts: dict[str, int]) -> go.Figure:
    """Draw how many rows each emotion has; unknown ones stand as one bar.

    Args:
        counts: emotion -> rows, as `CorpusTable.counts` gives it.
    """
    import plotly.graph_objects as go

    known = [(name, counts[name]) for name in EMOTIONS if counts.get(name)]
    unknown = sum(count for name, count in counts.items() if name not in EMOTIONS)
    shown = [*known, *([(UNKNOWN, unknown)] if unknown else [])]
    total = max(1, sum(count for _, count in shown))
    few = max((count for _, count in shown), default=0) <= 8
    bars = go.Bar(
        y=[say(name) for name, _ in shown],
        x=[count for _, count in shown],
        orientation="h",
        marker={"color": [COLOURS.get(name, QUIET) for name, _ in shown], "line": {"width": 0}},
        text=[f"{count:,} · {100 * count / total:.0f} %" for _, count in shown],
        textposition="outside",
        hovertemplate=f"%{{y}}: {say('{count} rows', count='%{x}')}<extra></extra>",
        cliponaxis=False,
    )
    figure = go.Figure(bars)
    _dress(figure, say("Rows of each emotion"), 60 + 30 * max(len(shown), 3))
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title={"text": say("rows"), "standoff": 6}, rangemode="tozero")
    if few:  # There is no half row.
        figure.update_xaxes(dtick=1)
    return figure


def agreement_figure(found: Agreement, most: int = 12) -> go.Figure:
    """Draw Cohen's kappa of each pair of annotators.

    Args:
        found: the agreement.
        most: most annotators drawn, those with most shared clips first.
    """
    import plotly.graph_objects as go

    shared: Counter[str] = Counter()
    for pair in found.pairs:
        shared.update({pair.first: pair.clips, pair.second: pair.clips})
    names = [name for name, _ in shared.most_common(most)]
    place = {name: index for index, name in enumerate(names)}
    # Plotly reads markup in an axis' words.
    words = [escape(name) for name in names]
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    texts = [[""] * len(names) for _ in names]
    for pair in found.pairs:
        if pair.first in place and pair.second in place:
            for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
                values[place[one]][place[other]] = pair.kappa
                kappa = say("undefined") if pair.kappa is None else f"{pair.kappa:.2f}"
                clips = say_count(pair.clips, "1 clip", "{count} clips")
                texts[place[one]][place[other]] = f"κ {kappa}<br>{clips}"
    figure = go.Figure(
        go.Heatmap(
            z=values, x=words, y=words, zmin=-1, zmax=1, colorscale=SHADES, text=texts,
            texttemplate="%{text}", showscale=False, xgap=2, ygap=2,
            textfont={"color": DARK_INK},
            hovertemplate="%{x} – %{y}<br>%{text}<extra></extra>",
        )
    )  # fmt: skip
    _dress(figure, say("Cohen's kappa of each pair of annotators"), 120 + 52 * max(len(names), 2))
    figure.update_yaxes(autorange="reversed")
    return figure


def summary(found: Agreement) -> str:
    """Return the agreement in words."""
    if not found.shared:
        return (
            '<p class="hint">No clip has been labelled by two annotators yet. One clip in ten goes '
            "to a second annotator, so that agreement can be measured.</p>"
        )
    alpha = say("undefined") if found.alpha is None else f"{found.alpha:.2f}"
    by = ", ".join(
        f"{escape(say(name))} {'–' if value is None else f'{value:.2f}'}"
        for name, value in found.by_emotion.items()
    )
    return (
        f'<p class="hint"><b>{found.shared}</b> {plural(found.shared, "clip was", "clips were")} '
        "labelled by two or more annotators. "
        f"Krippendorff's alpha is <b>{alpha}</b> (1 is perfect, 0 is chance). "
        f"By emotion: {by}.</p>"
    )


def _dress(figure: go.Figure, title: str, height: int) -> None:
    layout: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": 90, "r": 90, "t": 40, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": QUIET, "size": 12, "family": ", ".join(FONT)},
        "title": {"text": title, "x": 0.02, "font": {"size": 13, "color": QUIET}},
        "dragmode": False,
    }
    figure.update_layout(**layout)
    figure.update_xaxes(fixedrange=True, showgrid=False, zeroline=False, **ROOM)
    figure.update_yaxes(fixedrange=True, showgrid=False, zeroline=False, **ROOM)
