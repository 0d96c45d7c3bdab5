"""Pictures of the Features tab: each descriptor of a voice over time, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ui.figures import (
    CHANGE_COLOURS,
    MEL_COLOURS,
    QUIET,
    RANGE_DB,
    ROOM,
    envelope,
    squeeze,
    to_bytes,
)
from ui.language import say
from ui.mel_spectrogram import mel_decibels
from ui.theme import FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ser_core.frontends.descriptors import ClipDescriptors
    from ser_core.inference.recognizer import Recognizer

Floats = npt.NDArray[np.float32]

POINTS = 800
"""Most points of a line."""

COLUMNS = 400
"""Most columns of a picture."""

PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
CIRCLES = ("fifths, sin", "fifths, cos", "minor, sin", "minor, cos", "major, sin", "major, cos")

TITLES: dict[str, tuple[str, str]] = {
    "waveform": (
        "Waveform",
        "Air pressure over time: tall is loud, gaps are pauses, dense bursts are vowels.",
    ),
    "linear": (
        "Spectrogram, linear",
        "Every frequency at its own height: fine stripes are the partials of the voice, their "
        "distance is its pitch.",
    ),
    "mel": (
        "Mel spectrogram",
        "The same on the scale of the ear, wide for low and narrow for high sounds: this is what "
        "the model looks at.",
    ),
    "mfcc": ("MFCC", ""),
    "mfcc_delta": ("MFCC, slope", ""),
    "mfcc_delta2": ("MFCC, curvature", ""),
    "chroma": ("Chroma", ""),
    "tonnetz": ("Tonnetz", ""),
    "rms": ("Loudness (RMS)", ""),
    "zcr": ("Zero crossings (ZCR)", ""),
    "centroid": ("Spectral centroid", ""),
    "bandwidth": ("Spectral bandwidth", ""),
    "rolloff_85": ("Roll-off, 85 %", ""),
    "rolloff_01": ("Roll-off, 1 %", ""),
    "flatness": ("Spectral flatness", ""),
}
"""Title of each picture in order; the lines on descriptors stand in their own table."""


@dataclass(frozen=True)
class Picture:
    """One picture with its words.

    Attributes:
        name: key in ``TITLES``.
        title: above the picture.
        says: what it tells about a voice.
        words: what it shows of this clip, in numbers.
        figure: the picture.
    """

    name: str
    title: str
    says: str
    words: str
    figure: go.Figure


def says(name: str) -> str:
    """Return what a picture tells about a voice, in one sentence.

    >>> says("rms").startswith("How loud")
    True
    """
    from ser_core.frontends.descriptor_table import DESCRIPTORS

    return TITLES[name][1] or DESCRIPTORS[name].says


def pictures(recognizer: Recognizer, samples: Floats, rate: int) -> list[Picture]:
    """Return every picture of a clip, in the order of ``TITLES``.

    Args:
        recognizer: the model, whose mel spectrogram is drawn.
        samples: ``[channel, time]``, short; channels are averaged.
        rate: hertz.
    """
    from ser_core.frontends.descriptor_table import DESCRIPTORS
    from ser_core.frontends.descriptors import describe_clip

    mono = np.ascontiguousarray(samples.mean(axis=0, dtype=np.float32))
    described = describe_clip(mono, rate)
    seconds = len(mono) / rate
    special: dict[str, Callable[[], tuple[go.Figure, str]]] = {
        "waveform": lambda: _wave(mono, seconds),
        "linear": lambda: _linear(mono, rate),
        "mel": lambda: _mel(recognizer, samples, rate),
    }
    made = []
    for name, (title, _) in TITLES.items():
        if name in special:
            figure, words = special[name]()
        elif DESCRIPTORS[name].count == 1:
            figure, words = _line(name, described, seconds, DESCRIPTORS[name].unit)
        else:
            figure, words = _rows(name, described, seconds)
        made.append(Picture(name, title, says(name), words, figure))
    return made


def _wave(mono: Floats, seconds: float) -> tuple[go.Figure, str]:
    shown = envelope(mono, POINTS)
    peak = max(float(np.abs(mono).max()), 0.001) * 1.05
    figure = _figure(seconds, {"range": [-peak, peak], "zeroline": True, "nticks": 3})
    _add_line(figure, shown, 0.0, seconds / max(len(shown), 1))
    loudest = f"{float(np.abs(mono).max()):.2f}"
    return figure, say(
        "Peak {peak} of full scale, {seconds} s.", peak=loudest, seconds=f"{seconds:.1f}"
    )


def _linear(mono: Floats, rate: int) -> tuple[go.Figure, str]:
    import torch

    n_fft = max(64, 2 ** round(float(np.log2(0.032 * rate))))
    spectrum = torch.stft(
        torch.from_numpy(mono),
        n_fft,
        n_fft // 4,
        window=torch.hann_window(n_fft),
        pad_mode="constant",
        return_complex=True,
    )
    decibels = 20 * np.log10(np.maximum(spectrum.abs().numpy(), 1e-7))
    step = max(1, decibels.shape[0] // 128)
    lower = decibels[: decibels.shape[0] // step * step]
    image = to_bytes(squeeze(lower.reshape(-1, step, lower.shape[1]).max(axis=1), COLUMNS))
    top = rate / 2000
    places = [hertz / top * len(image) for hertz in range(0, int(top) + 1, 2)]
    axis = {"tickvals": places, "ticktext": [f"{hertz} kHz" for hertz in range(0, int(top) + 1, 2)]}
    strongest = float(np.argmax(decibels.max(axis=1)) * rate / n_fft)
    seconds = len(mono) / rate
    words = say("Strongest near {hertz} Hz.", hertz=f"{strongest:.0f}")
    return _picture(image, seconds, axis), words


def _mel(recognizer: Recognizer, samples: Floats, rate: int) -> tuple[go.Figure, str]:
    values, frequencies = mel_decibels(recognizer, samples, rate)
    ticks = [hertz for hertz in (250, 1000, 4000) if hertz <= frequencies[-1]]
    places = np.interp(ticks, frequencies, np.arange(len(frequencies)))
    axis = {
        "tickvals": [round(float(place), 2) for place in places],
        "ticktext": [f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz" for hertz in ticks],
    }
    words = say(
        "{count} bands; black is {range} dB below the loudest.",
        count=len(values),
        range=f"{RANGE_DB:.0f}",
    )
    figure = _picture(to_bytes(squeeze(values, COLUMNS)), samples.shape[1] / rate, axis)
    return figure, words


def _line(
    name: str, described: ClipDescriptors, seconds: float, unit: str
) -> tuple[go.Figure, str]:
    values, times = described.values[name][0], described.times
    step = max(1, -(-len(values) // POINTS))
    axis = {"rangemode": "tozero", "nticks": 4, "showgrid": True}
    figure = _figure(seconds, axis)
    _add_line(
        figure, values[::step], 0.0, float(times[1] - times[0]) * step if len(times) > 1 else 1
    )
    low, middle, high = (float(f(values)) for f in (np.min, np.median, np.max))
    words = say(
        "From {low} to {high}, half of the time below {middle} ({unit}).",
        low=number(low),
        high=number(high),
        middle=number(middle),
        unit=say(unit),
    )
    return figure, words


def number(value: float) -> str:
    """Return a value with the digits that mean something.

    >>> number(3299.7), number(0.067381), number(2.6e-5), number(0.0)
    ('3300', '0.067', '0.000026', '0')
    """
    if abs(value) >= 100 or value == 0:
        return f"{value:.0f}"
    places = max(0, 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{places}f}"


def _rows(name: str, described: ClipDescriptors, seconds: float) -> tuple[go.Figure, str]:
    values = described.values[name]
    shown = squeeze(values, COLUMNS) if name == "chroma" else values
    if name == "chroma":
        image = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
        axis = {"tickvals": list(range(0, 12, 2)), "ticktext": list(PITCHES[::2])}
        often = np.argsort(-values.mean(axis=1))[:3]
        words = say("Most often: {pitches}.", pitches=", ".join(PITCHES[place] for place in often))
        return _picture(image, seconds, axis), words
    thin = shown[:, :: max(1, -(-shown.shape[1] // COLUMNS))]
    spread = np.abs(thin - thin.mean(axis=1, keepdims=True)).max(axis=1, keepdims=True)
    scaled = (thin - thin.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9)
    image = np.rint(scaled * 127 + 128).astype(np.uint8)
    if name == "tonnetz":
        axis = {"tickvals": list(range(6)), "ticktext": [say(one) for one in CIRCLES]}
        words = say("Each row on its own scale: black is its mean, orange above, blue below.")
        return _picture(image, seconds, axis, CHANGE_COLOURS), words
    axis = {"tickvals": list(range(0, len(image), 5)), "title": {"text": say("coefficient")}}
    words = say("Each coefficient on its own scale: black is its mean, orange above, blue below.")
    return _picture(image, seconds, axis, CHANGE_COLOURS), words


def _picture(
    image: npt.NDArray[np.uint8],
    seconds: float,
    axis: dict[str, Any],
    colours: list[list[Any]] = MEL_COLOURS,
) -> go.Figure:
    import plotly.graph_objects as go

    figure = _figure(seconds, {"range": [-0.5, len(image) - 0.5], **axis})
    width = seconds / image.shape[1]
    figure.add_trace(
        go.Heatmap(
            z=image,
            x0=width / 2,
            dx=width,
            zmin=0,
            zmax=255,
            colorscale=colours,
            showscale=False,
            hoverinfo="skip",
        )
    )
    return figure


def _add_line(figure: go.Figure, values: Floats, start: float, step: float) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x0=start,
            dx=step,
            y=np.asarray(values, np.float32),
            mode="lines",
            line={"width": 1.2, "color": "#1d7871"},
            hovertemplate="%{x:.2f} s: %{y:.4g}<extra></extra>",
            showlegend=False,
        )
    )


def _figure(seconds: float, axis: dict[str, Any]) -> go.Figure:
    import plotly.graph_objects as go

    bare = {"fixedrange": True, "showgrid": False, "zeroline": False, **ROOM}
    return go.Figure(
        layout={
            "template": "none",
            "height": 190,
            "margin": {"l": 70, "r": 8, "t": 8, "b": 28},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": QUIET, "size": 11, "family": ", ".join(FONT)},
            "hovermode": "closest",
            "dragmode": False,
            "showlegend": False,
            "xaxis": {**bare, "range": [0, seconds], "autorange": False, "nticks": 6},
            "yaxis": {**bare, **axis},
        }
    )
