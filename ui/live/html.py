"""Pieces of HTML for the Live tab: the word, the bars, ten rolling seconds."""

from __future__ import annotations

import base64
import io
import itertools
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_core.checkpoints.calibration import entropy
from ui import page_html
from ui.figures import MEL_COLOURS, envelope, squeeze
from ui.language import current, say, translated
from ui.live.session import SHOWN, LiveSnapshot, Moment
from ui.theme import DARK, LETTERS

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

COLUMNS = 400
POINTS = 600

READY = (
    '<div class="welcome"><h2>What does the model hear right now?</h2>Press Start and speak. '
    "Twice a second the model predicts the last few seconds, and the picture scrolls on. "
    "Only the last two minutes are kept, in memory; nothing is saved unless you label it.</div>"
)

PANEL = (
    '<div class="live-panel"><button type="button" class="live-toggle" aria-pressed="false">'
    '<span class="dot" aria-hidden="true"></span><span class="says">Start</span></button>'
    '<div class="live-meter" aria-hidden="true"><span></span></div>'
    '<p class="live-latency" role="status"></p>'
    '<p class="live-notice notice" role="alert" hidden></p></div>'
)


def view(shot: LiveSnapshot, recognizer: Recognizer, number: int) -> str:
    """Return what is shown at one moment.

    Args:
        shot: the last seconds.
        recognizer: the model, for its own mel spectrogram.
        number: of the piece that this answers.
    """
    last = shot.moments[-1] if shot.moments else None
    took = f"{last.took * 1000:.0f}" if last else ""
    return (
        f'<section class="answer live" data-number="{number}" data-until="{shot.end:.3f}" '
        f'data-took="{took}" aria-label="{say("Live answer")}">'
        f"{_head(last, shot, recognizer.calibration.entropy_limit)}"
        f"{picture(shot, recognizer)}</section>"
    )


def _head(last: Moment | None, shot: LiveSnapshot, limit: float = 1.0) -> str:
    if last is None or last.probabilities is None:
        word = say("Silence") if last else f"{say('Listening')} …"
        hint = say("No speech.") if last else say("One moment.")
        return (
            f'<p class="verdict"><span class="word abstained">{word}</span></p>'
            f'<p class="file">{hint}</p>{_bars(None, shot)}'
        )
    shares = last.probabilities
    top = int(shares.argmax())
    name = shot.emotions[top]
    abstained = float(entropy(shares.astype(np.float64))) > limit
    hint = (
        say("Not sure: several emotions are about equally likely")
        if abstained
        else say("Over the last few seconds")
    )
    likely = say("{share} likely", share=page_html.percent(float(shares[top])))
    return (
        f'<p class="verdict"><span class="word{" abstained" if abstained else ""}">'
        f"{page_html.swatch(name)}"
        f"{say(name)}{'?' if abstained else ''}</span>"
        f'<span class="share">{escape(likely)}</span></p>'
        f'<p class="file">{hint}</p>{_bars(shares, shot)}'
    )


def _bars(shares: npt.NDArray[np.float32] | None, shot: LiveSnapshot) -> str:
    """Return the bars in a fixed order, so that nothing jumps."""
    rows = "".join(
        f'<li class="emotion-{name}"><span class="name">{page_html.swatch(name)}{say(name)}</span>'
        f'<span class="track" aria-hidden="true"><span class="fill" style="display:block;'
        f'width:{0 if shares is None else shares[i] * 100:.1f}%"></span></span>'
        '<span class="value">'
        f"{'' if shares is None else page_html.percent(float(shares[i]))}</span>"
        "</li>"
        for i, name in enumerate(shot.emotions)
    )
    return f'<ol class="bars">{rows}</ol>'


def picture(shot: LiveSnapshot, recognizer: Recognizer) -> str:
    """Return ten seconds of waveform, emotions and mel spectrogram on one axis."""
    length = shot.samples.shape[1] / shot.rate
    left = max(0.0, 1 - length / SHOWN) * 100
    return (
        f'<div class="live-picture" role="img" aria-label="{escape(words(shot))}">'
        f'<div class="live-wave">{_wave(shot.samples[0], left)}</div>'
        f'<div class="live-line">{"".join(_blocks(shot))}</div>'
        f'<div class="live-mel"><img alt="" style="left:{left:.2f}%;width:{100 - left:.2f}%" '
        f'src="{_mel(shot, recognizer)}"></div>'
        f"{_axis()}</div>"
    )


def words(shot: LiveSnapshot) -> str:
    """Return the time line in words."""
    names = itertools.groupby(_heard(moment, shot) or "silence" for moment in shot.moments)
    heard = f", {say('then')} ".join(say(name) for name, _ in names)
    return say(
        "The last {seconds} seconds: {heard}",
        seconds=f"{SHOWN:.0f}",
        heard=heard or say("nothing yet"),
    )


def _wave(samples: npt.NDArray[np.float32], left: float) -> str:
    shown = envelope(samples, POINTS)
    peak = max(float(np.abs(shown).max(initial=0.0)), 0.05)
    places = np.linspace(left, 100, max(len(shown), 2))[: len(shown)]
    points = " ".join(
        f"{x:.2f},{10 - 9 * y:.2f}" for x, y in zip(places, shown / peak, strict=True)
    )
    return (
        '<svg viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline points="{points}"/></svg>'
    )


def _blocks(shot: LiveSnapshot) -> list[str]:
    """Return one block for each run of moments of one emotion, with its name or its letter."""
    begin, found = shot.end - SHOWN, []
    for name, group in itertools.groupby(shot.moments, key=lambda moment: _heard(moment, shot)):
        run = list(group)
        start, end = max(run[0].start, begin), run[-1].end
        share = (end - start) / SHOWN
        place = f"left:{(start - begin) / SHOWN * 100:.2f}%;width:{share * 100:.2f}%"
        if name is None:
            found.append(f'<span class="quiet" style="{place}"></span>')
            continue
        # A letter of the English name says nothing in another language.
        letter = LETTERS.get(name, "?") if current() == "en" else ""
        text = say(name) if share > 0.25 else letter
        ink = " light" if name in DARK else ""
        found.append(f'<span class="emotion-{name}{ink}" style="{place}">{text}</span>')
    return found


def _heard(moment: Moment, shot: LiveSnapshot) -> str | None:
    shares = moment.probabilities
    return None if shares is None else shot.emotions[int(shares.argmax())]


def _mel(shot: LiveSnapshot, recognizer: Recognizer) -> str:
    from PIL import Image

    from ui.mel_spectrogram import mel_of

    image: Any = squeeze(mel_of(recognizer, shot.samples, shot.rate).image, COLUMNS)
    drawn = Image.fromarray(np.ascontiguousarray(image[::-1]))
    coloured = drawn.convert("P")
    coloured.putpalette(palette())
    held = io.BytesIO()
    coloured.save(held, "PNG", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


def palette() -> bytes:
    """Return the spectrogram's colours as 256 times red, green, blue."""
    at = np.array([place for place, _ in MEL_COLOURS], np.float64)
    rgb = np.array([[int(str(c)[i : i + 2], 16) for i in (1, 3, 5)] for _, c in MEL_COLOURS])
    share = np.linspace(0, 1, 256)
    table = np.stack([np.interp(share, at, rgb[:, i]) for i in range(3)], axis=1)
    return bytes(np.rint(table).astype(np.uint8).tobytes())


def _axis() -> str:
    ticks = "".join(
        f'<span style="left:{(SHOWN - ago) / SHOWN * 100:.0f}%">'
        f"{f'−{ago} s' if ago else say('now')}</span>"
        for ago in (10, 8, 6, 4, 2, 0)
    )
    return f'<div class="live-axis" aria-hidden="true">{ticks}</div>'


def trouble(text: str, number: int = 0) -> str:
    """Return what went wrong in place of the picture; the page goes on listening or not."""
    return (
        f'<section class="answer live" data-number="{number}" role="alert">'
        f'<p class="notice">{escape(translated(text))}</p></section>'
    )
