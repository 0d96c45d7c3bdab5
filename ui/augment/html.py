"""Pieces of HTML of the Augment tab: before and after, the player's sounds, what was drawn."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_core.audio import to_wav_bytes
from ser_core.augment import EFFECTS, FEATURE_EFFECTS
from ui import page_html
from ui.language import TABLES, say, translated
from ui.theme import HERE

INTRO = (
    '<div class="welcome"><h2>What does an augmentation do to a voice?</h2>'
    "Give the studio a clip, choose effects, and move their sliders. You hear and see the clip "
    "before and after, and what the model makes of it. This is how a model is taught not to mind "
    "a telephone or a street; where its answer flips, it has not learned that yet.</div>"
)

HINTS = (
    '<p class="hint"><b>How to read this.</b> All five pictures share one time axis. Click one, '
    "or use <kbd>←</kbd> <kbd>→</kbd> on it, to move through the sound; <kbd>space</kbd> plays, "
    "<kbd>X</kbd> switches between A and B. Both waveforms share one scale, and both sounds are "
    "played as they are, so that a quieter voice is heard as quieter. In the difference, orange "
    "was added and blue was taken away.</p>"
)

PLAYER = """<div class="ab">
<div class="ab-sounds"><audio preload="auto"></audio><audio preload="auto"></audio></div>
<div class="ab-row">
<button type="button" class="ab-play">▶ Play</button>
<fieldset class="ab-which"><legend class="visually-hidden">What is heard</legend>
<label><input type="radio" name="ab-which" value="a">A original</label>
<label><input type="radio" name="ab-which" value="b" checked>B augmented</label></fieldset>
<button type="button" class="ab-swap key-KeyX" title="Switch at the same position (X)">A/B</button>
<input type="range" class="ab-seek" min="0" max="1" step="0.01" value="0" aria-label="Position">
<span class="ab-clock"></span></div>
<p class="ab-levels"><span class="ab-level-a"></span> <span class="ab-level-b"></span></p>
<label class="ab-even"><input type="checkbox">
<span>Play both equally loud (lowers the louder one)</span></label></div>"""

MORE = "The answer stays {emotion}, {points} points more likely."
LESS = "The answer stays {emotion}, {points} points less likely."
PICTURES = (
    "The pictures show waveform and mel spectrogram of the clip before and after {effects}, and "
    "where the second differs from the first."
)
APPLIED = "Every value as it was applied. As a recipe, this gives exactly the same sound again."

CHAIN = '<div class="chain"></div>'


def static(name: str) -> str:
    """Return a file of ``ui/augment`` as text."""
    return (HERE / "augment" / name).read_text(encoding="utf-8")


def words(table: Sequence[dict[str, Any]], recipes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return language -> English word or sentence of the editor -> its own.

    Args:
        table: the effects, as `ui.augment.session.table` gives them.
        recipes: the names of the presets.
    """
    used = {*recipes}
    for effect in table:
        used |= {effect["title"], effect["summary"]}
        for one in effect["parameters"]:
            used |= {one["name"].replace("_", " "), one["unit"], one["about"]}
    return {
        name: {text: known[text] for text in sorted(used) if text in known}
        for name, known in TABLES.items()
    }


def sound(samples: npt.NDArray[Any], rate: int, who: str) -> str:
    """Return a clip for the player: WAV of 16 bits at its own level, as a data address.

    The voice travels inside the page and is kept in no file that another visitor could ask for.

    Args:
        samples: ``[channel, time]``, full scale is 1.
        rate: hertz.
        who: what its level is of, such as ``A``.
    """
    data = to_wav_bytes(samples, rate)
    level = dbfs(samples)
    words = f"{who}: {level:.1f} dBFS" if np.isfinite(level) else f"{who}: {say('silence')}"
    held = {
        "sound": "data:audio/wav;base64," + base64.b64encode(data).decode(),
        "dbfs": round(level, 2) if np.isfinite(level) else None,
        "words": f"{words}, {samples.shape[1] / rate:.2f} s.",
        "stamp": hashlib.sha256(data).hexdigest()[:16],
    }
    return json.dumps(held)


def dbfs(samples: npt.NDArray[Any]) -> float:
    """Return the root mean square in decibels below full scale; minus infinity for silence.

    >>> dbfs(np.ones((1, 4))), dbfs(np.zeros((1, 4)))
    (0.0, -inf)
    """
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def comparison(before: dict[str, Any], after: dict[str, Any], notes: Sequence[str] = ()) -> str:
    """Return the model's answer before and after as a card, with the change of every share.

    Args:
        before, after: as ``Prediction.to_json`` gives them.
        notes: sentences on what a person may not expect.
    """
    notices = [(say("Note"), text) for text in notes]
    notices += [(say("Not sure"), after["unsure"])] if after["unsure"] else []
    notices += [(say("Note"), text) for text in after["warnings"]]
    boxes = "".join(
        f'<p class="notice"><b>{title}.</b> {escape(translated(text))}</p>'
        for title, text in dict.fromkeys(notices)
    )
    names = sorted(before["probabilities"], key=lambda name: -before["probabilities"][name])
    rows = "".join(
        _row(
            name,
            _shares(before).get(name),
            _shares(after).get(name),
            name in (before["emotion"], after["emotion"]),
        )
        for name in names
    )
    head = (
        f'<li class="head" aria-hidden="true"><span></span><span>{say("before, after")}</span>'
        f"<span>{say('change')}</span></li>"
    )
    return (
        '<section class="answer" aria-live="polite" '
        f'aria-label="{say("The answer before and after")}"><p class="verdict">{_word(before)}'
        f'<span class="arrow" aria-label="{say("becomes")}">→</span>'
        f"{_word(after)}</p>"
        f'<p class="file" data-verdict>{escape(verdict(before, after))}</p>{boxes}'
        f'<ol class="shifts" aria-label="{say("Probability before and after")}">{head}{rows}</ol>'
        "</section>"
    )


def verdict(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return in one sentence what became of the answer.

    >>> verdict({"emotion": "joy", "probabilities": {"joy": 0.6}},
    ...         {"emotion": "joy", "probabilities": {"joy": 0.5}})
    'The answer stays joy, 10 points less likely.'
    """
    old, new = before["emotion"], after["emotion"]
    if old is None:
        return say("There is no answer for the clip as it is, so nothing can be compared.")
    if new is None:
        return say("The model heard {emotion} before; now it gives no answer.", emotion=say(old))
    if old != new:
        return say("The answer flips from {old} to {new}.", old=say(old), new=say(new))
    points = round(100 * (after["probabilities"][new] - before["probabilities"][new]))
    emotion = say(old)
    if points == 0:
        return say("The answer stays {emotion}, as likely as before.", emotion=emotion)
    return say(MORE if points > 0 else LESS, emotion=emotion, points=abs(points))


def problem(text: str) -> str:
    """Return what is wrong, in place of the comparison."""
    return page_html.problem(text)


def _shares(prediction: dict[str, Any]) -> dict[str, float]:
    return prediction["probabilities"] if prediction["emotion"] is not None else {}


def _word(prediction: dict[str, Any]) -> str:
    emotion = prediction["emotion"]
    if emotion is None:
        return f'<span class="word abstained">{say("no answer")}</span>'
    sign = "?" if prediction["unsure"] else ""
    return (
        f'<span class="word{" abstained" if sign else ""}">'
        f"{page_html.swatch(emotion)}{say(emotion)}{sign}</span>"
        f'<span class="share">{page_html.percent(prediction["confidence"])}</span>'
    )


def _row(name: str, old: float | None, new: float | None, top: bool) -> str:
    def bar(value: float | None, kind: str) -> str:
        return f'<span class="fill {kind}" style="width:{(value or 0) * 100:.1f}%"></span>'

    points = "–" if old is None or new is None else f"{100 * (new - old):+.0f}".replace("-", "−")
    points = "0" if points in ("+0", "−0") else points
    words = say(
        "{old} before, {new} after",
        old=page_html.percent(old) if old is not None else say("no answer"),
        new=page_html.percent(new) if new is not None else say("no answer"),
    )
    return (
        f'<li class="emotion-{name}{" top" if top else ""}">'
        f'<span class="name">{page_html.swatch(name)}{say(name)}</span>'
        f'<span class="tracks" role="img" aria-label="{words}" title="{words}">'
        f"{bar(old, 'before')}{bar(new, 'after')}</span>"
        f'<span class="value">{points}</span></li>'
    )


def drawn(steps: Sequence[dict[str, Any]]) -> str:
    """Return what was drawn, folded away, and the pictures in words.

    Args:
        steps: as ``DrawnChain.to_json`` gives them.
    """
    effects = EFFECTS | FEATURE_EFFECTS
    names = f", {say('then')} ".join(say(effects[step["name"]].title) for step in steps)
    seen = say(PICTURES, effects=names or say("no effect"))
    lines = ",\n".join("  " + json.dumps(step, ensure_ascii=False) for step in steps)
    text = f"[\n{lines}\n]" if lines else "[]"
    return (
        f'<p class="visually-hidden">{escape(seen)}</p>'
        f'<details class="drawn"><summary>{say("What was drawn this time")}</summary>'
        f'<p class="hint">{say(APPLIED)}</p><pre translate="no">{escape(text)}</pre></details>'
    )
