"""Pictures of a clip: small enough to send, on one time axis, in the theme's own colours.

Text, grid and background are left to the style sheet, so that one figure fits light and dark.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_core.inference.timeline import TimelineBlock, Window, blocks
from ui.language import current, say
from ui.theme import COLOURS, DARK, DARK_INK, FONT, LETTERS

if TYPE_CHECKING:
    import plotly.graph_objects as go


Floats = npt.NDArray[np.float32]

POINTS = 2000
"""Most points of a waveform's envelope."""

COLUMNS = 960
"""Most columns of a spectrogram's picture."""

BLOCKS = 400
"""Most blocks of a time line."""

RANGE_DB = 80.0
QUIET = "#8a857b"
ROOM: dict[str, Any] = {"ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)"}
"""Keeps the figures of an axis off it, and off the line that runs with the sound."""

MEL_COLOURS = [
    [0.0, "#12100f"],
    [0.3, "#14403f"],
    [0.55, "#2c958b"],
    [0.78, "#b9d9a0"],
    [1.0, "#fff6d6"],
]
CHANGE_COLOURS = [
    [0.0, "#8fd0ff"],
    [0.25, "#2f6fb3"],
    [0.5, "#12100f"],
    [0.75, "#b3541e"],
    [1.0, "#ffc27a"],
]
"""Blue where something was taken, black where nothing changed, orange where something was added."""
HEAT_COLOURS = [
    [0.0, "rgba(226,78,38,0)"],
    [0.35, "rgba(226,78,38,0.15)"],
    [1.0, "rgba(255,96,40,1)"],
]


@dataclass(frozen=True)
class MelImage:
    """A mel spectrogram to be drawn.

    Attributes:
        image: uint8 ``[bin, column]``; 255 is the loudest, 0 is 80 dB below it.
        frequencies: centre of each bin, in hertz, ascending.
        seconds: time that the columns span; at most one column more than the clip.
    """

    image: npt.NDArray[np.uint8]
    frequencies: npt.NDArray[np.float64]
    seconds: float


@dataclass(frozen=True)
class HeatMap:
    """Where the model looked.

    Attributes:
        values: 0 to 1, ``[bin, frame]``.
        start, end: the stretch of the clip it covers, in seconds.
    """

    values: Floats
    start: float
    end: float


def envelope(samples: npt.NDArray[Any], points: int = POINTS) -> Floats:
    """Return the lowest and highest value of each stretch, one after the other.

    Args:
        samples: ``[time]``.
        points: most values returned; a shorter clip comes back as it is.

    >>> envelope(np.array([0.0, 1.0, -1.0, 0.5]), points=2).tolist()
    [-1.0, 1.0]
    """
    wave = np.asarray(samples, np.float32)
    if len(wave) <= points:
        return wave
    edges = np.linspace(0, len(wave), points // 2 + 1).astype(np.int64)[:-1]
    pairs = np.stack([np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)], axis=1)
    return np.ascontiguousarray(pairs.reshape(-1))


def to_bytes(decibels: npt.NDArray[Any], range_db: float = RANGE_DB) -> npt.NDArray[np.uint8]:
    """Return decibels as 0 to 255, the loudest value being 255.

    >>> to_bytes(np.array([[-100.0, -40.0, 0.0]])).tolist()
    [[0, 128, 255]]
    """
    values = np.asarray(decibels, np.float32)
    scaled = (values - values.max() + range_db) * (255.0 / range_db)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def squeeze(image: npt.NDArray[Any], columns: int = COLUMNS) -> npt.NDArray[Any]:
    """Return the picture with at most ``columns`` columns, each the highest of those it stands for.

    >>> squeeze(np.array([[1, 5, 2, 3]]), 2).tolist()
    [[5, 3]]
    """
    if image.shape[1] <= columns:
        return image
    edges = np.linspace(0, image.shape[1], columns + 1).astype(np.int64)[:-1]
    squeezed: npt.NDArray[Any] = np.maximum.reduceat(image, edges, axis=1)
    return squeezed


def clip_figure(
    samples: npt.NDArray[Any],
    rate: int,
    mel: MelImage,
    *,
    windows: Sequence[Window] = (),
    speech: Sequence[tuple[float, float]] | None = None,
) -> go.Figure:
    """Draw a clip: waveform, emotions over time where there are several windows, mel spectrogram.

    Args:
        samples: ``[time]``, full scale is 1.
        rate: hertz.
        mel: the spectrogram.
        windows: what the model said over time; one window draws no time line.
        speech: stretches of speech in seconds; what lies between is shaded. None shades nothing.
    """
    from plotly.graph_objects import Figure
    from plotly.subplots import make_subplots

    several = len(windows) > 1
    heights = [0.26, 0.2, 0.54] if several else [0.36, 0.64]
    titles = [say("Waveform"), say("Emotion over time"), say("Mel spectrogram")]
    figure: Figure = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=0.09,
        subplot_titles=titles if several else [titles[0], titles[2]],
    )
    seconds = len(samples) / rate
    figure.add_trace(_wave(samples, seconds), row=1, col=1)
    if speech is not None:
        for start, end in silences(speech, seconds)[:200]:
            figure.add_vrect(
                start, end, row=1, col=1, fillcolor=QUIET, opacity=0.14, line_width=0, layer="below"
            )
    if several:
        _add_line(figure, windows, speech)
    row = len(heights)
    figure.add_trace(_mel(mel), row=row, col=1)
    _dress(figure, mel, seconds, several, _peak(samples))
    return figure


def in_readers_language(figure: go.Figure | None) -> go.Figure | None:
    """Return a clip's figure, which was drawn in English for everybody, with the reader's words."""
    import plotly.graph_objects as go

    if figure is None or current() == "en":
        return figure
    shown = go.Figure(figure)
    for one in shown.layout.annotations:
        one.text = say(one.text)
    for axis in shown.select_xaxes():
        axis.title.text = axis.title.text and say(axis.title.text)
    for trace in shown.data:
        if trace.type == "bar":
            trace.hovertemplate = trace.hovertemplate.replace(trace.name, say(trace.name), 1)
        elif trace.text is not None:  # a letter of an English name says nothing in another language
            trace.text = [say(text) if len(text) > 1 else "" for text in trace.text]
    return shown


def outline(figure: go.Figure) -> bytes:
    """Return the waveform of a clip's figure as loudness over time, 0 to 255, the loudest is 255.

    Args:
        figure: from `clip_figure`.
    """
    wave = np.abs(np.asarray(figure.data[0].y, np.float32))
    return (
        np.rint(wave * (255 / max(float(wave.max(initial=0.0)), 1e-6))).astype(np.uint8).tobytes()
    )


def with_heat(figure: go.Figure, heat: HeatMap) -> go.Figure:
    """Return a copy of a clip's figure with where the model looked laid over its spectrogram.

    Args:
        figure: from `clip_figure`.
        heat: where the model looked.
    """
    import plotly.graph_objects as go

    shown = go.Figure(figure)
    (mel,) = (trace for trace in shown.data if trace.type == "heatmap")
    laid = _heat(heat, len(mel.z))
    laid.update(xaxis=mel.xaxis, yaxis=mel.yaxis)
    return shown.add_trace(laid)


def silences(speech: Sequence[tuple[float, float]], seconds: float) -> list[tuple[float, float]]:
    """Return the stretches between speech.

    >>> silences([(1.0, 2.0), (3.0, 4.0)], 4.0)
    [(0.0, 1.0), (2.0, 3.0)]
    """
    gaps, last = [], 0.0
    for start, end in [*speech, (seconds, seconds)]:
        if start - last > 0.05:
            gaps.append((last, start))
        last = max(last, end)
    return gaps


def _peak(samples: npt.NDArray[Any]) -> float:
    return max(float(np.abs(samples).max(initial=0.0)) * 1.05, 0.05)


def _wave(samples: npt.NDArray[Any], seconds: float) -> go.Scatter:
    import plotly.graph_objects as go

    shown = envelope(samples)
    return go.Scatter(
        x0=0.0,
        dx=seconds / max(len(shown), 1),
        y=shown,
        mode="lines",
        line={"width": 1, "color": "#1d7871"},
        hovertemplate="%{x:.2f} s<extra></extra>",
        showlegend=False,
    )


def _add_line(
    figure: go.Figure,
    windows: Sequence[Window],
    speech: Sequence[tuple[float, float]] | None,
) -> None:
    import plotly.graph_objects as go

    found = blocks(windows, BLOCKS, speech)
    for emotion, colour in COLOURS.items():
        own = [block for block in found if block.emotion == emotion]
        if not own:
            continue
        bars = go.Bar(
            x=[round((block.start + block.end) / 2, 3) for block in own],
            width=[round(block.end - block.start, 3) for block in own],
            y=[round(block.probability, 3) for block in own],
            name=emotion,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"{say(emotion)} %{{y:.0%}}<br>%{{x:.1f}} s<extra></extra>",
        )
        figure.add_trace(bars, row=2, col=1)
    places = [place for place in names(found) if place.text]
    labels = go.Scatter(
        x=[place.middle for place in places],
        y=[0.04] * len(places),
        text=[place.text for place in places],
        textposition="top center",
        textfont={"size": 11, "color": [place.colour for place in places]},
        mode="text",
        hoverinfo="skip",
    )
    figure.add_trace(labels, row=2, col=1)


@dataclass(frozen=True)
class TimelineLabel:
    """A name on the time line."""

    middle: float
    text: str
    colour: str


def names(found: Sequence[TimelineBlock]) -> list[TimelineLabel]:
    """Return one name for each run of blocks of one emotion, a letter where it is short.

    >>> found = [TimelineBlock(0, 9, "joy", 0.5), TimelineBlock(9, 9.4, "fear", 0.4)]
    >>> [place.text for place in names(found)]
    ['joy', 'F']
    """
    total = found[-1].end - found[0].start if found else 0.0
    places = []
    for emotion, group in itertools.groupby(found, key=lambda block: block.emotion):
        run = list(group)
        start, end = run[0].start, run[-1].end
        if emotion is None:
            continue
        share = (end - start) / total
        text = say(emotion) if share > 0.1 else LETTERS[emotion] if share > 0.025 else ""
        ink = "#ffffff" if emotion in DARK else DARK_INK
        places.append(TimelineLabel(round((start + end) / 2, 3), text, ink))
    return places


def _mel(mel: MelImage) -> go.Heatmap:
    import plotly.graph_objects as go

    width = mel.seconds / mel.image.shape[1]
    return go.Heatmap(
        z=mel.image,
        x0=width / 2,
        dx=width,
        zmin=0,
        zmax=255,
        colorscale=MEL_COLOURS,
        showscale=False,
        hoverinfo="skip",
    )


def _heat(heat: HeatMap, bins: int) -> go.Heatmap:
    import plotly.graph_objects as go

    rows = heat.values[:: max(1, len(heat.values) // 32)]
    values = squeeze(rows, 96)
    width = (heat.end - heat.start) / values.shape[1]
    height = bins / len(values)
    return go.Heatmap(
        z=np.rint(values * 255).astype(np.uint8),
        x0=heat.start + width / 2,
        dx=width,
        y0=height / 2 - 0.5,
        dy=height,
        zmin=0,
        zmax=255,
        zsmooth="best",
        colorscale=HEAT_COLOURS,
        showscale=False,
        hoverinfo="skip",
    )


def _dress(figure: go.Figure, mel: MelImage, seconds: float, several: bool, peak: float) -> None:
    ticks = [hertz for hertz in (125, 500, 1000, 2000, 4000, 8000) if hertz <= mel.frequencies[-1]]
    places = np.interp(ticks, mel.frequencies, np.arange(len(mel.frequencies)))
    last = 3 if several else 2
    figure.update_layout(
        template="none",
        height=470 if several else 390,
        margin={"l": 56, "r": 10, "t": 26, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": QUIET, "size": 12, "family": ", ".join(FONT)},
        hovermode="closest",
        dragmode=False,
        barmode="overlay",
        showlegend=False,
    )
    figure.update_annotations(
        x=0, xanchor="left", yshift=3, xshift=8, font={"size": 12, "color": QUIET}
    )
    figure.update_xaxes(
        range=[0, seconds],
        fixedrange=True,
        showgrid=False,
        zeroline=False,
        autorange=False,
        **ROOM,
    )
    figure.update_xaxes(title={"text": say("seconds"), "standoff": 6}, row=last, col=1)
    figure.update_yaxes(fixedrange=True, showgrid=False, zeroline=False, **ROOM)
    figure.update_yaxes(range=[-peak, peak], showticklabels=False, zeroline=True, row=1, col=1)
    if several:
        figure.update_yaxes(
            range=[0, 1], tickvals=[0, 0.5], ticktext=["0", "50 %"], showgrid=True, row=2, col=1
        )
    figure.update_yaxes(
        range=[-0.5, len(mel.frequencies) - 0.5],
        tickvals=[round(float(place), 2) for place in places],
        ticktext=[f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz" for hertz in ticks],
        row=last,
        col=1,
    )
