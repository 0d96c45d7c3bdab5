"""Pieces of HTML: the answer, the model's line, what was saved; what varies is escaped."""

from __future__ import annotations

import itertools
from html import escape
from typing import Any

from ui.language import current, say, translated
from ui.theme import LETTERS

TITLE = "Speech emotion studio"

MASTHEAD = (
    f'<div class="masthead"><h1>{TITLE}</h1>'
    "<p>Find out which emotion a model recognises in a voice, see why, and correct it.</p></div>"
)

WELCOME = (
    '<div class="welcome"><h2>What is in a voice?</h2>'
    "Record or upload a few seconds of speech. You get:"
    "<ol><li>the predicted emotion, how likely each one is, and whether it is sure;</li>"
    "<li>the waveform and the mel spectrogram;</li>"
    "<li>a row of emotions to correct the model with one key. Corrections are saved, "
    "and the next training run learns from them.</li></ol></div>"
)

LIMITS = (
    "Any sound file (WAV, FLAC, OGG, Opus, MP3, M4A, WebM …), "
    "up to {room} and {minutes} minutes. Split longer recordings first."
)

CONSENT = (
    '<p class="hint consent">Choosing an emotion lets whoever runs this page keep the clip and '
    "your choice, to train the model. It is a voice: choose only for your own, or with the "
    "speaker’s consent. <b>About</b> says where it is kept, for how long, and how to delete it.</p>"
)
"""Stands before the first label on a page that others can reach."""

HINTS = (
    '<p class="hint"><b>How to read this.</b> The waveform is loudness over time. '
    "The mel spectrogram below it has time from left to right and pitch from low to high; "
    "bright is loud. Stripes that rise and fall are the melody of the voice. "
    "Click the picture, or use <kbd>←</kbd> <kbd>→</kbd> on it, to move through the sound; "
    "<kbd>space</kbd> plays.</p>"
)


def answer(prediction: dict[str, Any], over_time: str = "", link: str = "") -> str:
    """Return a prediction as a card: the word, how sure, warnings, one bar an emotion.

    Args:
        prediction: as ``Prediction.to_json`` gives it.
        over_time: what stands at the top in place of one word, for a clip that changes.
        link: what a link carries that shows this result again.
    """
    emotion, abstained = prediction["emotion"], prediction["unsure"]
    word = _word(emotion, abstained)
    likely = percent(prediction["confidence"])
    share = "" if emotion is None else say("{share} likely", share=likely)
    notices = "".join(_notice(say("Note"), translated(text)) for text in prediction["warnings"])
    reason = _notice(say("Not sure"), translated(abstained)) if abstained else ""
    body = "" if emotion is None else bars(prediction["probabilities"]) + _set(prediction)
    whole = f'<span class="share">{say("Whole clip:")}</span>' if over_time else ""
    length = f"{prediction['seconds']:.1f} s"
    by = answered_by(prediction["model"])
    return (
        f'<section class="answer" data-clip="{escape(prediction.get("sha256") or "")}" '
        f'data-link="{escape(link)}" '
        f'aria-live="polite" aria-label="{say("Answer of the model")}">'
        f"{over_time}"
        f'<p class="verdict{" whole" if over_time else ""}">{whole}{word}'
        f'<span class="share">{share}</span></p>'
        f'<p class="file">{escape(prediction["file"] or say("clip"))} · {length}{by}</p>'
        f"{reason}{notices}{body}</section>"
    )


def answered_by(model: dict[str, str]) -> str:
    """Return which model gave an answer, and relative to what.

    >>> answered_by({"name": "studio-encoder", "version": "encoder-0.1"})
    ' · studio-encoder'
    """
    voice = f", {say('relative to your voice')}" if "relative_to" in model else ""
    return f" · {escape(model['name'])}{voice}"


def bars(probabilities: dict[str, float]) -> str:
    """Return one bar an emotion, likeliest first, each with its name and share."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    rows = "".join(
        f'<li class="emotion-{escape(name)}{" top" if place == 0 else ""}">'
        f'<span class="name">{swatch(name)}{escape(say(name))}</span>'
        f'<span class="track" aria-hidden="true"><span class="fill" '
        f'style="width:{value * 100:.1f}%;display:block"></span></span>'
        f'<span class="value">{percent(value)}</span></li>'
        for place, (name, value) in enumerate(ranked)
    )
    return f'<ol class="bars" aria-label="{say("Probability of each emotion")}">{rows}</ol>'


def swatch(emotion: str) -> str:
    """Return the emotion's colour with its letter; a word that is none has a question mark."""
    # A letter of the English name says nothing beside a name in another language.
    letter = LETTERS.get(emotion, "?") if current() == "en" else ""
    return f'<span class="swatch emotion-{escape(emotion)}" aria-hidden="true">{letter}</span>'


def percent(value: float) -> str:
    """Return a share in words that never claim certainty.

    >>> percent(0.4567), percent(0.001), percent(0.9999)
    ('46 %', '< 1 %', '> 99 %')
    """
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{value * 100:.0f} %"


def plural(count: int, one: str, many: str) -> str:
    """Return the form of a word that goes with a number.

    >>> plural(1, "clip was", "clips were"), plural(0, "clip was", "clips were")
    ('clip was', 'clips were')
    """
    return one if count == 1 else many


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "clip"), counted(1200, "clip")
    ('1 clip', '1,200 clips')
    """
    return f"{count:,} {plural(count, noun, noun + 's')}"


def problem(text: str) -> str:
    """Return what went wrong with a clip, in place of an answer."""
    return (
        '<section class="answer" role="alert"><p class="verdict">'
        f'<span class="word abstained">{say("No answer")}</span></p>'
        f'<p class="notice">{escape(translated(text))}</p></section>'
    )


def limits(seconds: float, size: int) -> str:
    """Return what may be uploaded, as text for the page.

    Args:
        seconds: longest recording taken.
        size: largest file taken, in bytes.

    >>> limits(3600, 120 * 2**20)[-68:]
    'WebM …), up to 120 MB and 60 minutes. Split longer recordings first.'
    """
    room = f"{size / 2**20:.0f} MB" if size >= 2**20 else f"{size / 2**10:.0f} kB"
    return say(LIMITS, room=room, minutes=f"{seconds / 60:.0f}")


def sentence(text: str) -> str:
    """Return a message that was written for a terminal as a sentence for the page.

    >>> sentence("there is no such version"), sentence("Sign in first.")
    ('There is no such version.', 'Sign in first.')
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '`')) else '.'}"


def status(text: str, kind: str = "") -> str:
    """Return the line under the choice of emotions; ``kind`` is ``done``, ``refused`` or ""."""
    return f'<p class="saved {kind}" role="status">{escape(text)}</p>'


def describe(prediction: dict[str, Any]) -> str:
    """Return the pictures in words, for those who do not see them: what they show, and when."""
    emotion, seconds = prediction["emotion"], prediction["seconds"]
    parts = []
    if emotion is None:
        parts.append(say("No emotion is heard"))
    else:
        share = percent(prediction["confidence"])
        parts.append(f"{say(emotion)} {share}")
        parts.append(say("not sure") if prediction["unsure"] else _sure_from(prediction))
    text = ", ".join(part for part in parts if part) + ". "
    windows = [w for w in prediction["windows"] if w["emotion"]]
    if len(windows) > 1:
        runs = []
        for name, group in itertools.groupby(windows, key=lambda w: w["emotion"]):
            held = list(group)
            runs.append(f"{held[0]['start']:.1f}–{held[-1]['end']:.1f} s {say(name)}")
        text += say("Over time: {runs}.", runs=", ".join(runs[:40])) + " "
    text += say("Waveform and mel spectrogram of {seconds} s.", seconds=f"{seconds:.1f}")
    return f'<p class="visually-hidden" data-describes="picture">{escape(text)}</p>'


def _sure_from(prediction: dict[str, Any]) -> str:
    """Return from when on the emotion of the whole clip is more likely than all others together."""
    emotion = prediction["emotion"]
    for window in prediction["windows"]:
        if window["probabilities"].get(emotion, 0.0) > 0.5:
            return say("sure from {at} s", at=f"{window['start']:.1f}")
    return ""


def _word(emotion: str | None, abstained: str | None) -> str:
    if emotion is None:
        return f'<span class="word abstained">{say("No answer")}</span>'
    lean = f'<span class="visually-hidden">{say("perhaps")} </span>' if abstained else ""
    return (
        f'<span class="word{" abstained" if abstained else ""}">{swatch(emotion)}'
        f"{lean}{escape(say(emotion))}{'?' if abstained else ''}</span>"
    )


def _notice(title: str, text: str) -> str:
    return f'<p class="notice"><b>{title}.</b> {escape(text)}</p>'


def _set(prediction: dict[str, Any]) -> str:
    names = prediction["conformal_set"]
    held = ", ".join(f"<b>{escape(say(name))}</b>" for name in names)
    note = say(
        "On speakers the model was not trained on, nine times in ten the right emotion is in it."
    )
    shown = say("90 % set: {names}", names=held)
    return f'<p class="set" title="{note}">{shown}</p>' if names else ""
