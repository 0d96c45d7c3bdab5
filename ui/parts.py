"""Pieces of HTML: the answer, the model's line, what was saved; what varies is escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from ui.theme import LETTERS

TITLE = "Speech emotion studio"

MASTHEAD = (
    f'<div class="masthead"><h1>{TITLE}</h1>'
    "<p>Hear what a model hears, see where it looked, and correct it.</p></div>"
)

WELCOME = (
    '<div class="welcome"><h2>What is in a voice?</h2>'
    "Give the studio a few seconds of speech and it shows:"
    "<ol><li>which emotion the model hears, how likely each one is, and when it is not sure;</li>"
    "<li>the waveform and the mel spectrogram, which is all that the model sees;</li>"
    "<li>a row of emotions, to put it right with one key. Each correction is kept, "
    "and the next training learns from it.</li></ol></div>"
)

HINTS = (
    '<p class="hint"><b>How to read this.</b> The waveform is loudness over time. '
    "The mel spectrogram below it has time from left to right and pitch from low to high; "
    "bright is loud. Stripes that rise and fall are the melody of the voice. "
    "Click the picture, or use <kbd>←</kbd> <kbd>→</kbd> on it, to move through the sound; "
    "<kbd>space</kbd> plays.</p>"
)


def answer(prediction: dict[str, Any]) -> str:
    """Return a prediction as a card: the word, how sure, warnings, one bar an emotion.

    Args:
        prediction: as ``Prediction.to_json`` gives it.
    """
    emotion, unsure = prediction["emotion"], prediction["unsure"]
    word = _word(emotion, unsure)
    share = "" if emotion is None else f"{percent(prediction['confidence'])} likely"
    notices = "".join(_notice("Listen with care", text) for text in prediction["warnings"])
    doubt = _notice("Not sure", unsure) if unsure else ""
    body = "" if emotion is None else bars(prediction["probabilities"]) + _set(prediction)
    length = f"{prediction['seconds']:.1f} s"
    return (
        '<section class="answer" aria-live="polite" aria-label="What the model hears">'
        f'<p class="verdict">{word}<span class="share">{share}</span></p>'
        f'<p class="file">{escape(prediction["file"] or "clip")} · {length}</p>'
        f"{doubt}{notices}{body}</section>"
    )


def bars(probabilities: dict[str, float]) -> str:
    """Return one bar an emotion, likeliest first, each with its name and share."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    rows = "".join(
        f'<li class="emotion-{name}{" top" if place == 0 else ""}">'
        f'<span class="name">{swatch(name)}{name}</span>'
        f'<span class="track" aria-hidden="true"><span class="fill" '
        f'style="width:{value * 100:.1f}%;display:block"></span></span>'
        f'<span class="value">{percent(value)}</span></li>'
        for place, (name, value) in enumerate(ranked)
    )
    return f'<ol class="bars" aria-label="Probability of each emotion">{rows}</ol>'


def swatch(emotion: str) -> str:
    """Return the emotion's colour with its letter."""
    letter = LETTERS.get(emotion, "?")
    return f'<span class="swatch emotion-{emotion}" aria-hidden="true">{letter}</span>'


def percent(value: float) -> str:
    """Return a share in words that never claim certainty.

    >>> percent(0.4567), percent(0.001), percent(0.9999)
    ('46 %', '< 1 %', '> 99 %')
    """
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{value * 100:.0f} %"


def problem(text: str) -> str:
    """Return what went wrong with a clip, in place of an answer."""
    return (
        '<section class="answer" role="alert"><p class="verdict">'
        '<span class="word unsure">No answer</span></p>'
        f'<p class="notice">{escape(text)}</p></section>'
    )


def limits(seconds: float, size: int) -> str:
    """Return what may be uploaded, told before somebody tries.

    Args:
        seconds: longest recording taken.
        size: largest file taken, in bytes.

    >>> limits(3600, 120 * 2**20)[-56:]
    '…), at most 120 MB and 60 minutes. Longer? Cut it first.'
    """
    room = f"{size / 2**20:.0f} MB" if size >= 2**20 else f"{size / 2**10:.0f} kB"
    return (
        "Any sound file (WAV, FLAC, OGG, Opus, MP3, M4A, WebM …), "
        f"at most {room} and {seconds / 60:.0f} minutes. Longer? Cut it first."
    )


def sentence(text: str) -> str:
    """Return a message that was written for a terminal as a sentence for the page.

    >>> sentence("there is no such version"), sentence("Sign in first.")
    ('There is no such version.', 'Sign in first.')
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '`')) else '.'}"


def status(text: str, kind: str = "") -> str:
    """Return the line under the choice of emotions; ``kind`` is ``done``, ``refused`` or ""."""
    return f'<p class="saved {kind}" role="status">{escape(text)}</p>'


def model_line(champion: dict[str, str]) -> str:
    """Return which model serves.

    Args:
        champion: ``name``, ``version``, ``problem``.
    """
    trouble = champion.get("problem", "")
    note = f'<span class="problem">{escape(trouble)}</span>' if trouble else ""
    return (
        f'<div class="model-line">Model <b>{escape(champion["name"])}</b> '
        f"{escape(champion['version'])}{note}</div>"
    )


def describe(prediction: dict[str, Any]) -> str:
    """Return the pictures in words, for those who do not see them."""
    emotion = prediction["emotion"]
    heard = f"the model hears {emotion}" if emotion else "the model hears no emotion"
    text = f"Waveform and mel spectrogram of {prediction['seconds']:.1f} seconds; {heard}."
    windows = prediction["windows"]
    if len(windows) > 1:
        text += " Over time: " + ", ".join(
            f"{w['start']:.0f} to {w['end']:.0f} seconds {w['emotion'] or 'no speech'}"
            for w in windows[:40]
        )
    return f'<p class="visually-hidden">{escape(text)}</p>'


def _word(emotion: str | None, unsure: str | None) -> str:
    if emotion is None:
        return '<span class="word unsure">No answer</span>'
    lean = '<span class="visually-hidden">perhaps </span>' if unsure else ""
    return (
        f'<span class="word{" unsure" if unsure else ""}">{swatch(emotion)}'
        f"{lean}{emotion}{'?' if unsure else ''}</span>"
    )


def _notice(title: str, text: str) -> str:
    return f'<p class="notice"><b>{title}.</b> {escape(text)}</p>'


def _set(prediction: dict[str, Any]) -> str:
    names = prediction["conformal_set"]
    held = ", ".join(f"<b>{name}</b>" for name in names)
    return f'<p class="set">Nine times in ten the truth is among: {held}.</p>' if names else ""
