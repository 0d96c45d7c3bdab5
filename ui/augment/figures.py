"""The pictures of the Augment tab: two waveforms, two mel spectrograms and their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ui.figures import CHANGE_COLOURS, MEL_COLOURS, QUIET, RANGE_DB, ROOM, envelope, squeeze
from ui.language import say
from ui.mel_spectrogram import mel_decibels
from ui.theme import FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ser_core.augment import DrawnChain
    from ser_core.inference.recognizer import Recognizer

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

POINTS = 1000
"""Most points of one waveform's envelope."""

COLUMNS = 480
"""Most columns of one spectrogram."""

SWING_DB = 40.0
"""Difference at which the colours end."""

TITLES = (
    "Original",
    "Augmented",
    "Original, mel spectrogram",
    "Augmented, mel spectrogram",
    "Difference, ±{decibels} dB",
)


def pair(
    recognizer: Recognizer, before: Floats, after: Floats, rate: int, drawn: DrawnChain | None
) -> tuple[Bytes, Bytes, Bytes, npt.NDArray[np.float64]]:
    """Return both mel spectrograms and their difference as bytes on one scale.

    Args:
        recognizer: the model.
        before: ``[channel, time]``.
        after: ``[channel, time]``, of the same length.
        rate: hertz.
        drawn: whose masks are laid over the second.

    Returns:
        Three pictures ``[bin, column]`` and the centre of each bin in hertz. 255 is the loudest of
        both clips, 0 is 80 dB below; in the difference 128 is "as it was".
    """
    first, frequencies = mel_decibels(recognizer, before, rate)
    second, _ = mel_decibels(recognizer, after, rate)
    floor = max(float(first.max()), float(second.max())) - RANGE_DB
    first, second = np.maximum(first, floor), np.maximum(second, floor)
    if drawn is not None:
        second = drawn.apply_features(second[None])[0]
    first, second = squeeze(first, COLUMNS), squeeze(second, COLUMNS)
    scale = 255.0 / RANGE_DB
    change = np.clip((second - first) * (127.0 / SWING_DB), -127, 127) + 128
    return (
        np.rint((first - floor) * scale).astype(np.uint8),
        np.rint((second - floor) * scale).astype(np.uint8),
        np.rint(change).astype(np.uint8),
        frequencies,
    )


def same_length(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """Return both with silence at the end of the shorter one."""
    length = max(before.shape[1], after.shape[1])
    return tuple(np.pad(one, ((0, 0), (0, length - one.shape[1]))) for one in (before, after))  # type: ignore[return-value]


def comparison(
    recognizer: Recognizer,
    before: Floats,
    after: Floats,
    rate: int,
    drawn: DrawnChain | None = None,
) -> go.Figure:
    """Draw a clip and what became of it, one above the other on one time axis.

    Both waveforms share one scale of amplitude, both spectrograms one scale of decibels.

    Args:
        recognizer: the model, whose mel spectrogram is drawn.
        before: ``[channel, time]``.
        after: ``[channel, time]``; may be of another length.
        rate: hertz.
        drawn: the chain, for its masks on the spectrogram.
    """
    import plotly.graph_objects as go

    before, after = same_length(before, after)
    seconds = before.shape[1] / rate
    waves = [envelope(wave.mean(axis=0), POINTS) for wave in (before, after)]
    *images, frequencies = pair(recognizer, before, after, rate, drawn)
    peak = max(*(float(np.abs(wave).max(initial=0.0)) for wave in waves), 0.05) * 1.05
    data = [_wave(wave, seconds, place) for place, wave in enumerate(waves, 1)]
    data += [_image(image, seconds, place) for place, image in enumerate(images, 3)]
    layout = _layout(seconds, min(peak, 1.5), frequencies)
    return go.Figure({"data": data, "layout": layout})


def _wave(wave: Floats, seconds: float, place: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x0": 0.0,
        "dx": seconds / max(len(wave), 1),
        "y": np.round(wave, 4),
        "mode": "lines",
        "line": {"width": 1, "color": "#1d7871"},
        "hovertemplate": "%{x:.2f} s<extra></extra>",
        "showlegend": False,
        "xaxis": "x",
        "yaxis": _axis("y", place),
    }


def _image(image: Bytes, seconds: float, place: int) -> dict[str, Any]:
    width = seconds / image.shape[1]
    return {
        "type": "heatmap",
        "z": image,
        "x0": width / 2,
        "dx": width,
        "zmin": 0,
        "zmax": 255,
        "colorscale": CHANGE_COLOURS if place == 5 else MEL_COLOURS,
        "showscale": False,
        "hoverinfo": "skip",
        "xaxis": "x",
        "yaxis": _axis("y", place),
    }


def _axis(letter: str, place: int) -> str:
    return letter if place == 1 else f"{letter}{place}"


SHARES = (0.10, 0.10, 0.21, 0.21, 0.21)
GAP = 0.0425


def _layout(seconds: float, peak: float, frequencies: npt.NDArray[np.float64]) -> dict[str, Any]:
    ticks = [hertz for hertz in (250, 1000, 4000) if hertz <= frequencies[-1]]
    places = np.interp(ticks, frequencies, np.arange(len(frequencies)))
    mel = {
        "range": [-0.5, len(frequencies) - 0.5],
        "tickvals": [round(float(place), 2) for place in places],
        "ticktext": [f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz" for hertz in ticks],
    }
    wave = {"range": [-peak, peak], "showticklabels": False, "zeroline": True}
    bare = {"fixedrange": True, "showgrid": False, "zeroline": False, **ROOM}
    layout: dict[str, Any] = {
        "height": 760,
        "margin": {"l": 56, "r": 10, "t": 26, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": QUIET, "size": 12, "family": ", ".join(FONT)},
        "hovermode": "closest",
        "dragmode": False,
        "showlegend": False,
        "annotations": [],
        "xaxis": {
            **bare,
            "range": [0, seconds],
            "autorange": False,
            "anchor": "y5",
            "title": {"text": say("seconds"), "standoff": 6},
        },
    }
    top = 1.0
    for place, (share, title) in enumerate(zip(SHARES, TITLES, strict=True), 1):
        key = "yaxis" if place == 1 else f"yaxis{place}"
        domain = [max(round(top - share, 4), 0.0), round(top, 4)]
        layout[key] = {**bare, **(wave if place < 3 else mel), "domain": domain, "anchor": "x"}
        layout["annotations"].append(
            {
                "text": say(title, decibels=f"{SWING_DB:.0f}"),
                "x": 0,
                "y": domain[1],
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "xshift": 4,
                "yshift": 2,
                "showarrow": False,
                "font": {"size": 12, "color": QUIET},
            }
        )
        top -= share + GAP
    return layout
