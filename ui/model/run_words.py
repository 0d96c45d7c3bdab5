"""What the trainer wrote down of a run, reason by reason in the reader's language."""

from __future__ import annotations

import re

from ui.language import current, say, say_count, translated

_ENDED = re.compile(r"(\S+) (promoted|not promoted): (.*?)(?:\. (corrections: .*))?", re.S)
_LABELS = re.compile(
    r"corrections: (\d+) of (\d+) labels train(?:: (.*?))?"
    r"(?:; (\d+) labels? (?:does|do) not train: (.*))?",
    re.S,
)
_REASON = re.compile(r"(\d+) \((.*?)\)(?=, \d+ \(|$)", re.S)
_ADDED = re.compile(r"(\d+) new (\w+) clips?")


def reasons_in(text: str) -> list[str]:
    """Return the reasons of a decision that were written in one line.

    >>> reasons_in("a, but it is only 80% sure; 90% is asked; b")
    ['a, but it is only 80% sure; 90% is asked', 'b']
    """
    return re.split(r"; (?!\d+% is (?:asked|the limit))", text)


def note_in_words(text: str) -> str:
    """Return what a run said at its end, or of its labels.

    >>> note_in_words("v2 not promoted: a is lower; b. corrections: 3 of 4 labels train")
    'v2 not promoted: a is lower; b. corrections: 3 of 4 labels train'
    """
    if current() == "en":
        return text
    if found := _LABELS.fullmatch(text):
        return _labels(*found.groups())
    if found := _ENDED.fullmatch(text):
        version, verdict, reasons, labels = found.groups()
        sentence = f"{version} {say(verdict)}: {decision(reasons_in(reasons))}"
        return f"{sentence}. {note_in_words(labels)}" if labels else sentence
    return translated(text)


def decision(reasons: list[str]) -> str:
    """Return the reasons of a decision in one line."""
    return "; ".join(map(translated, reasons))


def _labels(used: str, known: str, parts: str | None, unused: str | None, why: str | None) -> str:
    text = say("corrections: {used} of {known} labels train", used=used, known=known)
    if parts:
        text += f": {', '.join(map(_part, parts.split(', ')))}"
    if unused:
        reasons = ", ".join(
            f"{count} ({translated(reason)})" for count, reason in _REASON.findall(why or "")
        )
        text += "; " + say_count(
            int(unused),
            "1 label does not train: {reasons}",
            "{count} labels do not train: {reasons}",
            reasons=reasons,
        )
    return text


def _part(text: str) -> str:
    if found := _ADDED.fullmatch(text):
        count, side = found.groups()
        return say_count(
            int(count), "1 new {side} clip", "{count} new {side} clips", side=say(side)
        )
    return say_count(int(text.split()[0]), "1 replaces a corpus's", "{count} replace a corpus's")
