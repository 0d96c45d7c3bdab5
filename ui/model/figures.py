"""The champion's figures as plain values and pictures, whatever its ``metrics.json`` holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures import QUIET, ROOM
from ui.language import say
from ui.markdown import contained
from ui.services import Services
from ui.theme import COLOURS, FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

ALL = "all"
"""The choice that stands for the clips of every corpus."""

SCALE = [[0.0, "rgba(29,120,113,0)"], [1.0, "rgba(29,120,113,0.75)"]]
"""Never so dark that the figure on it can't be read, light or dark."""
NO_FIGURES = (
    "This checkpoint came without figures, so nothing is known of how often it is right. "
    "`python -m trainer evaluate` measures it on your corpora."
)
MISTAKEN = "{truth}, predicted as {predicted}: {count} clips"
SURE = "says {says}, right {right} ({count} clips)"
NO_CURVE = (
    "How honest its percentages are was not recorded for these clips. "
    "`python -m trainer evaluate` measures it."
)
NEVER = ", none of it in training"
"""Stands after the name of a corpus that the model had nothing of in training."""


def called(name: str) -> str:
    """Return what a set of clips is called in the reader's language.

    >>> called("all"), called("emodb, none of it in training")
    ('all corpora', 'emodb, none of it in training')
    """
    if name == ALL:
        return say("all corpora")
    return f"{name.removesuffix(NEVER)}{say(NEVER)}" if name.endswith(NEVER) else name


@dataclass(frozen=True)
class EmotionRow:
    """One emotion's figures; ``clips`` is how many clips truly have it."""

    emotion: str
    precision: float
    recall: float
    f1: float
    clips: int


@dataclass(frozen=True)
class Figures:
    """Figures over one set of clips.

    Attributes:
        name: the corpus, or ``ALL``.
        uar, accuracy, macro_f1: 0 to 1; None where they are not known.
        low, high: 95 % interval of the UAR over speakers; None without one.
        guess: UAR of always saying the same; None where it is not known.
        clips, speakers: how many there were.
        rows: figures by emotion.
        emotions, confusion: counts, ``[truth][predicted]``.
        ece: expected calibration error, or None.
    """

    name: str
    uar: float | None = None
    accuracy: float | None = None
    macro_f1: float | None = None
    low: float | None = None
    high: float | None = None
    guess: float | None = None
    clips: int = 0
    speakers: int = 0
    rows: tuple[EmotionRow, ...] = ()
    emotions: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    ece: float | None = None


@dataclass(frozen=True)
class Curve:
    """How honest the percentages are.

    Attributes:
        before, after: calibration error before and after temperature scaling, 0 to 1, or None.
        bins: mean probability, share that was right, clips.
        floor: what an honest model would measure on as many clips, or None.
    """

    before: float | None
    after: float | None
    bins: tuple[tuple[float, float, int], ...]
    floor: float | None = None


@dataclass(frozen=True)
class Champion:
    """What is known of the model that serves, read without loading it.

    Attributes:
        folder: its checkpoint.
        card: Markdown without its front matter.
        metrics: ``metrics.json``; empty where it can't be read.
        problem: what could not be read, or "".
    """

    folder: Path
    card: str
    metrics: dict[str, Any]
    problem: str = ""


def read_champion(services: Services) -> Champion:
    """Read card and figures of the model that serves."""
    from ser_core.checkpoints.champion import champion_folder
    from ser_core.errors import SerError

    settings, problem = services.settings, ""
    folder = settings.model
    if not settings.pinned:
        try:
            folder = champion_folder(settings.home, settings.model)
        except SerError as error:
            problem = str(error)
    try:
        card = contained(without_front_matter((folder / "README.md").read_text(encoding="utf-8")))
        metrics = read_metrics(folder)
    except (OSError, ValueError) as error:
        return Champion(folder, "", {}, problem or f"Nothing can be read at {folder}: {error}")
    return Champion(folder, card, metrics, problem)


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return ``metrics.json``; empty where it is not an object.

    Raises:
        OSError: it is not there.
        ValueError: it is not JSON.
    """
    values = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return values if isinstance(values, dict) else {}


def without_front_matter(card: str) -> str:
    """Return a model card without the block that is for the Hub.

    >>> without_front_matter("---\\nlicense: mit\\n---\\n# Name")
    '# Name'
    """
    if not card.startswith("---\n"):
        return card
    _, _, rest = card[4:].partition("\n---\n")
    return rest.lstrip("\n") or card


def figures_of(metrics: dict[str, Any]) -> dict[str, Figures]:
    """Return figures by corpus, ``ALL`` first; empty where there are none.

    Args:
        metrics: ``metrics.json``: ``report`` of an evaluation, or ``test`` by corpus, or neither.
    """
    found: dict[str, Figures] = {}
    report = _object(metrics.get("report"))
    evaluation = _object(report.get("evaluation"))
    for name, values in _object(metrics.get("test")).items():
        found[name] = _figures(str(name), values)
    for name, pair in _pairs(report).items():
        found[name] = _figures(name, _object(pair).get("restricted"))
    found = {name: one for name, one in sorted(found.items()) if one.clips or one.uar is not None}
    overall = _figures(ALL, evaluation.get("overall"))
    if overall.clips:
        return {ALL: overall, **found}
    together = pooled([one for one in found.values() if one.confusion])
    return {ALL: together, **found} if together and len(found) > 1 else found


def pooled(parts: list[Figures]) -> Figures | None:
    """Return the figures of all clips together, from the counts of each corpus."""
    emotions = [name for name in COLOURS if any(name in part.emotions for part in parts)]
    if not emotions:
        return None
    place = {name: index for index, name in enumerate(emotions)}
    total = np.zeros((len(emotions), len(emotions)), np.int64)
    for part in parts:
        known = [name in place for name in part.emotions]
        at = [place[name] for name in part.emotions if name in place]
        total[np.ix_(at, at)] += np.array(part.confusion, np.int64)[np.ix_(known, known)]
    rows = _rows_of(emotions, total)
    present = [row for row in rows if row.clips]
    clips = int(total.sum())
    return Figures(
        ALL,
        uar=float(np.mean([row.recall for row in present])) if present else None,
        accuracy=float(np.trace(total) / clips) if clips else None,
        macro_f1=float(np.mean([row.f1 for row in present])) if present else None,
        guess=1 / len(present) if present else None,
        clips=clips,
        speakers=sum(part.speakers for part in parts),
        rows=tuple(present),
        emotions=tuple(emotions),
        confusion=tuple(tuple(int(value) for value in row) for row in total),
    )


def _rows_of(emotions: list[str], total: Any) -> list[EmotionRow]:
    right, predicted, true = np.diag(total), total.sum(axis=0), total.sum(axis=1)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(predicted + true, 1)
    return [
        EmotionRow(name, float(precision[i]), float(recall[i]), float(f1[i]), int(true[i]))
        for i, name in enumerate(emotions)
    ]


def curves_of(metrics: dict[str, Any]) -> dict[str, Curve]:
    """Return calibration curves by corpus, ``ALL`` first; empty where none was recorded.

    Args:
        metrics: ``metrics.json``; ``report`` holds them, as `trainer.evaluation` measures them.
    """
    report = _object(metrics.get("report"))
    evaluation = _object(report.get("evaluation"))
    found = {ALL: _curve(evaluation.get("calibration"))}
    for name, pair in sorted(_pairs(report).items()):
        found[name] = _curve(_object(pair).get("calibration"))
    return {name: curve for name, curve in found.items() if curve is not None}


def _curve(values: Any) -> Curve | None:
    held = _object(values)
    bins = tuple(
        (float(predicted), float(true), int(clips))
        for predicted, true, clips in held.get("bins") or ()
        if predicted is not None and true is not None
    )
    if not bins:
        return None
    before, after = _number(held.get("ece_before")), _number(held.get("ece_after"))
    return Curve(before, after, bins, _number(held.get("floor")))


def _pairs(report: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured on each corpus, those that were never trained on named so."""
    seen_corpora = _object(_object(report.get("evaluation")).get("by_corpus"))
    # Reports of older versions call them "never_heard".
    unseen = report.get("unseen_corpora") or report.get("never_heard")
    held_out = _object(_object(unseen).get("by_corpus"))
    return {str(name): pair for name, pair in seen_corpora.items()} | {
        f"{name}{NEVER}": pair for name, pair in held_out.items()
    }


def confusion_figure(figures: Figures) -> go.Figure:
    """Draw the confusion matrix: rows are the truth, shares of each row, counts on hovering."""
    import plotly.graph_objects as go

    counts = np.array(figures.confusion, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [say(emotion) for emotion in figures.emotions]
    drawn = go.Figure(
        go.Heatmap(
            z=np.round(shares, 4),
            x=names,
            y=names,
            customdata=counts,
            zmin=0,
            zmax=1,
            colorscale=SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            text=[[f"{value * 100:.0f}" if value >= 0.005 else "" for value in r] for r in shares],
            texttemplate="%{text}",
            hovertemplate=say(MISTAKEN, truth="%{y}", predicted="%{x}", count="%{customdata}")
            + "<extra></extra>",
        )
    )
    # Slanted, the longest name takes about half of its length below.
    longest = 7 * max(map(len, names), default=0)
    _dress(drawn, height=130 + 34 * len(names), below=46 + longest // 2, left=30 + longest)
    drawn.update_yaxes(autorange="reversed", title={"text": say("truly"), "standoff": 4})
    drawn.update_xaxes(title={"text": say("predicted, %"), "standoff": 6}, tickangle=-45)
    return drawn


def curve_figure(curve: Curve) -> go.Figure:
    """Draw how often the model is right against how sure it says it is."""
    import plotly.graph_objects as go

    most = max(clips for _, _, clips in curve.bins)
    drawn = go.Figure()
    drawn.add_trace(
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "width": 1, "color": QUIET},
            hoverinfo="skip",
        )
    )  # fmt: skip
    drawn.add_trace(
        go.Scatter(
            x=[predicted for predicted, _, _ in curve.bins],
            y=[true for _, true, _ in curve.bins],
            customdata=[clips for _, _, clips in curve.bins],
            mode="lines+markers",
            line={"width": 2, "color": "#1d7871"},
            marker={"size": [6 + 12 * (n / most) ** 0.5 for _, _, n in curve.bins]},
            hovertemplate=say(SURE, says="%{x:.0%}", right="%{y:.0%}", count="%{customdata}")
            + "<extra></extra>",
        )
    )
    _dress(drawn, height=290, below=48)
    places = [0, 0.2, 0.4, 0.6, 0.8, 1]
    share = {
        "range": [-0.03, 1.03],
        "tickvals": places,
        "ticktext": [f"{100 * p:.0f}" for p in places],
    }
    drawn.update_xaxes(title={"text": say("how sure it says it is, %"), "standoff": 6}, **share)
    drawn.update_yaxes(title={"text": say("how often it is right, %"), "standoff": 4}, **share)
    return drawn


def _dress(drawn: go.Figure, height: int, below: int = 76, left: int = 76) -> None:
    drawn.update_layout(
        template="none",
        height=height,
        margin={"l": left, "r": 12, "t": 12, "b": below},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": QUIET, "size": 12, "family": ", ".join(FONT)},
        dragmode=False,
        showlegend=False,
        hovermode="closest",
    )
    drawn.update_xaxes(fixedrange=True, showgrid=False, zeroline=False, **ROOM)
    drawn.update_yaxes(fixedrange=True, showgrid=False, zeroline=False, **ROOM)


def _figures(name: str, values: Any) -> Figures:
    held = _object(values)
    interval = _object(held.get("uar_interval"))
    rows = tuple(
        EmotionRow(
            str(row["emotion"]),
            _number(row.get("precision")) or 0.0,
            _number(row.get("recall")) or 0.0,
            _number(row.get("f1")) or 0.0,
            int(row.get("clips") or 0),
        )
        for row in held.get("classes", ())
        if isinstance(row, dict) and "emotion" in row
    )
    return Figures(
        name,
        _number(held.get("uar")),
        _number(held.get("accuracy")),
        _number(held.get("macro_f1")),
        _number(interval.get("low")),
        _number(interval.get("high")),
        _number(held.get("majority_uar")),
        int(held.get("clips") or 0),
        int(held.get("speakers") or 0),
        rows,
        tuple(map(str, held.get("emotions", ()))),
        tuple(tuple(int(value) for value in row) for row in held.get("confusion", ())),
        _number(held.get("ece")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable else None
